#!lua flags=allow-oom
-- Takes tasks out of a lane, for good.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)
-- ARGV  1 the lane's name   2 how many at most   3 bytes in all, about, at most
-- Returns the tasks.

local want, budget = tonumber(ARGV[2]), tonumber(ARGV[3])
local page = {}

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])

-- How many to read at once, since what is read is copied, whatever its size: as
-- many as fit if they are like those before, and like the last of them.
local step, seen, size = 1, 0, 0
local function reach()
  local count = math.min(step, want, 1 + math.floor(budget * seen / math.max(size, 1)))
  while count > 1 do
    local last = redis.call('ZRANGE', KEYS[1], count - 1, count - 1)[1] or
      redis.call('ZRANGE', KEYS[1], -1, -1)[1] or ''
    if #last * count <= budget then break end
    budget = budget - #last
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, 64)
  return count
end

while want > 0 and budget > 0 do
  local found = redis.call('ZPOPMIN', KEYS[1], reach())
  if #found == 0 then break end
  for i = 1, #found, 2 do
    page[#page + 1] = string.sub(found[i], 17)
    budget, seen, size = budget - #found[i], seen + 1, size + #found[i]
    want = want - 1
  end
end
local left = redis.call('ZCARD', KEYS[1])
if left > 0 then
  redis.call('ZADD', KEYS[2], left, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return page
