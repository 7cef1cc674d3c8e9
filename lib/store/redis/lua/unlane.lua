#!lua flags=allow-oom
-- Puts tasks of a lane that no living worker can run among the delayed, as due
-- at once and in their order: those who promote know all lists of the queue.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)   3 served (zset)   4 delayed (zset)
-- ARGV  1 the lane's name   2 how many at most
-- Returns 1 if more can follow at once, else 0.

-- What has the wrong type fails here, before anything has changed.
local most = tonumber(ARGV[2])
local tasks = redis.call('ZRANGE', KEYS[1], 0, most - 1)
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moved = 0

if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1]) or 0) > now then return 0 end
for i, member in ipairs(tasks) do
  local task = string.sub(member, 17)
  -- The same bytes twice are two tasks: the second one follows later.
  if not redis.call('ZSCORE', KEYS[4], task) then
    redis.call('ZADD', KEYS[4], string.format('%.3f', now - 1 + i / 1000), task)
    redis.call('ZREM', KEYS[1], member)
    moved = moved + 1
  end
end
local left = redis.call('ZCARD', KEYS[1])
if left > 0 then
  redis.call('ZADD', KEYS[2], left, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
-- If none could go, the same call would end the same way.
return moved > 0 and #tasks == most and 1 or 0
