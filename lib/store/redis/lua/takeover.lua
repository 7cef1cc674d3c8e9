#!lua flags=allow-oom
-- Takes over what a dead worker had in flight in one queue.
--
-- KEYS  1 the dead worker's epoch   2 the mark of takeovers from it
--       3 our in-flight list   4 running (hash): a count of its queue that is
--       under way begins again
--       5 … the parts of its in-flight list
-- ARGV  1 the epoch as it was when the worker was first missed
--       2 how many at most          3 bytes of the largest task to hand out
--       4 what stands in the place of a task that was withdrawn
--       5 seconds that the mark lives   6 bytes in all, about, at most
-- Returns the tasks, the oldest of each part first; '' in place of one that
-- inflight.lua has to deal with. Nothing if the epoch has moved: the worker has
-- come back.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return {} end
-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
for i = 5, #KEYS do redis.call('LLEN', KEYS[i]) end
local left, largest, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
local taken = {}
for part = 5, #KEYS do
  while left > 0 and bytes > 0 do
    local task = redis.call('LMOVE', KEYS[part], KEYS[3], 'RIGHT', 'LEFT')
    if not task then break end
    taken[#taken + 1] = #task <= largest and task ~= ARGV[4] and task or ''
    left, bytes = left - 1, bytes - #task
  end
end
if #taken > 0 then
  redis.call('HDEL', KEYS[4], '@count')
  -- Should it be alive after all, it stores nothing about them any more.
  local time = redis.call('TIME')
  redis.call('SET', KEYS[2], time[1] .. '.' .. time[2], 'EX', ARGV[5])
end
return taken
