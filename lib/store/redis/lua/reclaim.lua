#!lua flags=allow-oom
-- Puts claims back on record that a server does not know of: they came after what
-- it has of the data of the one before. What it has lies where it was before the
-- claim.
--
-- KEYS  1 queue (list)   2 levels (zset)   3 delayed (zset)   4 lanes (zset)
--       5 running (hash): what is put back makes its counts wrong
--       6 … the parts of the worker's in-flight list, then lists of levels, and
--       lanes of tasks that it can run
-- ARGV  1 until when this may be done, in ms of the server's clock
--       2 how many of KEYS are parts
--       3 how many tasks of each list to look at, at most
--       4 '1': not all levels are known, and it is done all the same; or '0'
--       then for each task:  its part, '1' if it is to be there though it waits
--       nowhere, or '0' (its end was sent, and may have come), the task
-- Returns {how many were put back, and those of them that were nowhere}: another
-- worker may have had them before. Where a list was needed that is not in KEYS, all
-- there is in the answer is a list of the levels, and nothing was done.

local n_parts, depth = tonumber(ARGV[2]), tonumber(ARGV[3])
local want, budget = math.huge, 16 * 1024 * 1024
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then return {0} end

-- What has the wrong type fails here, before anything has changed.
local lists, lanes, known = {KEYS[1]}, {}, {}
redis.call('LLEN', KEYS[1])
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('HLEN', KEYS[5])
for i = 6, #KEYS do
  local level = string.match(KEYS[i], ':p:(-?%d+)$')
  if i <= 5 + n_parts then
    redis.call('LLEN', KEYS[i])
  elseif level then
    redis.call('LLEN', KEYS[i])
    lists[#lists + 1], known[level] = KEYS[i], true
  else
    redis.call('ZCARD', KEYS[i])
    lanes[#lanes + 1] = KEYS[i]
  end
end
local levels = redis.call('ZRANGE', KEYS[2], 0, -1)
for _, level in ipairs(levels) do
  if not known[level] and ARGV[4] ~= '1' then return {levels} end
end

-- Those that are not on record. Two may be the same, byte for byte.
local awaited, left, seen, back, nowhere = {}, 0, {}, 0, {}
for i = 5, #ARGV, 3 do
  local part, task = KEYS[5 + tonumber(ARGV[i])], ARGV[i + 2]
  local name = ARGV[i] .. '/' .. task
  seen[name] = (seen[name] or 0) + 1
  if not redis.call('LPOS', part, task, 'RANK', seen[name]) then
    awaited[task] = awaited[task] or {}
    table.insert(awaited[task], {part = part, surely = ARGV[i + 1] == '1'})
    left = left + 1
  end
end

-- Takes one of those that are like `task`, if there is one.
local function take(task)
  local claims = awaited[task]
  if not claims or #claims == 0 then return false end
  redis.call('LPUSH', table.remove(claims).part, task)
  left, back = left - 1, back + 1
  return true
end

-- It may have been in another part, and gone back, and come again.
for task in pairs(awaited) do
  for i = 1, n_parts do
    local rank = (seen[i .. '/' .. task] or 0) + 1
    while redis.call('LPOS', KEYS[5 + i], task, 'RANK', rank) and take(task) do
      redis.call('LREM', KEYS[5 + i], 1, task)
    end
  end
end

-- include reach

-- From the end that is claimed first: a claim that was lost came lately.
for _, list in ipairs(lists) do
  local at = 0
  local function look(i)
    return redis.call('LINDEX', list, i < 0 and 0 or -at - 1 - i)
  end
  while left > 0 and at < depth and budget > 0 do
    local count = reach(256, look)
    local tasks = redis.call('LRANGE', list, -at - count, -at - 1)
    local taken = 0
    for i = #tasks, 1, -1 do
      spend(#tasks[i])
      if take(tasks[i]) then
        redis.call('LREM', list, -1, tasks[i])
        taken = taken + 1
      end
    end
    if #tasks < count then break end
    at = at + #tasks - taken
  end
end

for task in pairs(awaited) do
  if redis.call('ZSCORE', KEYS[3], task) and take(task) then
    redis.call('ZREM', KEYS[3], task)
  end
end

for _, lane in ipairs(lanes) do
  local before = left
  local members = left > 0 and redis.call('ZRANGE', lane, 0, depth) or {}
  for _, member in ipairs(members) do
    if take(string.sub(member, 17)) then redis.call('ZREM', lane, member) end
  end
  if left < before then
    local name = string.match(lane, ':lane:([^:]*)$')
    local n = redis.call('ZCARD', lane)
    if n > 0 then
      redis.call('ZADD', KEYS[4], n, name)
    else
      redis.call('ZREM', KEYS[4], name)
    end
  end
end

-- They were submitted, and claimed, after what the server has; or are only here.
for task, claims in pairs(awaited) do
  for _, claim in ipairs(claims) do
    if claim.surely then
      redis.call('LPUSH', claim.part, task)
      back = back + 1
      nowhere[#nowhere + 1] = task
    end
  end
end
if back > 0 then redis.call('UNLINK', KEYS[5]) end
return {back, unpack(nowhere)}
