#!lua flags=allow-oom
-- Says that a worker lives. A full server refuses SET, and a worker that drains
-- it must not seem dead.
--
-- KEYS  1 the worker's key
-- ARGV  1 its description   2 seconds that this is good for

return redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
