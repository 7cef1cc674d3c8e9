#!lua flags=allow-oom
-- Deletes the oldest of a dead list, as far as they are too many or too old; and
-- of some keys of unique tasks those whose time is over: their tasks were taken by
-- programs that free none.
--
-- KEYS  1 dead (zset)   2 dead tasks (hash)   3 dead info (hash)
--       4 keys of unique tasks (hash)
-- ARGV  1 how many may stay; 0: any number
--       2 ms that each may stay, by the server's clock; 0: for ever
--       3 how many to delete at most   4 bytes of tasks to delete, about
-- Returns how many went since there were too many, and since they were too old;
-- and 1 if more have to go, else 0.

-- What has the wrong type fails here, before anything has changed.
local size = redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
local n_uniques = redis.call('HLEN', KEYS[4])
local most, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local step, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local excess = most > 0 and size - most or 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = now - life
local beyond, expired = 0, 0

local uniques = n_uniques > 0 and
  redis.call('HRANDFIELD', KEYS[4], math.min(n_uniques, 200), 'WITHVALUES') or {}
for i = 1, #uniques, 2 do
  local expires = tonumber(string.match(uniques[i + 1], '^%S+ (%d+)') or 0)
  if expires <= now then redis.call('HDEL', KEYS[4], uniques[i]) end
end

-- One more than may go: whether it would have to.
local oldest = redis.call('ZRANGE', KEYS[1], 0, step, 'WITHSCORES')
for i = 1, #oldest, 2 do
  local old = life > 0 and tonumber(oldest[i + 1]) <= last
  if beyond + expired >= excess and not old then break end
  if beyond + expired == step or bytes <= 0 then return {beyond, expired, 1} end
  local member = oldest[i]
  bytes = bytes - redis.call('HSTRLEN', KEYS[2], member)
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
  redis.call('HDEL', KEYS[3], member)
  if old then expired = expired + 1 else beyond = beyond + 1 end
end
return {beyond, expired, 0}
