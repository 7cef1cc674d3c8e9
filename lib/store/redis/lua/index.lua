#!lua flags=allow-oom
-- Notes which tasks have ended, where a full server refuses to LPUSH and
-- HINCRBY. For Redis 7 and later.
--
-- KEYS  1 list of ids, the newest first   2 totals (hash)
-- ARGV  1 field of the totals   2 most ids that the list may have
--       then the ids

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[1])
redis.call('HLEN', KEYS[2])
local ids = {unpack(ARGV, 3)}
redis.call('LPUSH', KEYS[1], unpack(ids))
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('HINCRBY', KEYS[2], ARGV[1], #ids)
