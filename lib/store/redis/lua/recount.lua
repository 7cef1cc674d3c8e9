#!lua flags=allow-oom
-- Counts what is in flight in a queue with limits, by what it counts against. Of
-- workers that are not named nobody knows: they have to ask again before they
-- claim.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
--       4 ready (zset)    5 … parts of the workers' in-flight lists
-- ARGV  1 ms for which a count is good that was found right: nothing is done
--       then; 0: count in any case   2 … ids of the workers
-- Returns 1 if it has counted, else 0.

local LIMITS, RUNNING, INDEX, READY = unpack(KEYS, 1, 4)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', INDEX)
redis.call('ZCARD', READY)
local good = tonumber(ARGV[1])
local known = redis.call('HMGET', RUNNING, 'q', '@at')
if good > 0 and known[2] and math.abs(now - tonumber(known[2])) < good then return 0 end

local total, counts = 0, {}
for i = 5, #KEYS do total = total + redis.call('LLEN', KEYS[i]) end
if good > 0 and known[1] and tonumber(known[1]) == total then
  redis.call('HSET', RUNNING, '@at', string.format('%.0f', now))
  return 0
end

-- include limits

for i = 5, scoped and #KEYS or 0 do
  local at, step = 0, 8
  repeat
    local tasks = redis.call('LRANGE', KEYS[i], at, at + step - 1)
    for _, task in ipairs(tasks) do
      for _, scope in ipairs(scopes_of(task)) do
        counts[scope] = (counts[scope] or 0) + 1
      end
    end
    at, step = at + #tasks, 64
  until #tasks == 0
end

redis.call('DEL', RUNNING, READY)
local words = {'q', total, '@at', string.format('%.0f', now), '@scan', ''}
local function add(field, value)
  words[#words + 1] = field
  words[#words + 1] = value
  if #words >= 1000 then
    redis.call('HSET', RUNNING, unpack(words))
    words = {}
  end
end
for scope, n in pairs(counts) do add(scope, n) end
for i = 2, #ARGV do add('@w:' .. ARGV[i], 1) end
if #words > 0 then redis.call('HSET', RUNNING, unpack(words)) end
return 1
