#!lua flags=allow-oom
-- Forgets what no worker has registered for long. Of what was registered by an
-- older worker, which did not say when, the time begins now.
--
-- KEYS  1 registry (hash)   2 when each was registered last (zset, ms)
-- ARGV  1 ms that each may stay   2 how many to deal with at most
--       3 where to go on with those that have no time
-- Returns where to go on, 0: nowhere.

-- What has the wrong type fails here, before anything has changed.
local size = redis.call('HLEN', KEYS[1])
local dated = redis.call('ZCARD', KEYS[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf',
  string.format('%.0f', now - ARGV[1]), 'LIMIT', 0, ARGV[2])
for _, name in ipairs(old) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
-- Not more names than dates: all have one.
if ARGV[3] == '0' and size <= dated then return '0' end

-- Few at once, since what was registered is read with its name, whatever its size; each
-- costs some 20 µs.
local cursor, left, bytes = ARGV[3], math.min(ARGV[2], 100), 262144
repeat
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', 10)
  cursor = page[1]
  for i = 1, #page[2], 2 do
    redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now), page[2][i])
    left, bytes = left - 1, bytes - #page[2][i] - #page[2][i + 1]
  end
until cursor == '0' or left <= 0 or bytes <= 0
return cursor
