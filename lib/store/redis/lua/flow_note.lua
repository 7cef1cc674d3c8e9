#!lua flags=allow-oom
-- Notes in the lists of workflows when one is to be looked at, or strikes it off.
--
-- KEYS  1 by when they are to be looked at (zset)   2 by when they were begun (zset)
-- ARGV  1 '1': it is new; '0': it is not; '-': it is gone
--       then for each: its ID, ms from now (of one that is gone, nothing)
-- Returns 1.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])
for i = 2, #ARGV, 2 do
  if ARGV[1] == '-' then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  else
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[i + 1]), ARGV[i])
    if ARGV[1] == '1' then
      redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now), ARGV[i])
    end
  end
end
return 1
