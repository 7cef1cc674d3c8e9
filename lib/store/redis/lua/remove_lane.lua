#!lua flags=allow-oom
-- Looks for a task by its id in a lane, and takes it out. Searches a stretch a
-- call, the last first, as remove.lua does in the rest of the queue.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)
--       3 keys of unique tasks (hash)
--       4 those that are on their way to another queue (list)
-- ARGV  1 id   2 the lane's name   3 tasks to leave out
--       4 how long to search, in µs, about
--       5 not empty: the task goes to KEYS[4], as in remove.lua
-- Returns how many to leave out the next time, or -1 at the end of the lane; and
-- then the task, if it was found.

local id, start, effort, stamp = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), 16
local UNIQUES = KEYS[3]
local has_uniques = redis.call('HLEN', UNIQUES) > 0
-- include member
-- include search
-- include unique

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
redis.call('LLEN', KEYS[4])
local member, at = search(function(first, last)
  return redis.call('ZREVRANGE', KEYS[1], first, last)
end)
if not member then return {at or -1} end
if ARGV[5] ~= '' then
  -- Of what a limit holds, the stamp has the priority (claim_limited.lua).
  local level = ARGV[2] == '=held' and struct.unpack('>I4', member) - 2147483648
  redis.call('RPUSH', KEYS[4], ARGV[5] .. '0 ' ..
    string.format('%.0f', level or redis.call('ZSCORE', KEYS[1], member)) .. '\n' ..
    string.sub(member, stamp + 1))
end
redis.call('ZREM', KEYS[1], member)
free_unique(string.sub(member, stamp + 1))
local left = redis.call('ZCARD', KEYS[1])
if left > 0 then
  redis.call('ZADD', KEYS[2], left, ARGV[2])
else
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return {-1, string.sub(member, stamp + 1)}
