#!lua flags=allow-oom
-- Takes a claimed task away from a worker that cannot run it: into the lane of
-- its name, if a living worker of the queue has registered that; else among the
-- delayed, so that it is tried again, also by workers of other programs. There it
-- goes, too, if there are 256 lanes: each claim reads all of their names.
--
-- KEYS  1 in-flight list   2 the lane (zset)   3 lanes (zset)   4 served (zset)
--       5 delayed (zset)   6 unknown (zset)
--       7 limits (hash)    8 running (hash)   9 index of held tasks (zset)
--       10 ready (zset)   11 counting (hash)   12 idle workers (zset)
-- ARGV  1 the task as claimed   2 the task as it is delayed   3 for how long, ms
--       4 priority   5 the task's name
--       6 control channel       7 the wake order for this queue
--       8 the worker's id
-- Returns 1, or 0 when the task is not in flight (it went before).

local LIMITS, RUNNING, INDEX, READY, COUNTING, IDLERS = unpack(KEYS, 7, 12)

-- include limits

-- Names that are kept for those who ask what is wrong, and for how long: twice
-- the longest delay.
local UNKNOWN_MAX, UNKNOWN_MS = 100, 600000
local LANES_MAX = 256

-- include apart
-- include wake

-- What has the wrong type fails here, before anything has changed.
local length = redis.call('ZCARD', KEYS[2])
local lanes = redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[5])
redis.call('ZCARD', KEYS[6])
redis.call('HLEN', RUNNING)
redis.call('ZCARD', IDLERS)
redis.call('ZCARD', READY)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local served = tonumber(redis.call('ZSCORE', KEYS[4], ARGV[5]) or 0) > now
if not redis.call('LPOS', KEYS[1], ARGV[1], 'RANK', -1) then return 0 end
local for_all = true

if served and (length > 0 or lanes < LANES_MAX) then
  -- A lane has the order of priorities, and in each that of arrival.
  local number = time[1] * 1000000 + time[2]
  local member
  repeat
    member = string.format('%016.0f', number) .. ARGV[1]
    number = number + 1
  until not redis.call('ZSCORE', KEYS[2], member)
  redis.call('ZADD', KEYS[3], length + 1, ARGV[5])
  redis.call('ZADD', KEYS[2], ARGV[4], member)
  -- Who can run them, and has room, has emptied the lane before this one.
  for_all = length == 0
else
  redis.call('ZADD', KEYS[5], string.format('%.0f', now + tonumber(ARGV[3])),
    apart(ARGV[2], KEYS[5], time))
end
if not served then
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - UNKNOWN_MS)
  redis.call('ZADD', KEYS[6], now, ARGV[5])
  redis.call('EXPIRE', KEYS[6], UNKNOWN_MS / 1000)
  local more = redis.call('ZRANGE', KEYS[6], 0, -UNKNOWN_MAX - 1)
  if #more > 0 then redis.call('ZREM', KEYS[6], unpack(more)) end
end
leave(KEYS[1], -1, ARGV[1], ARGV[8])
local freed = discharge({ARGV[1]}, ARGV[8])
if for_all then
  redis.pcall('PUBLISH', ARGV[6], ARGV[7])
elseif freed then
  wake(ARGV[6], ARGV[7])
end
return 1
