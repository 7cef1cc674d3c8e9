#!lua flags=allow-oom
-- Shows a queue's limits, and how many tasks each counts and holds.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
--       4 declared (hash): see declare.lua
-- Returns {where a task's group stands or '', and then of each rule its scope, the
-- rule, how many tasks are in flight, how many it holds, and since when about, in ms
-- since 1970, or 0; and, if a worker has declared it, which one had declared another,
-- or ''}.

local answer = {''}

-- What has the wrong type fails here, also where no rule asks for it.
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('HLEN', KEYS[4])

local function held(first, last)
  return redis.call('ZLEXCOUNT', KEYS[3], '[' .. first, '(' .. last)
end

-- The first in the order of each scope; of all groups, of some.
local function since(first, last)
  local oldest = math.huge
  for _ = 1, 64 do
    local found = redis.call('ZRANGEBYLEX', KEYS[3], '[' .. first, '(' .. last,
      'LIMIT', 0, 1)[1]
    if not found then break end
    local at = struct.unpack('>I8', string.sub(found, -12, -5))
    oldest = math.min(oldest, at)
    first = string.sub(found, 1, -18) .. '\1'
  end
  return oldest < math.huge and math.floor(oldest / 1000) or 0
end

local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local scope = fields[i]
  if scope == 'by' then
    answer[1] = fields[i + 1]
  else
    answer[#answer + 1] = scope
    answer[#answer + 1] = fields[i + 1]
    answer[#answer + 1] = tonumber(redis.call('HGET', KEYS[2], scope) or 0)
    local first, last = scope .. '\0', scope .. '\1'
    if scope == 'g' then first, last = 'g:', 'g;' end
    answer[#answer + 1] = held(first, last)
    answer[#answer + 1] = since(first, last)
    local known = string.find(fields[i + 1], '"worker":', 1, true) and
      redis.call('HGET', KEYS[4], scope)
    answer[#answer + 1] = known and cjson.decode(known).other or ''
  end
end
return answer
