#!lua flags=allow-oom
-- Makes tasks due that were put back since no living worker had their name, as one
-- has now. They lie among the delayed ones, and only their bytes tell which they
-- are: those due within some minutes are looked through, some at each call.
--
-- KEYS  1 delayed (zset)   2 unknown (zset)   3 served (zset)
-- ARGV  1 when the search began, in ms since 1970; '' for the first call
--       2 the score at which it goes on   3 how many of that score it has passed
--       4 ms from its beginning within which tasks are due
--       5 how many at most   6 bytes in all, about, at most   7 … names
-- Returns {how many were made due, when the search began, score, how many it has
-- passed there}; without the last two when it has ended. Then names of which no
-- task has been put back since are unknown no more.

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local began = tonumber(ARGV[1]) or now
local score, passed = ARGV[2], tonumber(ARGV[3]) or 0
local till = began + tonumber(ARGV[4])
local want, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local moved, names = 0, {}
-- Of a larger task both ends are read.
local LARGE = 16384

-- Another worker may have been faster; and a name may be unknown again.
for i = 7, #ARGV do
  local met = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]))
  local served = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[i]) or 0)
  if met and met <= began and served > now then names[ARGV[i]] = met end
end
local answer = {0, string.format('%.0f', began)}
if next(names) == nil then return answer end

-- include reach

local rank
local function look(i)
  local at = i < 0 and i or rank + i
  return redis.call('ZRANGE', KEYS[1], at, at)[1]
end

-- That takes several times as long as to read it.
local function decode(text)
  budget = budget - 4 * #text
  return pcall(cjson.decode, text)
end

-- What a worker has added stands at the end, and the name at the beginning: there
-- is little to decode. What is of another order, or has "unknown" in an argument,
-- leaves too many brackets, or too few: then all of it is, if it is small.
local function is_meant(task)
  local large = #task > LARGE
  local tail = large and string.sub(task, -LARGE) or task
  if not string.find(tail, '"unknown"', 1, true) then return false end
  local name = string.match(large and string.sub(task, 1, LARGE) or task,
    '^%s*{[^{%[]-"name"%s*:%s*"([^"\\]*)"')
  -- Without the ^ it would be tried at each place.
  local ok, fields = decode('{' .. string.match(tail, '^.*("unknown".*)$'))
  if not ok or not name then
    if large then return false end
    ok, fields = decode(task)
    if not ok or type(fields) ~= 'table' then return false end
    name = fields['name']
  end
  local times = fields['unknown']
  return type(times) == 'number' and times > 0 and names[name] ~= nil
end

-- Due ones need no recall. Of those that are made due, which come to stand before
-- all that follow, the order stays.
local function recall(task, at)
  if at ~= score then score, passed = at, 0 end
  if is_meant(task) then
    moved = moved + 1
    redis.call('ZADD', KEYS[1], string.format('%.3f', now - 1 + moved / 1000), task)
  else
    passed = passed + 1
  end
end

if (tonumber(score) or 0) > now then
  rank = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score) + passed
else
  rank = redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', now))
end
local more = true
while more and want > 0 and budget > 0 do
  local count = reach(100, look)
  local page = redis.call('ZRANGE', KEYS[1], rank, rank + count - 1, 'WITHSCORES')
  more = #page == 2 * count
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > till then
      more = false
      break
    end
    spend(#page[i])
    recall(page[i], page[i + 1])
    rank, want = rank + 1, want - 1
  end
end
answer[1] = moved
if more then
  answer[3], answer[4] = score, passed
  return answer
end
for name, met in pairs(names) do
  if met < began then redis.call('ZREM', KEYS[2], name) end
end
return answer
