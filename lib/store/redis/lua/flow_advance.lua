#!lua flags=allow-oom
-- A step of a workflow has ended: those that come after it go on, or are skipped. To be
-- called until it says that this was all, and again whenever it may not have been.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 the step   2 how it ended: s, f or k   3 where the last call stopped, or ''
-- Returns {where this one stopped, or ''; the state of the workflow, '' if there is none;
-- 1 if it has ended now, 0 if it had before, -1 if there is no such step; what is to go
-- to its queue: IDs, each with its out}.

-- include flow

local step, outcome, cursor, first = ARGV[1], ARGV[2], ARGV[3], 0
if not state then return {'', '', -1, {}} end
local before = redis.call('HGET', ENDED, step)
if before then
  outcome = before
elseif redis.call('ZSCORE', OPEN, step) then
  first = 1
  redis.call('HSET', ENDED, step, outcome)
  redis.call('HINCRBY', META, outcome, 1)
  redis.call('ZREM', OPEN, step)
  redis.call('ZREM', HELD, step)
  redis.call('HDEL', OUT, step)
  redis.call('HSET', META, 'moved', now)
  if outcome == 'f' and policy == 'cancel' and (state == 'open' or state == 'running') then
    set_state('cancelling')
  end
elseif redis.call('ZSCORE', ON, step) then
  first = 1
  redis.call('HSET', ENDED, step, outcome)
  redis.call('HDEL', OUT, step)
  if is_over() then redis.call('EXPIRE', ENDED, life) end
else
  return {'', state, -1, {}}
end

if cursor == '@' then
  cursor = skip_some()
else
  cursor = pass_on(step, outcome, cursor)
  if cursor == '' and state == 'cancelling' and redis.call('ZCARD', HELD) > 0 then
    cursor = '@'
  end
end
if cursor == '' then finish() end
return {cursor, state, first, outs}
