#!lua flags=allow-oom
-- Puts tasks into the dead list, as another one had them.
--
-- KEYS  1 dead (zset)   2 dead tasks (hash)   3 dead info (hash)
-- ARGV  for each task: its name in the dead list, the task, why it died (JSON), when
--       (ms)
-- Returns for each 1, or 0 when the list has that name already: then it stays as it
-- is.

local answers = {}

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])

for i = 1, #ARGV, 4 do
  local member = ARGV[i]
  local found = redis.call('ZSCORE', KEYS[1], member)
  if not found then
    redis.call('HSET', KEYS[2], member, ARGV[i + 1])
    redis.call('HSET', KEYS[3], member, ARGV[i + 2])
    redis.call('ZADD', KEYS[1], ARGV[i + 3], member)
  end
  answers[#answers + 1] = found and 0 or 1
end
return answers
