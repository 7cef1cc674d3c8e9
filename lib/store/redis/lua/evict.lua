#!lua flags=allow-oom
-- Takes tasks out of what a worker has in flight: another worker has them on
-- record, which has claimed them after what this server knew before.
--
-- KEYS  1 running (hash): what is taken out makes its counts wrong
--       2 … the parts of the worker's in-flight list
-- ARGV  the tasks
-- Returns how many entries were taken out.

local n = 0
-- What has the wrong type fails here, before anything has changed.
redis.call('HLEN', KEYS[1])
for i = 2, #KEYS do redis.call('LLEN', KEYS[i]) end
for i = 2, #KEYS do
  for _, task in ipairs(ARGV) do n = n + redis.call('LREM', KEYS[i], 0, task) end
end
if n > 0 then redis.call('UNLINK', KEYS[1]) end
return n
