#!lua flags=allow-oom
-- A worker that was woken has no room any more: another one that waits is woken, and
-- is told of new tasks from then on.
--
-- KEYS  1 idle workers (zset)   2 who is told of new tasks
-- ARGV  1 the worker's id   2 control channel   3 the wake order for this queue
-- Returns nothing.

local IDLERS = KEYS[1]

-- include wake

redis.call('ZREM', IDLERS, ARGV[1])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
wake_one(ARGV[2], ARGV[3])
