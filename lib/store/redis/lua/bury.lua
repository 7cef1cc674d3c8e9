#!lua flags=allow-oom
-- Moves a claimed task to the dead list, its bytes as they are.
--
-- KEYS  1 in-flight list   2 dead list (zset)   3 dead tasks (hash)
--       4 dead info (hash)
-- ARGV  1 the task as claimed; of one that is too large, both ends of it
--       2 its id, empty if it has none   3 why: a JSON object
--       4 '1' if an entry that has the id must stay
--       5 the length of a task that is too large, else 0
-- Returns 1, or 0 when the task is not in flight (it was buried before).

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
local task, whole = ARGV[1], tonumber(ARGV[5])
if whole > 0 then
  local half, found = #task / 2, nil
  for _, other in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if #other == whole and string.sub(other, 1, half) .. string.sub(other, -half) == task then
      found = other
    end
  end
  if not found then return 0 end
  task = found
end
if not redis.call('LPOS', KEYS[1], task, 'RANK', -1) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local member = ARGV[2]
if member == '' or (ARGV[4] == '1' and redis.call('ZSCORE', KEYS[2], member)) then
  local base, n = redis.sha1hex(ARGV[1]) .. '-' .. now, 0
  while redis.call('ZSCORE', KEYS[2], base .. '-' .. n) do n = n + 1 end
  member = base .. '-' .. n
end
redis.call('HSET', KEYS[3], member, task)
redis.call('HSET', KEYS[4], member, ARGV[3])
redis.call('ZADD', KEYS[2], now, member)
redis.call('LREM', KEYS[1], -1, task)
return 1
