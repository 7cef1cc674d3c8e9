#!lua flags=allow-oom
-- Notes who a worker is, or that it begins again (fence.h). A full server refuses
-- SET and INCR, and a worker that drains it would not know its claims for its own.
--
-- KEYS  1 a mark, or an epoch
-- ARGV  1 seconds that it lives   2 the mark; '' raises the epoch
-- Returns 1.

if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1])
else
  redis.call('INCR', KEYS[1])
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return 1
