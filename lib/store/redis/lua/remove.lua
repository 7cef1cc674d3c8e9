#!lua flags=allow-oom
-- Looks for a task by its id among the delayed and the waiting, and takes it
-- out. Searches a stretch a call. What moves while a search is under way moves
-- to where the search has not been: so the delayed come first, the last due
-- first, and then the waiting, the newest first. Those that go to another queue are
-- looked for from the oldest on: they leave in that order, one after the other.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 delayed (zset)
--       4 how many withdrawn ones lie among the waiting
--       5 those that are on their way to another queue (list)
--       6 keys of unique tasks (hash)
--       7 … lists of the levels
-- ARGV  1 id
--       2 where to begin: 'd' (the delayed) or a level   3 tasks to leave out
--         there
--       4 how long to search, in µs, about
--       5 what stands in the place of a task that was withdrawn
--       6 not empty: a delayed one is not taken out, but due from now on, and only
--         those are searched; the control channel   7 the wake order
--       8 not empty: the task goes to KEYS[5], behind this, the time that it is for
--         (0: none), a space, its level, and a line break
-- Returns {where to go on, tasks to leave out there}, an empty place if all has
-- been searched, and then the task, if it was found; with KEYS[5] the place is that
-- of the task then, from which one that is behind it can be looked for. Looks into 64 levels a call.
-- Where a list of one of them is not in KEYS, returns a list of these levels in a
-- list, and has done nothing.

local id, place, start = ARGV[1], ARGV[2], tonumber(ARGV[3])
local effort, stamp, WINDOW = tonumber(ARGV[4]), 0, 64
-- To take one out of the middle of a list, the server would look at all that
-- lie before it. Farther from its ends than this, another is put in its place.
local NEAR = 20000
local UNIQUES = KEYS[6]
local has_uniques = redis.call('HLEN', UNIQUES) > 0
-- include member
-- include search
-- include unique

local leaves = ARGV[8] ~= ''
-- Its replacement, before it is taken out.
local function leave(due, level, member)
  if leaves then
    redis.call('RPUSH', KEYS[5], ARGV[8] .. due .. ' ' .. level .. '\n' .. member)
  end
end

local function remove(list, index, task)
  local behind = redis.call('LLEN', list) - 1 - index
  if math.min(index, behind) <= NEAR then
    redis.call('LREM', list, index <= behind and 1 or -1, task)
  else
    -- Counted first: one that nobody counts would be handed out.
    redis.call('INCR', KEYS[4])
    redis.call('LSET', list, index, ARGV[5])
  end
end

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[3])
redis.call('GET', KEYS[4])
redis.call('LLEN', KEYS[1])
redis.call('LLEN', KEYS[5])
local lists = {}
for i = 7, #KEYS do
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
    leave(string.format('%.0f', redis.call('ZSCORE', KEYS[3], task)), 0, task)
    redis.call('ZREM', KEYS[3], task)
    free_unique(task)
    return {leaves and 'd' or '', at, task}
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
      if not leaves then return redis.call('LRANGE', list, first, last) end
      local tasks, turned = redis.call('LRANGE', list, -1 - last, -1 - first), {}
      for i = #tasks, 1, -1 do turned[#turned + 1] = tasks[i] end
      return turned
    end)
    if task then
      leave(0, level, task)
      remove(list, leaves and redis.call('LLEN', list) - 1 - at or at, task)
      free_unique(task)
      return {leaves and level or '', at, task}
    end
    if at then return {level, at} end
  end
end
return {'', 0}
