#!lua flags=allow-oom
-- Moves due tasks from the delayed set to their queue, at most 100 a call. A
-- score of that set is the time, by the server's clock, at which a task is due,
-- in ms since 1970.
--
-- KEYS  1 delayed (zset)   2 queue (list)   3 levels (zset)
--       4 … lists of the levels that the worker knows
-- ARGV  1 control channel  2 the wake order for this queue
-- Returns {how many were moved, ms until the next is due, or -1 for none,
-- levels whose lists are not in KEYS}. Their tasks stay where they are.

-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
local lists = {}
for i = 4, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
lists['0'] = KEYS[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
local moved, lacking, wake = 0, {}, false

local function level_of(task)
  local ok, fields = pcall(cjson.decode, task)
  local priority = ok and type(fields) == 'table' and tonumber(fields['priority']) or 0
  if priority == math.floor(priority) and math.abs(priority) < 2147483648 then
    return string.format('%d', priority)
  end
  return '0'
end

for _, task in ipairs(due) do
  local level = level_of(task)
  local list = lists[level]
  if list then
    if level ~= '0' then
      redis.call('ZADD', KEYS[3], level, level)
      wake = true
    end
    redis.call('LPUSH', list, task)
    redis.call('ZREM', KEYS[1], task)
    moved = moved + 1
  else
    lacking[#lacking + 1] = level
  end
end
if wake then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {moved, first[2] and math.max(0, math.ceil(tonumber(first[2]) - now)) or -1, lacking}
