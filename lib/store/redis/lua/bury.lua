#!lua flags=allow-oom
-- Moves a claimed task to the dead list, its bytes as they are.
--
-- KEYS  1 in-flight list   2 dead list (zset)   3 dead tasks (hash)
--       4 dead info (hash)
--       5 limits (hash)   6 running (hash)   7 index of held tasks (zset)
--       8 ready (zset)   9 counting (hash)   10 idle workers (zset)
--       11 keys of unique tasks (hash)
-- ARGV  1 the task as claimed; of one that is too large, both ends of it
--       2 its id, empty if it has none   3 why: a JSON object
--       4 '1' if an entry that has the id must stay
--       5 the length of a task that is too large, else 0
--       6 how many tasks, about, lie before that one, from the list's end
--       7 the worker's id   8 control channel   9 the wake order for this queue
-- Returns 1, or 0 when the task is not in flight (it was buried before). One that
-- is too large is looked for near its place only; it is met again where it was
-- not found.

local LIMITS, RUNNING, INDEX, READY, COUNTING, IDLERS, UNIQUES =
  unpack(KEYS, 5, 11)
local has_uniques = redis.call('HLEN', UNIQUES) > 0

-- include limits
-- include unique
-- include wake

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('HLEN', RUNNING)
redis.call('ZCARD', IDLERS)
redis.call('ZCARD', READY)
local task, whole = ARGV[1], tonumber(ARGV[5])

-- Each look copies a task, whatever its size. What was settled since the place was
-- told lay before it.
local function find()
  local half, place, bytes = #task / 2, tonumber(ARGV[6]), 2 * whole + 1048576
  for i = 0, 127 do
    local at = i % 2 == 0 and place - i / 2 or place + (i + 1) / 2
    local other = at >= 0 and redis.call('LINDEX', KEYS[1], -1 - at) or ''
    if #other == whole and string.sub(other, 1, half) .. string.sub(other, -half) == task then
      return other
    end
    bytes = bytes - #other
    if bytes < 0 then return nil end
  end
end
if whole > 0 then
  task = find()
  if not task then return 0 end
end
if not redis.call('LPOS', KEYS[1], task, 'RANK', -1) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local member = ARGV[2]
if member == '' or (ARGV[4] == '1' and redis.call('ZSCORE', KEYS[2], member)) then
  local base, n = redis.sha1hex(ARGV[1]) .. '-' .. now, 0
  while redis.call('ZSCORE', KEYS[2], base .. '-' .. n) do n = n + 1 end
  member = base .. '-' .. n
end
redis.call('HSET', KEYS[3], member, task)
redis.call('HSET', KEYS[4], member, ARGV[3])
redis.call('ZADD', KEYS[2], now, member)
leave(KEYS[1], -1, task, ARGV[7])
free_unique(task)
if discharge({task}, ARGV[7]) then wake(ARGV[8], ARGV[9]) end
return 1
