#!lua flags=allow-oom
-- Moves due tasks from the delayed set to their queue, a hundred or some bytes a
-- call. A score of that set is the time, by the server's clock, at which a task is
-- due, in ms since 1970.
--
-- KEYS  1 delayed (zset)   2 queue (list)   3 levels (zset)
--       4 … lists of the levels that the worker knows
-- ARGV  1 control channel  2 the wake order for this queue
--       3 bytes in all, about, at most
-- Returns {how many were moved, ms until the next is due, or -1 for none,
-- levels whose lists are not in KEYS}. Their tasks stay where they are.

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
local lists = {}
for i = 4, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
lists['0'] = KEYS[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local want, budget = 100, tonumber(ARGV[3])
local moved, lacking, wake = 0, {}, false

-- include member

-- Arguments come first in nearly all tasks: mostly the end tells. That takes several
-- times as long as to read it.
local function priority_of(task)
  budget = budget - 4 * math.min(#task, END)
  local priority = member_by_ends(task, 'priority')
  if priority or #task > LARGE then return priority end
  budget = budget - 10 * #task
  local fields = decode(task)
  return fields and fields['priority']
end

local function level_of(task)
  local priority = tonumber(priority_of(task)) or 0
  if priority == math.floor(priority) and math.abs(priority) < 2147483648 then
    return string.format('%d', priority)
  end
  return '0'
end

local function promote(task)
  local level = level_of(task)
  local list = lists[level]
  if not list then
    lacking[#lacking + 1] = level
    return
  end
  if level ~= '0' then
    redis.call('ZADD', KEYS[3], level, level)
    wake = true
  end
  redis.call('LPUSH', list, task)
  redis.call('ZREM', KEYS[1], task)
  moved = moved + 1
end

local function get(first, n)
  return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', first, n)
end

-- include reach

local function look(i) return i >= 0 and get(#lacking + i, 1)[1] end

while want > 0 and budget > 0 do
  local count = reach(100, look)
  local due = get(#lacking, count)
  for _, task in ipairs(due) do
    promote(task)
    spend(#task)
    want = want - 1
  end
  if #due < count then break end
end
if wake then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {moved, first[2] and math.max(0, math.ceil(tonumber(first[2]) - now)) or -1, lacking}
