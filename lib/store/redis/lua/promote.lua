#!lua flags=allow-oom
-- Moves due tasks from the delayed set to their queue, at most 100 a call. A
-- score of that set is the time, by the server's clock, at which a task is due,
-- in ms since 1970.
--
-- KEYS  1 delayed (zset)   2 queue (list)   3 levels (zset)
-- ARGV  1 control channel  2 the wake order for this queue
-- Returns {how many were moved, ms until the next is due, or -1 for none}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
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
return {#due, first[2] and math.max(0, math.ceil(tonumber(first[2]) - now)) or -1}
