-- Says what is set aside in a queue, and which names no living worker has.
--
-- KEYS  1 lanes (zset)   2 served (zset)   3 unknown (zset)
-- Returns how many tasks, and then names that were met within ten minutes.

local set_aside = 0
local lanes = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #lanes, 2 do set_aside = set_aside + tonumber(lanes[i]) end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {set_aside}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], now - 600000, '+inf')) do
  if tonumber(redis.call('ZSCORE', KEYS[2], name) or 0) <= now then
    answer[#answer + 1] = name
  end
end
return answer
