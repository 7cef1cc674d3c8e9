-- Says what is in a queue, and which names of tasks no living worker has.
--
-- KEYS  1 queue (list)   2 levels (zset)   3 delayed (zset)   4 dead (zset)
--       5 paused         6 how many withdrawn ones lie among the waiting
--       7 lanes (zset)   8 served (zset)   9 unknown (zset)
--       10 … lists of the levels
-- ARGV  1 what stands in the place of a task that was withdrawn
--       2 the name of the lane of tasks that a limit holds
-- Returns {waiting, delayed, dead, 1 if paused, when the first delayed is due
-- in ms or -1, set aside, held, the level behind which nothing was counted or '',
-- how many names}, the names that were met within ten minutes, and then of each level
-- (of the first 100) the task that waits longest, or '' if it is large. Looks into
-- 256 levels: lengths.lua counts the rest. Where a list is not in KEYS, returns a
-- list of these levels in a list.

local waiting, oldest, lists = 0, {}, {}
local WINDOW = 256
-- Tasks that are looked at, and their bytes: each is copied.
local looks, bytes = 300, 1048576

for i = 10, #KEYS do
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
local levels, following = redis.call('ZRANGE', KEYS[2], 0, WINDOW), ''
if #levels > WINDOW then
  levels[WINDOW + 1], following = nil, levels[WINDOW]
end
for _, level in ipairs(levels) do
  if not lists[level] then return {levels} end
end

local function look(list)
  local length = redis.call('LLEN', list)
  waiting = waiting + length
  if length > 0 and #oldest < 100 and looks > 0 and bytes > 0 then
    local task, place = redis.call('LINDEX', list, -1), -1
    while task == ARGV[1] and looks > 0 do
      place, looks = place - 1, looks - 1
      task = redis.call('LINDEX', list, place) or ''
    end
    looks, bytes = looks - 1, bytes - #task
    oldest[#oldest + 1] = #task <= 65536 and task or ''
  end
end

look(KEYS[1])
for _, level in ipairs(levels) do look(lists[level]) end
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local due = tonumber(first[2] or -1)
if due ~= due or math.abs(due) > 2 ^ 53 then due = -1 end

local set_aside, names = 0, {}
local lanes = redis.call('ZRANGE', KEYS[7], 0, -1, 'WITHSCORES')
local held = 0
for i = 2, #lanes, 2 do
  if lanes[i - 1] == ARGV[2] then
    held = tonumber(lanes[i])
  else
    set_aside = set_aside + tonumber(lanes[i])
  end
end
if redis.call('EXISTS', KEYS[9]) == 1 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], now - 600000, '+inf')) do
    if tonumber(redis.call('ZSCORE', KEYS[8], name) or 0) <= now then
      names[#names + 1] = name
    end
  end
end

local answer = {
  math.max(0, waiting - tonumber(redis.call('GET', KEYS[6]) or 0)),
  redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4]),
  redis.call('EXISTS', KEYS[5]), math.floor(due), set_aside, held, following, #names
}
for _, name in ipairs(names) do answer[#answer + 1] = name end
for _, task in ipairs(oldest) do answer[#answer + 1] = task end
return answer
