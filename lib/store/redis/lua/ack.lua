#!lua flags=allow-oom
-- Takes tasks of a queue with limits, or such as have a unique key, out of the
-- in-flight lists, for good.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
--       4 ready (zset)    5 counting (hash)   6 idle workers (zset)
--       7 keys of unique tasks (hash)
--       8 … parts of the worker's in-flight list
-- ARGV  1 the worker's id   2 control channel
--       3 the wake order for this queue, or '': the worker itself looks what may
--       start now
--       then for each run of tasks:  which of the KEYS they are in, from which end
--       to look for them (as for LREM), how many they are, and the tasks
-- Returns 1 if others may start now, else 0.

local LIMITS, RUNNING, INDEX, READY, COUNTING, IDLERS, UNIQUES =
  unpack(KEYS, 1, 7)

-- What has the wrong type fails here, before anything has changed.
redis.call('HLEN', RUNNING)
redis.call('ZCARD', IDLERS)
redis.call('ZCARD', READY)
for i = 8, #KEYS do redis.call('LLEN', KEYS[i]) end
local has_uniques = redis.call('HLEN', UNIQUES) > 0

-- include limits
-- include unique
-- include wake

local gone, i = {}, 4
while ARGV[i] do
  local list, from, last = KEYS[tonumber(ARGV[i])], ARGV[i + 1], i + 2 + ARGV[i + 2]
  for k = i + 3, last do
    local task = ARGV[k]
    if leave(list, from, task, ARGV[1]) then gone[#gone + 1] = task end
  end
  i = last + 1
end
for _, task in ipairs(has_uniques and gone or {}) do free_unique(task) end
local ready = discharge(gone, ARGV[1])
if ready and ARGV[3] ~= '' then wake(ARGV[2], ARGV[3]) end
return ready and 1 or 0
