#!lua flags=allow-oom
-- Stores a record that a full server refuses to SET: without it, the tasks of
-- a full server could not be drained. For Redis 7 and later.
--
-- KEYS  1 the record's key
-- ARGV  1 the record   2 seconds that it lives, 0 for ever

if ARGV[2] == '0' then return redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
