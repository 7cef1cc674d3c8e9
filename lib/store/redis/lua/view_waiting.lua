-- Shows waiting tasks: the level that runs last first, the newest first.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)
--       3 … lists of the levels
-- ARGV  1 the level to begin with, empty for the first   2 tasks to leave out
--       there   3 how many at most   4 bytes in all, about, at most
--       5 what stands in the place of a task that was withdrawn
-- Returns {the level and the tasks to leave out for the next page, an empty
-- level if that was all}, and then of each task its level and its bytes.
-- Where a list is not in KEYS, returns a list of the levels in a list.

local from, want, budget = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local page, levels, plain = {'', 0}, {}, false

local lists = {}
for i = 3, #KEYS do
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
lists['0'] = KEYS[1]
local known = redis.call('ZREVRANGE', KEYS[2], 0, -1)
for _, level in ipairs(known) do
  if not lists[level] then return {known} end
end
for _, level in ipairs(known) do
  if tonumber(level) < 0 and not plain then
    levels[#levels + 1] = '0'
    plain = true
  end
  levels[#levels + 1] = level
end
if not plain then levels[#levels + 1] = '0' end

-- Few at first, since their size is not known. Returns where it stopped, or nil
-- at the end of the list.
local function read(level, start)
  local list, step = lists[level], 20
  while want > 0 and budget > 0 do
    local count = math.min(step, want)
    local tasks = redis.call('LRANGE', list, start, start + count - 1)
    for _, task in ipairs(tasks) do
      budget = budget - #task
      if task ~= ARGV[5] then
        page[#page + 1] = level
        page[#page + 1] = task
      end
    end
    start, want, step = start + #tasks, want - #tasks, 100
    if #tasks < count then return nil end
  end
  return start
end

for _, level in ipairs(levels) do
  if not from or tonumber(level) <= from then
    local stopped = read(level, tonumber(level) == from and tonumber(ARGV[2]) or 0)
    if stopped then
      page[1], page[2] = level, stopped
      break
    end
  end
end
return page
