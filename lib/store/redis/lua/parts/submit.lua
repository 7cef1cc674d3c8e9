-- Submits tasks to one queue: KEYS, ARGV and the answers are those of submit.lua.
local limit, last = tonumber(ARGV[1]), 6 + tonumber(ARGV[4])
local most = tonumber(ARGV[5])
local answers, wake = {}, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function name_of(key) return string.match(key, ':unique:(.*)$') end

-- The task that has a key until it starts, or ends; nil: none has, any more.
local function owner_in(key)
  local id, expires, till, due = string.match(
    redis.call('HGET', KEYS[6], name_of(key)) or '', '^(%S+) (%d+) (%a+) ?(%S*)$')
  if not id or tonumber(expires) <= now then return nil end
  return {id = id, till = till, due = due}
end

-- Writes the key of a task; of one that is delayed, when it is due.
local function keep(key, owner, due, seconds)
  owner.value = string.format('%s %.0f %s', owner.id, math.max(due, now) + seconds * 1000,
    owner.till)
  if due > now then
    owner.due = string.format('%.3f', due)
    owner.value = owner.value .. ' ' .. owner.due
  end
  owner.key = key
end

-- As all programs of Flowrra begin a task.
local function opening(id) return '{"id":"' .. string.gsub(id, '[\\"]', '\\%0') .. '"' end

-- Puts `task` in the place of the delayed one that has its key, under the id of
-- that. Returns whether it is there.
local function put_off(owner, task, id, due)
  local first, own = opening(owner.id), opening(id)
  if owner.due == '' or string.sub(task, 1, #own) ~= own then return false end
  local found = redis.call('ZRANGEBYSCORE', KEYS[3], owner.due, owner.due, 'LIMIT', 0, 256)
  for _, old in ipairs(found) do
    if string.sub(old, 1, #first) == first then
      local new = first .. string.sub(task, #own + 1)
      redis.call('ZADD', KEYS[3], string.format('%.3f', due), new)
      if new ~= old then redis.call('ZREM', KEYS[3], old) end
      return true
    end
  end
  return false
end

-- What has the wrong type fails here, before anything has changed.
local length = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) -
  tonumber(redis.call('GET', KEYS[4]) or 0)
local counted, known, owners = {}, {}, {}
redis.call('ZCARD', KEYS[2])
local levels = limit > 0 and redis.call('ZRANGE', KEYS[2], 0, most) or {}
local lanes = limit > 0 and redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES') or {}
for i = 2, #lanes, 2 do length = length + tonumber(lanes[i]) end
for i = 7, last do
  local level = string.match(KEYS[i], ':p:(-?%d+)$')
  if not counted[level] then
    counted[level] = true
    length = length + redis.call('LLEN', KEYS[i])
  end
end
for i = last + 1, #KEYS do
  local id = redis.call('GET', KEYS[i])
  owners[KEYS[i]] = id and {id = id} or owner_in(KEYS[i])
end
-- Delayed tasks and retries make levels as they need them, other programs too:
-- where there are more than are counted, the length is not known.
local n_levels = #levels
if n_levels <= most then
  for _, level in ipairs(levels) do
    if not counted[level] then return {levels} end
    known[level] = true
  end
end

-- So does what the user may not do, which else would be found out when the task is
-- there. What is written here was there, or has expired.
local function try_rights()
  local kept, debounced = false, false
  for i = 6, #ARGV, 9 do
    local unique, till = KEYS[tonumber(ARGV[i + 6])], ARGV[i + 8]
    if till ~= '' and not kept then
      local name = name_of(unique)
      redis.call('HSET', KEYS[6], name,
        redis.call('HGET', KEYS[6], name) or ARGV[i + 5] .. ' 0 end')
      kept = true
    end
    if till == 'debounce' and not debounced then
      redis.call('ZREM', KEYS[3], '')
      debounced = true
    end
  end
end
try_rights()

local function is_too_many(level, waits)
  if limit == 0 or known[level] then return false end
  return n_levels > most or (waits and level ~= '0' and n_levels == most)
end

-- Each list has its tasks in one command.
local lists, pushed, kept, n_done = {}, {}, {}, 0
local function push(list, task)
  if not pushed[list] then
    pushed[list] = {}
    lists[#lists + 1] = list
  end
  pushed[list][#pushed[list] + 1] = task
end

for i = 6, #ARGV, 9 do
  local list, level = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local delay, at = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local task, id = ARGV[i + 4], ARGV[i + 5]
  local unique = KEYS[tonumber(ARGV[i + 6])]
  local till, owner = ARGV[i + 8], unique and owners[unique]
  local due = math.max(at, delay > 0 and now + delay or 0)
  -- By that it is found again: so no two of a call are due at the same time.
  if till ~= '' and delay > 0 then due, n_done = due + n_done / 1000, n_done + 1 end
  local debounces = till == 'debounce' and owner and owner.till == 'start'
  if debounces and put_off(owner, task, id, due) then
    wake = wake or due < tonumber(owner.due)
    keep(unique, owner, due, ARGV[i + 7])
    kept[#kept + 1] = owner
    answers[#answers + 1] = owner.id == id and 2 or '\1' .. owner.id
  elseif owner and not debounces then
    answers[#answers + 1] = owner.id == id and 2 or owner.id
  elseif limit > 0 and length >= limit then
    answers[#answers + 1] = 0
  elseif is_too_many(level, delay <= 0 and at <= now) then
    answers[#answers + 1] = 3
  else
    if due > now then
      redis.call('ZADD', KEYS[3], string.format(till == '' and '%.0f' or '%.3f', due), task)
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
      owner = {id = id, key = unique, seconds = ARGV[i + 7]}
      if till ~= '' then
        owner.till = till == 'end' and till or 'start'
        keep(unique, owner, due, ARGV[i + 7])
      end
      kept[#kept + 1] = owner
      owners[unique] = owner
    end
    length = length + 1
    answers[#answers + 1] = 1
  end
end
for _, list in ipairs(lists) do redis.call('LPUSH', list, unpack(pushed[list])) end
-- Last: a key without its task would swallow the task when it is sent again.
for _, owner in ipairs(kept) do
  if owner.value then
    redis.call('HSET', KEYS[6], name_of(owner.key), owner.value)
  else
    redis.call('SET', owner.key, owner.id, 'EX', owner.seconds)
  end
end
-- Who may not publish has queued all the same; workers look by themselves.
if wake then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
return answers
