-- Says who can run a task in a queue.
--
-- KEYS  1 served (zset)
-- ARGV  1 the task's name
-- Returns 'known', 'unknown' if there are workers that cannot, or ''.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) > now then return 'known' end
local any = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, 1)
return any[1] and 'unknown' or ''
