#!lua flags=allow-oom
-- Claims tasks: moves them from a queue to a worker's in-flight list.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 in-flight list
--       4 paused   5 how many withdrawn ones lie among the waiting
-- ARGV  1 how many at most           2 bytes of the largest task to hand out
--       3 bytes in all at most
--       4 what stands in the place of a task that was withdrawn
-- Returns the tasks, the first to run first. In place of a task that is too
-- large stands '': it is in flight, and inflight.lua deals with it, as with one
-- that is empty. If the queue is paused, returns 'paused'.

local want, largest, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed = {}

if redis.call('EXISTS', KEYS[4]) == 1 then return 'paused' end
local withdrawn = redis.call('EXISTS', KEYS[5]) == 1

local function without_withdrawn(tasks)
  local kept = {}
  for _, task in ipairs(tasks) do
    if task ~= ARGV[4] then
      kept[#kept + 1] = task
    elseif redis.call('DECR', KEYS[5]) <= 0 then
      redis.call('DEL', KEYS[5])
    end
  end
  return kept
end

-- Takes from one list; returns whether it was emptied. What is popped is pushed
-- in the same step: LLEN fails first if the in-flight key is not a list.
local function take(list)
  redis.call('LLEN', KEYS[3])
  while #claimed < want and budget > 0 do
    local count = math.min(want - #claimed, 64)
    local tasks = redis.call('RPOP', list, count)
    if not tasks then return true end
    count = count - #tasks
    if withdrawn then tasks = without_withdrawn(tasks) end
    if #tasks > 0 then redis.call('LPUSH', KEYS[3], unpack(tasks)) end
    for _, task in ipairs(tasks) do
      budget = budget - #task
      claimed[#claimed + 1] = #task <= largest and task or ''
    end
    if count > 0 then return true end
  end
  return false
end

local plain, empty = nil, true
for _, level in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if tonumber(level) > 0 and plain == nil then plain = take(KEYS[1]) end
  if take('{' .. KEYS[1] .. '}:p:' .. level) then
    redis.call('ZREM', KEYS[2], level)
  else
    empty = false
  end
end
if plain == nil then plain = take(KEYS[1]) end
-- An old worker takes withdrawn ones out without a word.
if withdrawn and plain and empty then redis.call('DEL', KEYS[5]) end
return claimed
