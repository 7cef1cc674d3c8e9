#!lua flags=allow-oom
-- Takes waiting and delayed tasks out of a queue, for good.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 delayed (zset)
--       4 how many withdrawn ones lie among the waiting
--       5 … lists of the levels
-- ARGV  1 how many at most   2 bytes in all, about, at most
--       3 what stands in the place of a task that was withdrawn
-- Returns {1 if there may be more}, and then the tasks. Where a list is not in
-- KEYS, returns a list of the levels in a list, and nothing was done.

local want, budget = tonumber(ARGV[1]), tonumber(ARGV[2])
local page, lists = {0}, {}

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[1])
redis.call('ZCARD', KEYS[3])
redis.call('GET', KEYS[4])
for i = 5, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
local levels = redis.call('ZRANGE', KEYS[2], 0, -1)
for _, level in ipairs(levels) do
  if not lists[level] then return {levels} end
end

local function take(task)
  budget = budget - #task
  if task ~= ARGV[3] then
    page[#page + 1] = task
    want = want - 1
  elseif redis.call('DECR', KEYS[4]) <= 0 then
    redis.call('DEL', KEYS[4])
  end
end

-- Returns whether the list is empty now.
local function empty(list)
  while want > 0 and budget > 0 do
    local count = math.min(want, 64)
    local tasks = redis.call('RPOP', list, count) or {}
    for _, task in ipairs(tasks) do take(task) end
    if #tasks < count then return true end
  end
  return false
end

for _, level in ipairs(levels) do
  if empty(lists[level]) then
    redis.call('ZREM', KEYS[2], level)
  end
end
empty(KEYS[1])
while want > 0 and budget > 0 do
  local found = redis.call('ZPOPMIN', KEYS[3], math.min(want, 64))
  if #found == 0 then return page end
  for i = 1, #found, 2 do take(found[i]) end
end
page[1] = 1
return page
