#!lua flags=allow-oom
-- Puts tasks of a lane that no living worker can run among the delayed, as due
-- at once and in their order: those who promote know all lists of the queue.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)   3 served (zset)   4 delayed (zset)
-- ARGV  1 the lane's name   2 how many at most   3 bytes in all, about, at most
-- Returns 1 if more can follow at once, else 0.

-- What has the wrong type fails here, before anything has changed.
local want, budget = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moved, passed = 0, 0

if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1]) or 0) > now then return 0 end

-- include reach

local function look(i)
  local at = i < 0 and i or passed + i
  return redis.call('ZRANGE', KEYS[1], at, at)[1]
end

local more = false
while want > 0 and budget > 0 do
  local count = reach(64, look)
  local tasks = redis.call('ZRANGE', KEYS[1], passed, passed + count - 1)
  for _, member in ipairs(tasks) do
    local task = string.sub(member, 17)
    spend(#member)
    want = want - 1
    -- The same bytes twice are two tasks: the second one follows later.
    if not redis.call('ZSCORE', KEYS[4], task) then
      redis.call('ZADD', KEYS[4], string.format('%.3f', now - 1 + seen / 1000), task)
      redis.call('ZREM', KEYS[1], member)
      moved = moved + 1
    else
      passed = passed + 1
    end
  end
  more = #tasks == count
  if not more then break end
end
local left = redis.call('ZCARD', KEYS[1])
if left > 0 then
  redis.call('ZADD', KEYS[2], left, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
-- If none could go, the same call would end the same way.
return moved > 0 and more and 1 or 0
