#!lua flags=allow-oom
-- Who has come to a server that was not used before: after a failover, or when it
-- was started again. Until all workers have, and have put the claims back that it
-- does not know of, nobody may claim.
--
-- KEYS  1 ids by the time of their last heartbeat (zset)
--       2 the server that was used last, a blank, and the number of the time that
--       one was new   3 workers that are awaited, with the time until which they
--       are (zset)
-- ARGV  1 the server's run ID   2 ms that a worker is awaited
--       3 the worker's id       4 '1': it has put its claims back, or '0'
--       5 the number that the worker was told last, or 0. If it is larger, what is
--         here is older than what the worker has seen: a server that was left has
--         become the master again
-- Returns 1 if others are awaited, or 0; until when this one is, in ms of the
-- server's clock, or 0; and the number.

-- The clock of the server before may have been another.
local apart = 30000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local used = redis.pcall('GET', KEYS[2])
if type(used) ~= 'string' then used = false end
local run, number = string.match(used or '', '^(%x+)%s(%d+)$')
local told = tonumber(ARGV[5])
number = tonumber(number or 0)
-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[3])

if run ~= ARGV[1] or told > number then
  number = math.max(number, told) + 1
  local ends = string.format('%.0f', now + tonumber(ARGV[2]))
  redis.call('DEL', KEYS[3])
  if used then
    local since = string.format('%.0f', now - ARGV[2] - apart)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], since, '+inf')) do
      redis.call('ZADD', KEYS[3], ends, id)
    end
    redis.call('EXPIRE', KEYS[3], 3600)
  end
  redis.call('SET', KEYS[2], string.format('%s %.0f', ARGV[1], number))
end

if ARGV[4] == '1' then redis.call('ZREM', KEYS[3], ARGV[3]) end
local first = string.format('(%.0f', now)
local own = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or 0)
local others = redis.call('ZRANGEBYSCORE', KEYS[3], first, '+inf', 'LIMIT', 0, 2)
for _, id in ipairs(others) do
  if id ~= ARGV[3] then return {1, own > now and own or 0, number} end
end
return {0, own > now and own or 0, number}
