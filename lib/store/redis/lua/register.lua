#!lua flags=allow-oom
-- Notes that workers have registered tasks: by the server's clock, since those of
-- their machines may be wrong by years.
--
-- KEYS  1 when each was registered last (zset, ms)
-- ARGV  names of tasks
-- Returns 1.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
for _, name in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, name) end
return 1
