#!lua flags=allow-oom
-- Shows a queue's limits, and how many tasks each counts and holds.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
-- Returns {where a task's group stands or '', and then of each rule its scope, the
-- rule, how many tasks are in flight, how many it holds}.

local answer = {''}

-- What has the wrong type fails here, also where no rule asks for it.
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])

local function held(first, last)
  return redis.call('ZLEXCOUNT', KEYS[3], '[' .. first, '(' .. last)
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
    answer[#answer + 1] = scope == 'g' and held('g:', 'g;') or
      held(scope .. '\0', scope .. '\1')
  end
end
return answer
