-- Shows what workers have in flight in a queue.
--
-- KEYS  of each worker the shards of its in-flight list
-- ARGV  1 how many shards   2 the shard of the first worker to begin with
--       3 tasks to leave out there   4 how many at most
--       5 bytes in all, about, at most
--       6 what stands in the place of a task that was withdrawn
-- Returns {which of the workers (0 for the first), shard, and tasks to leave
-- out there, for the next page; -1 if that was all of these workers}, and then
-- of each task the number of its worker and its bytes.

local want, budget = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {-1, 0, 0}

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
  step = math.min(8 * step, 50)
  return count
end

-- Returns where it stopped, or nil at the end of the list.
local function read(worker, list, start)
  while want > 0 and budget > 0 do
    local count = reach(list, start)
    local tasks = redis.call('LRANGE', list, start, start + count - 1)
    for _, task in ipairs(tasks) do
      budget, seen, size = budget - #task, seen + 1, size + #task
      if task ~= ARGV[6] then
        page[#page + 1] = worker
        page[#page + 1] = task
      end
    end
    start, want = start + #tasks, want - #tasks
    if #tasks < count then return nil end
  end
  return start
end

local shards, start = tonumber(ARGV[1]), tonumber(ARGV[3])
local busy
for i = tonumber(ARGV[2]), #KEYS - 1 do
  local worker = math.floor(i / shards)
  -- Most workers have nothing: one question tells that.
  if busy == nil or i % shards == 0 then
    local first = worker * shards
    busy = redis.call('EXISTS', unpack(KEYS, first + 1, first + shards)) > 0
  end
  local stopped = busy and read(worker, KEYS[i + 1], start)
  if stopped then
    page[1], page[2], page[3] = worker, i % shards, stopped
    return page
  end
  start = 0
end
return page
