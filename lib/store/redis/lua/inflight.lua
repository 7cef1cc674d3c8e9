#!lua flags=allow-oom
-- Shows a stretch of an in-flight list, the oldest first. Tasks that have no
-- bytes at all go to the dead list on the way; what stands in the place of a
-- withdrawn one is dropped.
--
-- KEYS  1 in-flight list   2 dead list (zset)   3 dead tasks (hash)
--       4 dead info (hash)   5 how many withdrawn ones lie among the waiting
--       6 running (hash): what is dropped here makes its counts wrong
-- ARGV  1 bytes of the largest task to hand out   2 worker id, as JSON
--       3 what stands in the place of a task that was withdrawn
--       4 bytes from either end of a larger one
--       5 bytes in all, about, at most
--       6 how many of the oldest to leave out   7 how the last of them begins
-- Returns {1 if there are more, or 0, or -1 if another one is there than the last
-- that was left out}, and then the tasks: in place of a larger one its ends and
-- its length, in an array. An end of what is not twice as long is half of it.

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('GET', KEYS[5])
redis.call('HLEN', KEYS[6])

local largest, ends, budget = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local passed, page, want = tonumber(ARGV[6]), {0}, math.huge

local function bury_empty()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local member, n = redis.sha1hex('') .. '-' .. now, 0
  while redis.call('ZSCORE', KEYS[2], member .. '-' .. n) do n = n + 1 end
  member = member .. '-' .. n
  redis.call('HSET', KEYS[3], member, '')
  redis.call('HSET', KEYS[4], member,
    '{"reason":"malformed","error":"the task is empty","worker":' .. ARGV[2] .. '}')
  redis.call('ZADD', KEYS[2], now, member)
end

local function drop_counted(task)
  redis.call('LREM', KEYS[1], -1, task)
  redis.call('UNLINK', KEYS[6])
end

-- Whether the task goes out of the list. Of those that are equal, all older ones
-- have gone already.
local function drop(task)
  if task == ARGV[3] then
    drop_counted(task)
    if redis.call('DECR', KEYS[5]) <= 0 then redis.call('DEL', KEYS[5]) end
  elseif task == '' then
    bury_empty()
    drop_counted(task)
  else
    return false
  end
  return true
end

local function show(task)
  if #task <= largest then return task end
  local size = math.min(ends, math.floor(#task / 2))
  return { string.sub(task, 1, size) .. string.sub(task, -size), #task }
end

if passed > 0 then
  local last = redis.call('LRANGE', KEYS[1], -passed, -passed)[1]
  if not last or string.sub(last, 1, #ARGV[7]) ~= ARGV[7] then return {-1} end
end

-- include reach

local function look(i)
  return redis.call('LINDEX', KEYS[1], i < 0 and 0 or -passed - 1 - i)
end

while budget > 0 do
  local count = reach(256, look)
  local tasks = redis.call('LRANGE', KEYS[1], -passed - count, -passed - 1)
  for i = #tasks, 1, -1 do
    spend(#tasks[i])
    if not drop(tasks[i]) then
      passed = passed + 1
      page[#page + 1] = show(tasks[i])
    end
  end
  if #tasks < count then return page end
end
page[1] = 1
return page
