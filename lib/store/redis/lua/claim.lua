#!lua flags=allow-oom
-- Claims tasks: moves them from a queue to a worker's in-flight list.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 in-flight list
--       4 paused   5 how many withdrawn ones lie among the waiting
--       6 lanes (zset)   7 limits (hash)   8 tasks that a limit holds (a lane)
--       9 keys of unique tasks (hash)
--       10 … lists of the levels that the worker knows, and lanes of tasks that
--       it can run
-- ARGV  1 how many at most           2 bytes of the largest task to hand out
--       3 bytes in all at most
--       4 what stands in the place of a task that was withdrawn
--       5 how many to read at once, at first: what is read is copied, whatever
--       its size
-- Returns the tasks, the first to run first. In place of a task that is too
-- large stands '': it is in flight, and inflight.lua deals with it, as with one
-- that is empty. If there may be more that was wanted, the last is a list: of
-- the levels, which are to be in KEYS the next time. If there are lanes that are
-- not in KEYS, a list follows of 'lanes' and their names. If the queue is paused,
-- returns 'paused'; if it has limits, 'limited': claim_limited.lua takes from it.

local want, largest, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed, levels = {}, {}
local withdrawn
local UNIQUES, has_uniques = KEYS[9], false

-- include lanes
-- include unique

-- Most queues are nothing but their list, which one question tells. That of the
-- list and of the in-flight list are first read and first added to, so a wrong
-- type changes nothing.
local simple = #KEYS < 1000 and redis.call('EXISTS', KEYS[2], unpack(KEYS, 4)) == 0
if not simple then
  if redis.call('EXISTS', KEYS[4]) == 1 then return 'paused' end
  if redis.call('EXISTS', KEYS[7], KEYS[8]) > 0 then return 'limited' end
  -- What has the wrong type fails here, before anything has changed.
  withdrawn = redis.call('GET', KEYS[5])
  redis.call('LLEN', KEYS[1])
  redis.call('LLEN', KEYS[3])
  has_uniques = redis.call('HLEN', UNIQUES) > 0
  find_lanes(10)
  -- The most urgent; those behind come when these are empty.
  levels = redis.call('ZRANGE', KEYS[2], 0, 63)
end

-- What `tasks` has of a list's end, the task that waits longest last, goes to
-- the in-flight list. It is taken out when it is there.
local function move(list, tasks)
  local at, gone, size, large = #claimed, 0, 0, false
  local n = at
  for i = #tasks, 1, -1 do
    local task = tasks[i]
    if withdrawn and task == ARGV[4] then
      gone = gone + 1
    else
      n = n + 1
      claimed[n] = task
      size = size + #task
      large = large or #task > largest
    end
  end
  budget = budget - size
  if n > at then redis.call('LPUSH', KEYS[3], unpack(claimed, at + 1, n)) end
  redis.call('LTRIM', list, 0, -1 - #tasks)
  for i = at + 1, has_uniques and n or at do free_unique(claimed[i], true) end
  if large then
    for i = at + 1, n do
      if #claimed[i] > largest then claimed[i] = '' end
    end
  end
  if gone > 0 and redis.call('DECRBY', KEYS[5], gone) <= 0 then
    redis.call('DEL', KEYS[5])
  end
end

-- Takes from one list; returns whether it was emptied.
local step = tonumber(ARGV[5])
local function wants() return #claimed < want and budget > 0 end
local function take(list)
  while wants() do
    local count = math.min(want - #claimed, step)
    -- Larger ones may follow on those whose size is known.
    while count > 1 and #(redis.call('LINDEX', list, -count) or
      redis.call('LINDEX', list, 0) or '') * count > 2 * budget do
      count = math.max(1, math.floor(count / 8))
    end
    local tasks = redis.call('LRANGE', list, -count, -1)
    if #tasks > 0 then move(list, tasks) end
    if #tasks < count then return true end
    step = math.min(4 * step, 128)
  end
  return false
end

if simple then
  if not take(KEYS[1]) and #claimed < want then claimed[#claimed + 1] = {} end
  return claimed
end

-- What was set aside comes before the rest of its priority, up to this one.
local function take_lanes(level)
  while #lanes > 0 and wants() do
    local lane, tasks = first_lane(), {}
    if not lane or lane.score > level then return end
    local count = math.min(want - #claimed, step)
    while count > 1 and #(redis.call('ZRANGEBYSCORE', lane.key, lane.score,
      lane.score, 'LIMIT', count - 1, 1)[1] or '') * count > 2 * budget do
      count = math.max(1, math.floor(count / 8))
    end
    local members = redis.call('ZRANGEBYSCORE', lane.key, lane.score,
      lane.score, 'LIMIT', 0, count)
    for i, member in ipairs(members) do
      tasks[i] = string.sub(member, 17)
      budget = budget - #tasks[i]
      claimed[#claimed + 1] = #tasks[i] <= largest and tasks[i] or ''
    end
    redis.call('LPUSH', KEYS[3], unpack(tasks))
    redis.call('ZREM', lane.key, unpack(members))
    for _, task in ipairs(has_uniques and tasks or {}) do free_unique(task, true) end
    step = math.min(4 * step, 128)
    note_lane(lane.name, lane.key)
  end
end

-- include order

if take_in_order(levels) == 'empty' then
  -- An old worker takes withdrawn ones out without a word.
  if withdrawn then redis.call('DEL', KEYS[5]) end
elseif #claimed < want then
  claimed[#claimed + 1] = redis.call('ZRANGE', KEYS[2], 0, WINDOW - 1)
end
if next(others) then
  local names = {'lanes'}
  for name in pairs(others) do names[#names + 1] = name end
  claimed[#claimed + 1] = names
end
return claimed
