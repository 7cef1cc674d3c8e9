#!lua flags=allow-oom
-- Whether a worker does the housekeeping: one does, until it says nothing for a
-- while.
--
-- KEYS  1 who does it
-- ARGV  1 the worker's id   2 seconds until another may
-- Returns 1 or 0.

-- A key of another type is nobody's, and is replaced.
local who = redis.pcall('GET', KEYS[1])
if type(who) == 'string' and who ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
