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
local page, levels, plain, withdrawn = {'', 0}, {}, false, ARGV[5]
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

-- include reach
-- include view_list

for _, level in ipairs(levels) do
  if not from or tonumber(level) <= from then
    if level == following then
      page[1] = level
      break
    end
    local start = tonumber(level) == from and tonumber(ARGV[2]) or 0
    local stopped = view_list(lists[level], level, start, 100)
    if stopped then
      page[1], page[2] = level, stopped
      break
    end
  end
end
return page
