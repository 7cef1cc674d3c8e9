-- Queues tasks with their records, all or none: the first of a connection, of
-- which it is not known yet whether records can be stored.
--
-- KEYS  1 queue (list)   2 … the records' keys, one for each task
-- ARGV  the records, and then the tasks
-- Returns how many tasks the queue holds.

local records, tasks, n = {}, {}, #KEYS - 1
for i = 1, n do
  records[2 * i - 1], records[2 * i] = KEYS[1 + i], ARGV[i]
  tasks[i] = ARGV[n + i]
end
-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[1])
-- First: where this is refused, nothing is queued.
redis.call('MSET', unpack(records))
return redis.call('LPUSH', KEYS[1], unpack(tasks))
