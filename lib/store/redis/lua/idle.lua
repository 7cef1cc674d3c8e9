#!lua flags=allow-oom
-- Whether nobody has used a queue for long: it is empty, and no worker serves it.
--
-- KEYS  1 waiting (list)  2 levels  3 delayed  4 dead  5 paused  6 lanes
--       7 served  8 leaving for another queue  9 limits  10 keys of unique tasks
--       11 since when it is unused (s)
-- ARGV  1 ms that it has to be so   2 seconds that key 11 is kept
-- Returns 1 or 0.

-- It counts that a key is there, whatever it is.
for k = 1, 10 do
  if redis.call('EXISTS', KEYS[k]) == 1 then
    redis.call('DEL', KEYS[11])
    return 0
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = redis.pcall('GET', KEYS[11])
since = type(since) == 'string' and tonumber(since)
if not since then
  redis.call('SET', KEYS[11], string.format('%.0f', now), 'EX', ARGV[2])
  return 0
end
return now - since >= tonumber(ARGV[1]) and 1 or 0
