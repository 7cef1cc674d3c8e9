#!lua flags=allow-oom
-- Says that a worker lives, unless another process lives by its id. A full
-- server refuses SET, and a worker that drains it must not seem dead.
--
-- KEYS  1 the worker's key
--       2 ids by the time of their last heartbeat (zset), by the server's clock:
--         who to ask for
-- ARGV  1 its description, which begins with its token
--       2 seconds that this is good for; 0: it leaves
--       3 its token   4 the token of a process that is gone for sure, or ''
--       5 its id
-- Returns 1; 0 if the key was not there; or, of another process, its
-- description and the ms that this is still good for.

-- A key of another type is not a heartbeat, and is replaced.
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = false end
local gone = ARGV[4] ~= '' and old and string.find(old, ARGV[4], 1, true)
if old and not gone and not string.find(old, ARGV[3], 1, true) then
  return {old, redis.call('PTTL', KEYS[1])}
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  redis.pcall('ZREM', KEYS[2], ARGV[5])
  return 1
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local time = redis.call('TIME')
redis.pcall('ZADD', KEYS[2],
  string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[5])
return old and not gone and 1 or 0
