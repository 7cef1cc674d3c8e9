#!lua flags=allow-oom
-- Says which tasks a living worker can run in a queue, and finds lanes whose
-- tasks no living worker can, and names that were unknown and are not now. A score is the time, by the server's clock, until
-- which a name is good, in ms since 1970; the empty name stands for any worker.
--
-- KEYS  1 served (zset)   2 lanes (zset)   3 unknown (zset)
-- ARGV  1 ms that this is good for   2 … names
-- Returns {the names of those lanes}, {those names}.

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
local lanes = redis.call('ZRANGE', KEYS[2], 0, -1)
local unknown = redis.call('ZRANGE', KEYS[3], 0, -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local till = string.format('%.0f', now + tonumber(ARGV[1]))
local words = {}

for i = 2, #ARGV do
  words[#words + 1] = till
  words[#words + 1] = ARGV[i]
  -- Lua can hand over some thousands of values at once.
  if #words == 1000 or i == #ARGV then
    redis.call('ZADD', KEYS[1], unpack(words))
    words = {}
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- Longer than any member is good for: the one who comes next may say less.
redis.call('EXPIRE', KEYS[1], 60)

local lapsed, known = {}, {}
for _, name in ipairs(lanes) do
  if not redis.call('ZSCORE', KEYS[1], name) then lapsed[#lapsed + 1] = name end
end
for _, name in ipairs(unknown) do
  if redis.call('ZSCORE', KEYS[1], name) then known[#known + 1] = name end
end
return {lapsed, known}
