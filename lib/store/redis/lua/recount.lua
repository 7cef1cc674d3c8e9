#!lua flags=allow-oom
-- Counts what is in flight in a queue with limits, by what it counts against: one
-- step of that, which reads so much of the lists of some of the workers. Workers
-- claim and settle meanwhile: they change what was counted as they change the
-- lists. At the end it takes the place of what was known before. Of workers that
-- are not named nobody knows: they have to ask again before they claim.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
--       4 ready (zset)    5 counting (hash): what was counted so far, by scope;
--       '@w:ID' of a worker all of whose tasks are; '@l:KEY' of a list of another
--       one: how many are, from its tail, or 'all'; '@touched', when, in ms
--       6 … the parts of the workers' in-flight lists, as many of each
-- ARGV  1 why: 'due': whether a check is; 'check': what is known may be right;
--       'begin': it has to be counted; 'anew': so that a count that is under way is
--       none; 'on': the next step
--       2 the count's name, which stands in `running` as '@count': who deletes
--       that makes the count worthless, too
--       3 '1': the last of the workers are among these
--       4 ms for which a count is good that was found right
--       5 how many tasks to read at most   6 bytes in all, about, at most
--       7 … ids of the workers
-- Returns 'done' (there is nothing more to do), 'due', 'more' (the same is to be asked
-- again), 'next' (the same of the next workers) or 'busy': another count is under
-- way.

local LIMITS, RUNNING, INDEX, READY, COUNTING = unpack(KEYS, 1, 5)
local LISTS, WORKERS = 5, 6
local why, name, last, good = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local want, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)

local function is_within(at, ms)
  return at and math.abs(now - tonumber(at)) < ms
end

-- Each worker asks this. The rest is for one of them, of all lists of all workers.
if why == 'due' or why == 'check' then
  if is_within(redis.call('HGET', RUNNING, '@at'), good) then return 'done' end
  if why == 'due' then return 'due' end
end

-- What has the wrong type fails here, before anything has changed.
redis.call('HLEN', LIMITS)
redis.call('ZCARD', READY)
redis.call('HLEN', COUNTING)
local total, n_held = 0, redis.call('ZCARD', INDEX)
for i = LISTS + 1, #KEYS do total = total + redis.call('LLEN', KEYS[i]) end
local known = redis.call('HMGET', RUNNING, 'q', '@full', '@count')

-- As many as were counted are taken for the same ones, but not for ever: a worker
-- that does not count may have put one in the place of another. All is read again
-- the more seldom the more there is to read.
local function is_right()
  local right = known[1] and (not last or tonumber(known[1]) == total) and
    is_within(known[2], good + total + n_held)
  if right then redis.call('HSET', RUNNING, '@at', stamp) end
  return right
end

if why == 'on' then
  if known[3] ~= name then return 'busy' end
else
  if why == 'check' and is_right() then return 'done' end
  if why ~= 'anew' and known[3] and
    is_within(redis.call('HGET', COUNTING, '@touched'), 1000) then return 'busy' end
  redis.call('UNLINK', COUNTING)
  redis.call('HSET', RUNNING, '@count', name)
end
redis.call('HSET', COUNTING, '@touched', stamp)

-- include limits
-- include reach

local counts, n_read = {}, 0
local function count(tasks)
  for scope, n in pairs((tally(tasks))) do counts[scope] = (counts[scope] or 0) + n end
  for _, task in ipairs(tasks) do spend(#task) end
  want, n_read = want - #tasks, n_read + #tasks
end

-- From the tail, which stays where it is. Returns whether it was read to its head.
local function read_list(list)
  local field = '@l:' .. list
  local at = redis.call('HGET', COUNTING, field)
  if at == 'all' then return true end
  at = tonumber(at or 0)
  if not scoped then
    n_read, at = n_read + redis.call('LLEN', list) - at, 'all'
  end
  while at ~= 'all' and want > 0 and budget > 0 do
    local n = reach(64, function(i)
      return redis.call('LINDEX', list, i < 0 and 0 or -at - 1 - i)
    end)
    local tasks = redis.call('LRANGE', list, -at - n, -at - 1)
    count(tasks)
    at = #tasks == n and at + n or 'all'
  end
  redis.call('HSET', COUNTING, field, at)
  return at == 'all'
end

local per_worker = (#KEYS - LISTS) / (#ARGV - WORKERS)
local function read_worker(i)
  local worker, fields = '@w:' .. ARGV[WORKERS + i], {}
  if redis.call('HEXISTS', COUNTING, worker) == 1 then return true end
  for k = LISTS + 1 + (i - 1) * per_worker, LISTS + i * per_worker do
    local list = KEYS[k]
    if not read_list(list) then return false end
    fields[#fields + 1] = '@l:' .. list
  end
  redis.call('HSET', COUNTING, worker, 1)
  redis.call('HDEL', COUNTING, unpack(fields))
  return true
end

local all = true
for i = 1, #ARGV - WORKERS do all = all and read_worker(i) end
redis.call('HINCRBY', COUNTING, 'q', n_read)
for scope, n in pairs(counts) do redis.call('HINCRBY', COUNTING, scope, n) end
if not all then return 'more' end
if not last then return 'next' end
redis.call('HDEL', COUNTING, '@touched')
redis.call('HSET', COUNTING, '@at', stamp, '@full', stamp, '@scan', '')
redis.call('UNLINK', RUNNING)
redis.call('RENAME', COUNTING, RUNNING)
return 'done'
