#!lua flags=allow-oom
-- Tells which workflows are to be looked at; nobody else is told for a while.
--
-- KEYS  1 by when they are to be looked at (zset)
-- ARGV  1 how many   2 that while, in ms
-- Returns their IDs.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now),
  'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), id)
end
return ids
