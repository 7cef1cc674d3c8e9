-- Says how many tasks of a queue workers have in flight.
--
-- KEYS  1 queue
-- ARGV  1 into how many parts the list of each worker is split   2 … workers
-- Returns a number for each worker; -1 for one that never served the queue.

local counts = {}

for i = 2, #ARGV do
  local list = '{' .. KEYS[1] .. '}:inflight:' .. ARGV[i]
  local count = redis.call('LLEN', list)
  for part = 1, tonumber(ARGV[1]) - 1 do
    count = count + redis.call('LLEN', list .. '#' .. part)
  end
  if count == 0 and
    redis.call('EXISTS', '{' .. KEYS[1] .. '}:fence:' .. ARGV[i]) == 0 then
    count = -1
  end
  counts[#counts + 1] = count
end
return counts
