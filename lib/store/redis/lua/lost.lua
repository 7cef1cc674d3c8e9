-- Tells which tasks are in no place of their queue. All places are read in this one
-- step, so a task that moves is in one of them. What is too much to read is not
-- read.
--
-- KEYS  1 queue (list)     2 levels (zset)   3 delayed (zset)   4 dead (zset)
--       5 lanes (zset)     6 ids of workers (zset)
--       7 on their way to another queue (list)
--       8 … lists of the levels, lanes, and parts of workers' in-flight lists
-- ARGV  1 tasks to read at most   2 bytes of them to read, about, at most
--       then the tasks' ids
-- Returns for each 1 if it is nowhere, or 0. 'much' if there is too much to read, or
-- something that cannot be understood. Where a list is not in KEYS, returns
-- {levels}, {lanes}, {workers}.

-- More lists than tasks that may be read.
if redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[5]) +
  redis.call('ZCARD', KEYS[6]) > tonumber(ARGV[1]) then return 'much' end
local levels = redis.call('ZRANGE', KEYS[2], 0, -1)
local lanes = redis.call('ZRANGE', KEYS[5], 0, -1)
local workers = redis.call('ZRANGE', KEYS[6], 0, -1)
local known = {}
for i = 8, #KEYS do
  known[string.match(KEYS[i], '}(:%a+:.*)$')] = true
end
local function knows(kind, names)
  for _, name in ipairs(names) do
    if not known[kind .. name] then return false end
  end
  return true
end
if not knows(':p:', levels) or not knows(':lane:', lanes) or
  not knows(':inflight:', workers) then return {levels, lanes, workers} end

local total = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) +
  redis.call('LLEN', KEYS[7])
for i = 8, #KEYS do
  total = total + (string.find(KEYS[i], '}:lane:') and redis.call('ZCARD', KEYS[i])
    or redis.call('LLEN', KEYS[i]))
end
if total > tonumber(ARGV[1]) then return 'much' end

-- include member

local want, budget, there = math.huge, tonumber(ARGV[2]), {}

-- include reach

-- To take one out takes as long as to look through so many bytes.
local ID_BYTES = 32

-- Whatever might be a task's id counts: that of an argument, too, which at worst
-- keeps a record for longer. Where a character may be spelt in another way, only
-- decoding tells, which is too much for a large one.
local function see(task)
  spend(#task)
  if budget < 0 then return false end
  for id in string.gmatch(task, '"id"%s*:%s*"([^"]*)"') do
    there[id] = true
    budget = budget - ID_BYTES
    if budget < 0 then return false end
  end
  if not string.find(task, '\\', 1, true) then return true end
  if #task > LARGE then return not string.find(task, '\\[/u]') end
  -- That takes several times as long as to read it.
  budget = budget - 10 * #task
  if budget < 0 then return false end
  local fields = decode(task)
  if not fields then return false end
  if type(fields['id']) == 'string' then there[fields['id']] = true end
  return true
end

-- Returns false where it gave up.
local function read(command, key, stamp)
  local start, count, tasks = 0, 0, {}
  local function look(i)
    local at = i < 0 and -1 or start + i
    return redis.call(command, key, at, at)[1]
  end
  repeat
    if budget < 0 then return false end
    count = reach(32, look)
    tasks = redis.call(command, key, start, start + count - 1)
    for _, task in ipairs(tasks) do
      -- In a lane a stamp stands before each; a line before one that leaves.
      local text = stamp and string.sub(task, stamp + 1) or
        string.match(task, '\n(.*)') or ''
      if not see(text) then return false end
    end
    start = start + #tasks
  until #tasks < count
  return true
end

if not read('LRANGE', KEYS[1], 0) or not read('ZRANGE', KEYS[3], 0) or
  not read('LRANGE', KEYS[7], nil) then
  return 'much'
end
for i = 8, #KEYS do
  local lane = string.find(KEYS[i], '}:lane:')
  if not read(lane and 'ZRANGE' or 'LRANGE', KEYS[i], lane and 16 or 0) then
    return 'much'
  end
end

local answers = {}
for i = 3, #ARGV do
  answers[#answers + 1] =
    (there[ARGV[i]] or redis.call('ZSCORE', KEYS[4], ARGV[i])) and 0 or 1
end
return answers
