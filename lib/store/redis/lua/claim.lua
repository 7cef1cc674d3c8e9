#!lua flags=allow-oom
-- Claims tasks: moves them from a queue to a worker's in-flight list.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 in-flight list
--       4 paused   5 how many withdrawn ones lie among the waiting
--       6 … lists of the levels that the worker knows
-- ARGV  1 how many at most           2 bytes of the largest task to hand out
--       3 bytes in all at most
--       4 what stands in the place of a task that was withdrawn
-- Returns the tasks, the first to run first. In place of a task that is too
-- large stands '': it is in flight, and inflight.lua deals with it, as with one
-- that is empty. If there may be more that was wanted, the last is a list: of
-- the levels, which are to be in KEYS the next time. If the queue is paused,
-- returns 'paused'.

local want, largest, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed, lists = {}, {}

if redis.call('EXISTS', KEYS[4]) == 1 then return 'paused' end
-- What has the wrong type fails here, before anything has changed.
local withdrawn = redis.call('GET', KEYS[5])
redis.call('LLEN', KEYS[1])
redis.call('LLEN', KEYS[3])
for i = 6, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
-- The most urgent; those behind come when these are empty.
local levels = redis.call('ZRANGE', KEYS[2], 0, 63)

-- What `tasks` has of a list's end, the task that waits longest last, goes to
-- the in-flight list. It is taken out when it is there.
local function move(list, tasks)
  local kept, gone = {}, 0
  for i = #tasks, 1, -1 do
    if withdrawn and tasks[i] == ARGV[4] then
      gone = gone + 1
    else
      kept[#kept + 1] = tasks[i]
    end
  end
  if #kept > 0 then redis.call('LPUSH', KEYS[3], unpack(kept)) end
  redis.call('LTRIM', list, 0, -1 - #tasks)
  if gone > 0 and redis.call('DECRBY', KEYS[5], gone) <= 0 then
    redis.call('DEL', KEYS[5])
  end
  for _, task in ipairs(kept) do
    budget = budget - #task
    claimed[#claimed + 1] = #task <= largest and task or ''
  end
end

-- Takes from one list; returns whether it was emptied.
local function take(list)
  while #claimed < want and budget > 0 do
    local count = math.min(want - #claimed, 64)
    local tasks = redis.call('LRANGE', list, -count, -1)
    if #tasks > 0 then move(list, tasks) end
    if #tasks < count then return true end
  end
  return false
end

-- Says whether all that it came to was emptied; stops where it knows no list.
local function take_all()
  local plain, empty = nil, true
  for _, level in ipairs(levels) do
    if string.sub(level, 1, 1) ~= '-' and plain == nil then
      plain = take(KEYS[1])
    end
    if not lists[level] then return false end
    if take(lists[level]) then
      redis.call('ZREM', KEYS[2], level)
    else
      empty = false
    end
  end
  -- There may be more levels, which come before the list of priority 0.
  if plain == nil and #levels == 64 then return false end
  if plain == nil then plain = take(KEYS[1]) end
  return plain and empty and #levels < 64
end

if take_all() then
  -- An old worker takes withdrawn ones out without a word.
  if withdrawn then redis.call('DEL', KEYS[5]) end
elseif #claimed < want then
  claimed[#claimed + 1] = redis.call('ZRANGE', KEYS[2], 0, 63)
end
return claimed
