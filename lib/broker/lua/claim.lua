#!lua flags=allow-oom
-- Claims tasks: moves them from a queue to a worker's in-flight list.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 in-flight list
-- ARGV  1 how many at most           2 bytes of the largest task to hand out
--       3 bytes in all at most
-- Returns the tasks, the first to run first. In place of a task that is too
-- large stands '': it is in flight, and inflight.lua deals with it, as with one
-- that is empty.

local want, largest, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed = {}

-- Takes from one list; returns whether it was emptied. What is popped is pushed
-- in the same step: LLEN fails first if the in-flight key is not a list.
local function take(list)
  redis.call('LLEN', KEYS[3])
  while #claimed < want and budget > 0 do
    local count = math.min(want - #claimed, 64)
    local tasks = redis.call('RPOP', list, count)
    if not tasks then return true end
    redis.call('LPUSH', KEYS[3], unpack(tasks))
    for _, task in ipairs(tasks) do
      budget = budget - #task
      claimed[#claimed + 1] = #task <= largest and task or ''
    end
    if #tasks < count then return true end
  end
  return false
end

local plain = false
for _, level in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if tonumber(level) > 0 and not plain then
    take(KEYS[1])
    plain = true
  end
  if take('{' .. KEYS[1] .. '}:p:' .. level) then
    redis.call('ZREM', KEYS[2], level)
  end
end
if not plain then take(KEYS[1]) end
return claimed
