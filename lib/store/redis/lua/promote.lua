#!lua flags=allow-oom
-- Moves due tasks from the delayed set to their queue, at most 100 a call.
-- Unless somebody has set the clock, or may have: then nothing is due before
-- clock.lua has moved what has to be moved.
--
-- KEYS  1 delayed (zset)   2 queue (list)   3 levels (zset)   4 clock (hash)
-- ARGV  1 control channel  2 the wake order for this queue
--       3 and 4 the earliest and the latest that the time, less `shift` of
--       clock.lua, can be, as far as the worker knows
-- Returns {how many were moved, or -1 if the clock is not to be trusted,
-- ms until the next is due, or -1 for none, the time, `shift`, 1 if some scores
-- are in doubt}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local shift = tonumber(redis.call('HGET', KEYS[4], 'shift') or 0)
local doubt = redis.call('HEXISTS', KEYS[4], 'doubt')
if doubt == 1 or now - shift < tonumber(ARGV[3]) or now - shift > tonumber(ARGV[4]) then
  return {-1, -1, now, shift, doubt}
end
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
local wake = false

for _, task in ipairs(due) do
  local ok, fields = pcall(cjson.decode, task)
  local priority = ok and type(fields) == 'table' and tonumber(fields['priority']) or 0
  if priority ~= 0 and priority == math.floor(priority) and math.abs(priority) < 2147483648 then
    local level = string.format('%d', priority)
    redis.call('LPUSH', '{' .. KEYS[2] .. '}:p:' .. level, task)
    redis.call('ZADD', KEYS[3], level, level)
    wake = true
  else
    redis.call('LPUSH', KEYS[2], task)
  end
  redis.call('ZREM', KEYS[1], task)
end
if wake then redis.call('PUBLISH', ARGV[1], ARGV[2]) end

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local left = -1
if first[2] then
  left = math.max(0, math.ceil(tonumber(first[2]) - now))
  redis.call('HSET', KEYS[4], 'seen', string.format('%.0f', now))
end
return {#due, left, now, shift, 0}
