-- Says how many tasks of a queue workers have in flight.
--
-- KEYS  of each worker its epoch, and then the shards of its in-flight list
-- ARGV  1 how many shards
-- Returns a number for each worker; -1 for one that never served the queue.

local counts, shards = {}, tonumber(ARGV[1])

for i = 1, #KEYS, 1 + shards do
  local count = -1
  -- Most workers never served most queues: one question tells that.
  if redis.call('EXISTS', unpack(KEYS, i, i + shards)) > 0 then
    count = 0
    for shard = 1, shards do
      count = count + redis.call('LLEN', KEYS[i + shard])
    end
  end
  counts[#counts + 1] = count
end
return counts
