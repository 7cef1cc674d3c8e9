-- Sets a rule of a queue's limits, or removes it. Counts the tasks in flight
-- again, and reconsiders those that are held.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 times of rates (zset)
--       4 scopes that wait for their rate (zset)
-- ARGV  1 control channel   2 the wake order for this queue
--       3 the rule's scope  4 the rule, JSON; empty: it goes
--       5 where a task's group stands: '': that stays as it is; '-': only in its
--       field
--       6 how many rules there may be
-- Returns 1, or 0 if a rule that was to go is not there, or -1 if there are too
-- many.

-- What has the wrong type fails here, before anything has changed.
redis.call('HLEN', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
local changed = 1
if ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[1], ARGV[3]) == 0 and
  redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'by') >=
  tonumber(ARGV[6]) then return -1 end
if ARGV[4] == '' then
  changed = redis.call('HDEL', KEYS[1], ARGV[3])
else
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
end
if ARGV[5] == '-' then
  redis.call('HDEL', KEYS[1], 'by')
elseif ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'by', ARGV[5])
end
-- A path says nothing when no rule is left.
if redis.call('HLEN', KEYS[1]) == redis.call('HEXISTS', KEYS[1], 'by') then
  redis.call('DEL', KEYS[1])
end
redis.call('UNLINK', KEYS[2], KEYS[4])
redis.call('ZREM', KEYS[3], ARGV[3])
redis.pcall('PUBLISH', ARGV[1], ARGV[2])
return changed
