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
local page, withdrawn = {-1, 0, 0}, ARGV[6]

-- include reach
-- include view_list

local shards, start = tonumber(ARGV[1]), tonumber(ARGV[3])
local busy
for i = tonumber(ARGV[2]), #KEYS - 1 do
  local worker = math.floor(i / shards)
  -- Most workers have nothing: one question tells that.
  if busy == nil or i % shards == 0 then
    local first = worker * shards
    busy = redis.call('EXISTS', unpack(KEYS, first + 1, first + shards)) > 0
  end
  local stopped = busy and view_list(KEYS[i + 1], worker, start, 50)
  if stopped then
    page[1], page[2], page[3] = worker, i % shards, stopped
    return page
  end
  start = 0
end
return page
