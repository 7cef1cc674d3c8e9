#!lua flags=allow-oom
-- Takes waiting and delayed tasks out of a queue, for good.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 delayed (zset)
--       4 how many withdrawn ones lie among the waiting
--       5 keys of unique tasks (hash)   6 … lists of the levels
-- ARGV  1 how many at most   2 bytes in all, about, at most
--       3 what stands in the place of a task that was withdrawn
-- Returns {1 if there may be more}, and then the tasks. Looks into 64 levels a
-- call. Where no task was found and a list is not in KEYS, returns a list of these
-- levels in a list.

local want, budget = tonumber(ARGV[1]), tonumber(ARGV[2])
local page, lists, unknown = {0}, {}, false
local WINDOW = 64

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[1])
redis.call('ZCARD', KEYS[3])
redis.call('GET', KEYS[4])
local UNIQUES = KEYS[5]
local has_uniques = redis.call('HLEN', UNIQUES) > 0
for i = 6, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
local levels = redis.call('ZRANGE', KEYS[2], 0, WINDOW - 1)

-- include reach
-- include unique

local function take(task)
  spend(#task)
  if task ~= ARGV[3] then
    page[#page + 1] = task
    want = want - 1
    free_unique(task)
  elseif redis.call('DECR', KEYS[4]) <= 0 then
    redis.call('DEL', KEYS[4])
  end
end

-- Returns whether the list is empty now.
local function empty(list)
  while want > 0 and budget > 0 do
    local count = reach(64, function(i) return redis.call('LINDEX', list, -1 - i) end)
    local tasks = redis.call('RPOP', list, count) or {}
    for _, task in ipairs(tasks) do take(task) end
    if #tasks < count then return true end
  end
  return false
end

for _, level in ipairs(levels) do
  if not lists[level] then
    unknown = true
  elseif empty(lists[level]) then
    redis.call('ZREM', KEYS[2], level)
  end
end
if unknown and #page == 1 then return {levels} end
if unknown or #levels == WINDOW then
  page[1] = 1
  return page
end
empty(KEYS[1])
while want > 0 and budget > 0 do
  local found = redis.call('ZPOPMIN', KEYS[3], reach(64, function(i)
    return redis.call('ZRANGE', KEYS[3], i, i)[1]
  end))
  if #found == 0 then return page end
  for i = 1, #found, 2 do take(found[i]) end
end
page[1] = 1
return page
