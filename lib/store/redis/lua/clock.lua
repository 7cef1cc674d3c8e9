#!lua flags=allow-oom
-- Moves delays along with the server's clock, which somebody has set: a worker
-- has seen it, by its own. See delay.lua for the scores.
--
-- KEYS  1 delayed (zset)   2 clock (hash)
-- ARGV  1 by how many ms the clock was set; 0: it was not, so all scores that
--       were in doubt are right
--       2 by how many in all before (`shift`), as the worker knows it
--       3 and 4 the earliest and the latest that the time, less `shift`, can be
--       5 how many ms ago it looked last
-- Returns 1, or 0 if another worker has moved them meanwhile, or the clock was
-- set again.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local step, shift = tonumber(ARGV[1]), tonumber(ARGV[2])
if tonumber(redis.call('HGET', KEYS[2], 'shift') or 0) ~= shift or
  now - shift < tonumber(ARGV[3]) or now - shift > tonumber(ARGV[4]) then return 0 end
if step == 0 and redis.call('HEXISTS', KEYS[2], 'doubt') == 0 then return 1 end

-- Delays in doubt began since then, or by a clock that was not for long as it is
-- now. What that was, the last of them tells.
local astray = now - tonumber(redis.call('HGET', KEYS[2], 'seen') or now)
if astray >= 0 and astray <= tonumber(ARGV[5]) then astray = 0 end

local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do
  local due = tonumber(all[i + 1])
  local whole, fraction = math.floor(due), due % 1
  if fraction == .5 then
    if step ~= 0 then redis.call('ZADD', KEYS[1], string.format('%.0f.5', whole + step), all[i]) end
  elseif fraction == .25 then
    redis.call('ZADD', KEYS[1], string.format('%.0f.5', whole + astray), all[i])
  end
end
redis.call('HDEL', KEYS[2], 'doubt')
redis.call('HSET', KEYS[2], 'shift', string.format('%.0f', shift + step),
  'seen', string.format('%.0f', now))
return 1
