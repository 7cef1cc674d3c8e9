-- Shows what workers have in flight in a queue.
--
-- KEYS  1 queue
-- ARGV  1 into how many parts the list of each worker is split
--       2 the part of the first worker to begin with   3 tasks to leave out
--       there   4 how many at most   5 bytes in all, about, at most
--       6 what stands in the place of a task that was withdrawn
--       7 … workers
-- Returns {which of the workers (0 for the first), part, and tasks to leave out
-- there, for the next page; -1 if that was all of these workers}, and then of
-- each task the number of its worker and its bytes.

local want, budget = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {-1, 0, 0}

-- Returns where it stopped, or nil at the end of the list.
local function read(worker, list, start)
  while want > 0 and budget > 0 do
    local count = math.min(want, 50)
    local tasks = redis.call('LRANGE', list, start, start + count - 1)
    for _, task in ipairs(tasks) do
      budget = budget - #task
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

local part, start = tonumber(ARGV[2]), tonumber(ARGV[3])
for worker = 0, #ARGV - 7 do
  local base = '{' .. KEYS[1] .. '}:inflight:' .. ARGV[7 + worker]
  while part < tonumber(ARGV[1]) do
    local stopped = read(worker, part == 0 and base or base .. '#' .. part, start)
    if stopped then
      page[1], page[2], page[3] = worker, part, stopped
      return page
    end
    part, start = part + 1, 0
  end
  part = 0
end
return page
