-- Counts what waits in levels of a queue that has many, a stretch a call.
--
-- KEYS  1 levels (zset)   2 … lists of the levels of this stretch
-- ARGV  1 the last level of it
-- Returns {tasks in these lists}, and then the levels of the next stretch.

local waiting = 0
for i = 2, #KEYS do waiting = waiting + redis.call('LLEN', KEYS[i]) end
return {waiting, unpack(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf',
  'LIMIT', 0, 256))}
