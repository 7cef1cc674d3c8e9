-- Shows waiting tasks: the level that runs last first, the newest first.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)
--       3 … lists of the levels
-- ARGV  1 the level to begin with, empty for the first   2 tasks to leave out
--       there   3 how many at most   4 bytes in all, about, at most
--       5 what stands in the place of a task that was withdrawn
-- Returns {the level and the tasks to leave out for the next page, an empty
-- level if that was all}, and then of each task its level and its bytes.
-- Looks into 64 levels a call, so that the page may be empty. Where a list of one
-- of them is not in KEYS, returns a list of these levels in a list.

local from, want, budget = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local page, levels, plain = {'', 0}, {}, false
local WINDOW = 64

local lists = {}
for i = 3, #KEYS do
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
lists['0'] = KEYS[1]
-- One more tells where the next page begins.
local known = redis.call('ZRANGE', KEYS[2], from or '+inf', '-inf', 'BYSCORE', 'REV',
  'LIMIT', 0, WINDOW + 1)
local following = known[WINDOW + 1]
for _, level in ipairs(known) do
  if not lists[level] and (level ~= following or not tonumber(level)) then
    return {{unpack(known, 1, WINDOW)}}
  end
  if tonumber(level) < 0 and not plain then
    levels[#levels + 1] = '0'
    plain = true
  end
  levels[#levels + 1] = level
end
if not plain then levels[#levels + 1] = '0' end

-- How many to read at once, since what is read is copied, whatever its size: as
-- many as fit if they are like those before, and like the last of them.
local step, seen, size = 1, 0, 0
local function reach(list, start)
  local count = math.min(step, want, 1 + math.floor(budget * seen / math.max(size, 1)))
  while count > 1 do
    local last = redis.call('LINDEX', list, start + count - 1) or
      redis.call('LINDEX', list, -1) or ''
    if #last * count <= budget then break end
    budget = budget - #last
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, 100)
  return count
end

-- Returns where it stopped, or nil at the end of the list.
local function read(level, start)
  local list = lists[level]
  while want > 0 and budget > 0 do
    local count = reach(list, start)
    local tasks = redis.call('LRANGE', list, start, start + count - 1)
    for _, task in ipairs(tasks) do
      budget, seen, size = budget - #task, seen + 1, size + #task
      if task ~= ARGV[5] then
        page[#page + 1] = level
        page[#page + 1] = task
      end
    end
    start, want = start + #tasks, want - #tasks
    if #tasks < count then return nil end
  end
  return start
end

for _, level in ipairs(levels) do
  if not from or tonumber(level) <= from then
    if level == following then
      page[1] = level
      break
    end
    local stopped = read(level, tonumber(level) == from and tonumber(ARGV[2]) or 0)
    if stopped then
      page[1], page[2] = level, stopped
      break
    end
  end
end
return page
