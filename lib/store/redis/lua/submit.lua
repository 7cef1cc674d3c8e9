-- Submits tasks that a plain LPUSH cannot: with a priority, a delay or a unique
-- key, or to a queue of limited length. A full server refuses it as a whole.
--
-- KEYS  1 queue (list)       2 levels (zset)    3 delayed (zset)
--       4 clock (hash)     5 how many withdrawn ones lie among the waiting
-- ARGV  1 limit of the queue's length, 0 for none
--       2 control channel    3 the wake order for this queue
--       then for each task:  priority, delay in ms, time in ms since 1970
--       that it is for (0: none), bytes, id, unique key (empty: none), seconds
--       that the key lasts
-- Returns for each task 1 (queued), 0 (the queue is full), 2 (it was queued
-- before, with this key), or the id of another task that has its unique key.

--- @include "include/delay.lua"

local limit = tonumber(ARGV[1])
local answers, wake = {}, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local length = 0

if limit > 0 then
  length = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) -
    tonumber(redis.call('GET', KEYS[5]) or 0)
  for _, level in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    length = length + redis.call('LLEN', '{' .. KEYS[1] .. '}:p:' .. level)
  end
end
for i = 4, #ARGV, 7 do
  local level, delay, at = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local task, id = ARGV[i + 3], ARGV[i + 4]
  local unique = ARGV[i + 5] ~= '' and '{' .. KEYS[1] .. '}:unique:' .. ARGV[i + 5]
  local owner = unique and redis.call('GET', unique)
  if owner then
    answers[#answers + 1] = owner == id and 2 or owner
  elseif limit > 0 and length >= limit then
    answers[#answers + 1] = 0
  else
    if unique then redis.call('SET', unique, id, 'EX', ARGV[i + 6]) end
    if delay > 0 then
      redis.call('ZADD', KEYS[3], score_of(delay, now, KEYS[4]), task)
      wake = true
    elseif at > now then
      redis.call('ZADD', KEYS[3], ARGV[i + 2], task)
      wake = true
    elseif level ~= '0' then
      redis.call('LPUSH', '{' .. KEYS[1] .. '}:p:' .. level, task)
      redis.call('ZADD', KEYS[2], level, level)
      wake = true
    else
      redis.call('LPUSH', KEYS[1], task)
    end
    length = length + 1
    answers[#answers + 1] = 1
  end
end
if wake then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return answers
