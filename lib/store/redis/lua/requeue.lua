#!lua flags=allow-oom
-- Takes tasks out of the dead list, and puts others into the queue instead.
--
-- KEYS  1 dead (zset)   2 dead tasks (hash)   3 dead info (hash)
--       4 queue (list)  5 levels (zset)
-- ARGV  1 control channel   2 the wake order for this queue
--       then for each task: its name in the dead list, the task that is put
--       into the queue (empty: none), priority
-- Returns for each 1, or 0 when it is not in the dead list.

local answers, wake = {}, false

for i = 3, #ARGV, 3 do
  local member, again, level = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local found = redis.call('ZREM', KEYS[1], member)
  if found == 1 then
    redis.call('HDEL', KEYS[2], member)
    redis.call('HDEL', KEYS[3], member)
    if again ~= '' and level ~= '0' then
      redis.call('LPUSH', '{' .. KEYS[4] .. '}:p:' .. level, again)
      redis.call('ZADD', KEYS[5], level, level)
      wake = true
    elseif again ~= '' then
      redis.call('LPUSH', KEYS[4], again)
    end
  end
  answers[#answers + 1] = found
end
if wake then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return answers
