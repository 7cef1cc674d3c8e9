#!lua flags=allow-oom
-- Forgets what no worker has registered for long. Of what was registered by an
-- older worker, which did not say when, the time begins now.
--
-- KEYS  1 registry (hash)   2 when each was registered last (zset, ms)
-- ARGV  1 ms that each may stay   2 how many to deal with at most
-- Returns how many were forgotten.

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
-- More names than dates: some have none.
if size > dated then
  local left = tonumber(ARGV[2])
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if left > 0 and not redis.call('ZSCORE', KEYS[2], name) then
      redis.call('ZADD', KEYS[2], string.format('%.0f', now), name)
      left = left - 1
    end
  end
end
return #old
