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
--       5 how many levels a queue of limited length may have, since all of their
--         lists are counted
--       then for each task:  which of the KEYS it goes to, priority, delay in
--       ms, time in ms since 1970 that it is for (0: none), bytes, id, which of
--       the KEYS is its unique key (0: none), seconds that the key lasts
-- Returns for each task 1 (queued), 0 (the queue is full), 2 (it was queued
-- before, with this key), 3 (its level would be one too many, or there are too
-- many already), or the id of another task that has its unique key.
-- Where a list was needed that is not in KEYS, all there is in the answer is a
-- list of the levels, and nothing was done.

local limit, last = tonumber(ARGV[1]), 5 + tonumber(ARGV[4])
local most = tonumber(ARGV[5])
local answers, wake = {}, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What has the wrong type fails here, before anything has changed.
local length = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) -
  tonumber(redis.call('GET', KEYS[4]) or 0)
local counted, known, owners = {}, {}, {}
redis.call('ZCARD', KEYS[2])
local levels = limit > 0 and redis.call('ZRANGE', KEYS[2], 0, most) or {}
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
-- Delayed tasks and retries make levels as they need them, other programs too:
-- where there are more than are counted, the length is not known.
local n_levels = #levels
if n_levels <= most then
  for _, level in ipairs(levels) do
    if not counted[level] then return {levels} end
    known[level] = true
  end
end

local function is_too_many(level, waits)
  if limit == 0 or known[level] then return false end
  return n_levels > most or (waits and level ~= '0' and n_levels == most)
end

-- Each list has its tasks in one command.
local lists, pushed, kept = {}, {}, {}
local function push(list, task)
  if not pushed[list] then
    pushed[list] = {}
    lists[#lists + 1] = list
  end
  pushed[list][#pushed[list] + 1] = task
end

for i = 6, #ARGV, 8 do
  local list, level = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local delay, at = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local task, id = ARGV[i + 4], ARGV[i + 5]
  local unique = KEYS[tonumber(ARGV[i + 6])]
  local owner = unique and owners[unique]
  if owner then
    answers[#answers + 1] = owner == id and 2 or owner
  elseif limit > 0 and length >= limit then
    answers[#answers + 1] = 0
  elseif is_too_many(level, delay <= 0 and at <= now) then
    answers[#answers + 1] = 3
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
        if not known[level] then n_levels = n_levels + 1 end
        known[level] = true
        wake = true
      end
      push(list, task)
    end
    if unique then
      kept[#kept + 1] = {unique, id, ARGV[i + 7]}
      owners[unique] = id
    end
    length = length + 1
    answers[#answers + 1] = 1
  end
end
for _, list in ipairs(lists) do redis.call('LPUSH', list, unpack(pushed[list])) end
-- Last: a key without its task would swallow the task when it is sent again.
for _, key in ipairs(kept) do redis.call('SET', key[1], key[2], 'EX', key[3]) end
-- Who may not publish has queued all the same; workers look by themselves.
if wake then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
return answers
