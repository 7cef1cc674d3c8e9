#!lua flags=allow-oom
-- Looks for a task by its id among the delayed and the waiting, and takes it
-- out. Searches a stretch a call. What moves while a search is under way moves
-- to where the search has not been: so the delayed come first, the last due
-- first, and then the waiting, the newest first.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 delayed (zset)
--       4 how many withdrawn ones lie among the waiting
--       5 … lists of the levels
-- ARGV  1 id
--       2 where to begin: 'd' (the delayed) or a level   3 tasks to leave out
--         there
--       4 how long to search, in µs, about
--       5 what stands in the place of a task that was withdrawn
--       6 not empty: a delayed one is not taken out, but due from now on, and only
--         those are searched; the control channel   7 the wake order
-- Returns {where to go on, tasks to leave out there}, an empty place if all has
-- been searched, and then the task, if it was found. Looks into 64 levels a call.
-- Where a list of one of them is not in KEYS, returns a list of these levels in a
-- list, and has done nothing.

local id, place, start = ARGV[1], ARGV[2], tonumber(ARGV[3])
local effort, WINDOW = tonumber(ARGV[4]), 64
-- To take one out of the middle of a list, the server would look at all that
-- lie before it. Farther from its ends than this, another is put in its place.
local NEAR = 20000
-- As it is written in JSON, by most. Others write "\/", or any character as
-- \u and its number: then only a look at the whole tells; of a large one, an id
-- that stands before all brackets, where most have it, spares that.
local spelt = '"' .. string.gsub(id, '[\\"]', '\\%0') .. '"'

local seen, spent = 0, 0
local function is_it(task)
  local cost = 0.8 + #task * 0.0015
  effort, seen, spent = effort - cost, seen + 1, spent + cost
  if not string.find(task, spelt, 1, true) and
    not (string.find(task, '\\', 1, true) and string.find(task, '\\[/u]')) then
    return false
  end
  local head = #task > 16384 and
    string.match(string.sub(task, 1, 16384), '^%s*{[^{%[]-"id"%s*:%s*"([^"\\]*)"')
  if head then return head == id end
  effort = effort - #task * 0.02
  local ok, fields = pcall(cjson.decode, task)
  if ok then return type(fields) == 'table' and fields['id'] == id end
  -- No task that a worker takes. An id that stands before all brackets is its.
  local first, behind = string.find(task, '^%s*{[^{%[]-"id"%s*:%s*')
  return first ~= nil and string.sub(task, behind + 1, behind + #spelt) == spelt
end

local function remove(list, index, task)
  local behind = redis.call('LLEN', list) - index
  if index <= NEAR then
    redis.call('LREM', list, 1, task)
  elseif behind <= NEAR then
    redis.call('LREM', list, -1, task)
  else
    -- Counted first: one that nobody counts would be handed out.
    redis.call('INCR', KEYS[4])
    redis.call('LSET', list, index, ARGV[5])
  end
end

-- How many to read at once, since what is read is copied, whatever its size: as
-- many as there is time for if they are like those before, and like the last of
-- them.
local step = 1
local function reach(get)
  local count = math.min(step, 1 + math.floor(effort * seen / math.max(spent, 0.1)))
  while count > 1 do
    local last = get(start + count - 1, start + count - 1)[1] or get(-1, -1)[1] or ''
    if #last * count * 0.0015 <= effort then break end
    effort = effort - #last * 0.0015
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, 500)
  return count
end

-- Searches what get(first, last) gives. Returns the task and its index; or
-- where to go on (a little before, since others may take tasks out, too); or
-- nothing at the end.
local function search(get)
  local first = start
  while effort > 0 do
    local count = reach(get)
    local tasks = get(start, start + count - 1)
    for i, task in ipairs(tasks) do
      if is_it(task) then return task, start + i - 1 end
    end
    start = start + #tasks
    if #tasks < count then return nil, nil end
  end
  return nil, start - math.min(64, math.floor((start - first) / 2))
end

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[3])
redis.call('GET', KEYS[4])
redis.call('LLEN', KEYS[1])
local lists = {}
for i = 5, #KEYS do
  redis.call('LLEN', KEYS[i])
  lists[string.match(KEYS[i], ':p:(-?%d+)$')] = KEYS[i]
end
lists['0'] = KEYS[1]
local from = tonumber(place)
-- One more tells where the next call begins.
local known = redis.call('ZRANGE', KEYS[2], from or '+inf', '-inf', 'BYSCORE', 'REV',
  'LIMIT', 0, WINDOW + 1)
local following = known[WINDOW + 1]

if place == 'd' then
  local task, at = search(function(first, last)
    return redis.call('ZREVRANGE', KEYS[3], first, last)
  end)
  if task and ARGV[6] ~= '' then
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[3], math.floor(now[1] * 1000 + now[2] / 1000), task)
    redis.pcall('PUBLISH', ARGV[6], ARGV[7])
    return {'', 0, task}
  end
  if task then
    redis.call('ZREM', KEYS[3], task)
    return {'', 0, task}
  end
  if at then return {'d', at} end
  if ARGV[6] ~= '' then return {'', 0} end
  start = 0
end

local levels, plain = {}, false
for _, level in ipairs(known) do
  if not lists[level] and (level ~= following or not tonumber(level)) then
    return {{unpack(known, 1, WINDOW)}}
  end
  if tonumber(level) < 0 and not plain then
    levels[#levels + 1] = '0'
    plain = true
  end
  levels[#levels + 1] = level
end
if not plain then levels[#levels + 1] = '0' end

for _, level in ipairs(levels) do
  if not from or tonumber(level) <= from then
    if level == following then return {level, 0} end
    if tonumber(level) ~= from then start = 0 end
    local list = lists[level]
    local task, at = search(function(first, last)
      return redis.call('LRANGE', list, first, last)
    end)
    if task then
      remove(list, at, task)
      return {'', 0, task}
    end
    if at then return {level, at} end
  end
end
return {'', 0}
