-- What a workflow is.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  none
-- Returns {state, policy, whole, label, life, begun, moved, ended, how many steps there
-- are, wait, have not ended, have succeeded, have failed, were skipped; how many
-- callbacks it waits for, once it has ended; the time}, or nothing.

-- include flow
-- include flow_types

if not state then return {} end
local answer = redis.call('HMGET', META, 'state', 'policy', 'whole', 'label', 'life',
  'begun', 'moved', 'ended')
answer[9] = redis.call('ZCARD', STEPS) - redis.call('ZCARD', ON)
answer[10] = redis.call('ZCARD', HELD)
answer[11] = redis.call('ZCARD', OPEN)
local ended = redis.call('HMGET', META, 's', 'f', 'k')
for i = 1, 3 do answer[11 + i] = ended[i] or 0 end
answer[15] = is_over() and #called() or 0
answer[16] = now
return answer
