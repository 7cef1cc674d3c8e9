#!lua flags=allow-oom
-- Shows an in-flight list. Tasks that have no bytes at all go to the dead list on
-- the way; what stands in the place of a withdrawn one is dropped.
--
-- KEYS  1 in-flight list   2 dead list (zset)   3 dead tasks (hash)
--       4 dead info (hash)   5 how many withdrawn ones lie among the waiting
-- ARGV  1 bytes of the largest task to hand out   2 worker id, as JSON
--       3 what stands in the place of a task that was withdrawn
--       4 bytes from either end of a larger one
-- Returns the tasks, newest first: in place of those that are gone '', in place
-- of a larger one its ends and its length, in an array. An end of what is not
-- twice as long is half of it.

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('GET', KEYS[5])
local tasks = redis.call('LRANGE', KEYS[1], 0, -1)
local largest, ends = tonumber(ARGV[1]), tonumber(ARGV[4])
for i, task in ipairs(tasks) do
  if task == ARGV[3] then
    redis.call('LREM', KEYS[1], -1, task)
    if redis.call('DECR', KEYS[5]) <= 0 then redis.call('DEL', KEYS[5]) end
    tasks[i] = ''
  elseif #task > largest then
    local size = math.min(ends, math.floor(#task / 2))
    tasks[i] = { string.sub(task, 1, size) .. string.sub(task, -size), #task }
  elseif #task == 0 then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local member, n = redis.sha1hex('') .. '-' .. now, 0
    while redis.call('ZSCORE', KEYS[2], member .. '-' .. n) do n = n + 1 end
    member = member .. '-' .. n
    redis.call('HSET', KEYS[3], member, task)
    redis.call('HSET', KEYS[4], member,
      '{"reason":"malformed","error":"the task is empty","worker":' .. ARGV[2] .. '}')
    redis.call('ZADD', KEYS[2], now, member)
    redis.call('LREM', KEYS[1], -1, task)
  end
end
return tasks
