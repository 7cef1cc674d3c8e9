#!lua flags=allow-oom
-- Takes tasks out of a lane, for good.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)   3 keys of unique tasks (hash)
-- ARGV  1 the lane's name   2 how many at most   3 bytes in all, about, at most
-- Returns the tasks.

local want, budget = tonumber(ARGV[2]), tonumber(ARGV[3])
local page = {}

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])
local UNIQUES = KEYS[3]
local has_uniques = redis.call('HLEN', UNIQUES) > 0

-- include reach
-- include unique

local function look(i) return redis.call('ZRANGE', KEYS[1], i, i)[1] end
while want > 0 and budget > 0 do
  local found = redis.call('ZPOPMIN', KEYS[1], reach(64, look))
  if #found == 0 then break end
  for i = 1, #found, 2 do
    page[#page + 1] = string.sub(found[i], 17)
    free_unique(page[#page])
    spend(#found[i])
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
