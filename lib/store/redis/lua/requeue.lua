#!lua flags=allow-oom
-- Takes tasks out of the dead list, and puts others into the queue instead.
--
-- KEYS  1 dead (zset)   2 dead tasks (hash)   3 dead info (hash)
--       4 queue (list)  5 levels (zset)       6 … lists of levels
-- ARGV  1 control channel   2 the wake order for this queue
--       then for each task: its name in the dead list, the task that is put
--       into the queue (empty: none), priority, which of the KEYS it goes to
-- Returns for each 1, or 0 when it is not in the dead list.

local answers, wake = {}, false

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('ZCARD', KEYS[5])
redis.call('LLEN', KEYS[4])
for i = 6, #KEYS do redis.call('LLEN', KEYS[i]) end

for i = 3, #ARGV, 4 do
  local member, again, level = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local found = redis.call('ZSCORE', KEYS[1], member) and 1 or 0
  if found == 1 and again ~= '' then
    if level ~= '0' then
      redis.call('ZADD', KEYS[5], level, level)
      wake = true
    end
    redis.call('LPUSH', KEYS[tonumber(ARGV[i + 3])], again)
  end
  if found == 1 then
    redis.call('ZREM', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
    redis.call('HDEL', KEYS[3], member)
  end
  answers[#answers + 1] = found
end
if wake then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end
return answers
