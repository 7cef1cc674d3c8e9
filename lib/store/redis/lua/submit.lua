-- Submits tasks that a plain LPUSH cannot: with a priority, a delay or a unique
-- key, or to a queue of limited length. A full server refuses it as a whole.
--
-- KEYS  1 queue (list)       2 levels (zset)    3 delayed (zset)
--       4 how many withdrawn ones lie among the waiting
--       5 lanes (zset)
--       6 … lists of levels: those that the tasks go to, and, where the length
--       is limited, all that are known; then the tasks' unique keys
-- ARGV  1 limit of the queue's length, 0 for none
--       2 control channel    3 the wake order for this queue
--       4 how many of the KEYS are lists of levels
--       then for each task:  which of the KEYS it goes to, priority, delay in
--       ms, time in ms since 1970 that it is for (0: none), bytes, id, which of
--       the KEYS is its unique key (0: none), seconds that the key lasts
-- Returns for each task 1 (queued), 0 (the queue is full), 2 (it was queued
-- before, with this key), or the id of another task that has its unique key.
-- Where a list was needed that is not in KEYS, all there is in the answer is a
-- list of the levels, and nothing was done.

local limit, last = tonumber(ARGV[1]), 5 + tonumber(ARGV[4])
local answers, wake = {}, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What has the wrong type fails here, before anything has changed.
local length = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) -
  tonumber(redis.call('GET', KEYS[4]) or 0)
local levels, counted, owners = redis.call('ZRANGE', KEYS[2], 0, -1), {}, {}
local lanes = limit > 0 and redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES') or {}
for i = 2, #lanes, 2 do length = length + tonumber(lanes[i]) end
for i = 6, last do
  local level = string.match(KEYS[i], ':p:(-?%d+)$')
  if not counted[level] then
    counted[level] = true
    length = length + redis.call('LLEN', KEYS[i])
  end
end
for i = last + 1, #KEYS do owners[KEYS[i]] = redis.call('GET', KEYS[i]) end
for _, level in ipairs(levels) do
  if limit > 0 and not counted[level] then return {levels} end
end

for i = 5, #ARGV, 8 do
  local list, level = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local delay, at = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local task, id = ARGV[i + 4], ARGV[i + 5]
  local unique = KEYS[tonumber(ARGV[i + 6])]
  local owner = unique and owners[unique]
  if owner then
    answers[#answers + 1] = owner == id and 2 or owner
  elseif limit > 0 and length >= limit then
    answers[#answers + 1] = 0
  else
    if delay > 0 then
      redis.call('ZADD', KEYS[3], string.format('%.0f', now + delay), task)
      wake = true
    elseif at > now then
      redis.call('ZADD', KEYS[3], ARGV[i + 3], task)
      wake = true
    else
      -- A level without a task does no harm; a task without its level waits
      -- for ever.
      if level ~= '0' then
        redis.call('ZADD', KEYS[2], level, level)
        wake = true
      end
      redis.call('LPUSH', list, task)
    end
    -- Last: a key without its task would swallow the task when it is sent
    -- again.
    if unique then
      redis.call('SET', unique, id, 'EX', ARGV[i + 7])
      owners[unique] = id
    end
    length = length + 1
    answers[#answers + 1] = 1
  end
end
-- Who may not publish has queued all the same; workers look by themselves.
if wake then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
return answers
