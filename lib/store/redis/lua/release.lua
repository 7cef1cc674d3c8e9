#!lua flags=allow-oom
-- Puts a claimed task back into its queue, in the same or another form.
--
-- KEYS  1 in-flight list   2 the list of its priority   3 levels (zset)
--       4 delayed (zset)
--       5 limits (hash)   6 running (hash)   7 index of held tasks (zset)
--       8 ready (zset)   9 counting (hash)   10 idle workers (zset)
-- ARGV  1 the task as claimed   2 the task as it goes back
--       3 delay in ms; 0: first in its queue   4 priority
--       5 control channel       6 the wake order for this queue
--       7 the worker's id, or '': the claim was not counted
-- Returns 1, or 0 when the task is not in flight (it went back before).

local LIMITS, RUNNING, INDEX, READY, COUNTING, IDLERS = unpack(KEYS, 5, 10)

-- include limits
-- include apart
-- include wake

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('HLEN', RUNNING)
redis.call('ZCARD', IDLERS)
redis.call('ZCARD', READY)
if not redis.call('LPOS', KEYS[1], ARGV[1], 'RANK', -1) then return 0 end
local for_all = ARGV[3] ~= '0' or ARGV[4] ~= '0'
if ARGV[3] ~= '0' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[4], string.format('%.0f', now + tonumber(ARGV[3])),
    apart(ARGV[2], KEYS[4], time))
else
  if ARGV[4] ~= '0' then redis.call('ZADD', KEYS[3], ARGV[4], ARGV[4]) end
  redis.call('RPUSH', KEYS[2], ARGV[2])
end
leave(KEYS[1], -1, ARGV[1], ARGV[7])
local freed = discharge({ARGV[1]}, ARGV[7])
if for_all then
  redis.pcall('PUBLISH', ARGV[5], ARGV[6])
elseif freed then
  wake(ARGV[5], ARGV[6])
end
return 1
