-- What a task counts against, and how many are in flight of that. The script has
-- the keys LIMITS (hash: rules by scope), RUNNING (hash: how many are in flight,
-- by scope), INDEX (zset: tasks that are held, by the scope that holds them, and
-- their stamp), READY (zset: scopes that hold tasks and have room, by turn) and
-- COUNTING (hash: what a count that is under way has found; see recount.lua).
--
-- A scope is 'q', the queue; 't:NAME', tasks of a name; 'g:KEY', a group. The rule
-- 'g' is that of each group without a rule of its own, and 'by' says where a
-- task's group stands that has no field for it. RUNNING is what can be counted in
-- the in-flight lists; where it is not known to be right, it is not there.
local scoped, by, queue_rule = false, nil, nil
local rule_of_scope, count_of_scope = {}, {}

-- At most `most` at once; and one for each `interval`, in µs, of which as many may
-- come at once as `depth`, in µs, has room for beside the first.
local function rule_in(text)
  if not text then return false end
  local function number(name)
    return tonumber(string.match(text, '"' .. name .. '":(%d+)'))
  end
  local rule, rate = {most = number('concurrency') or math.huge}, number('rate')
  if rate then
    rule.interval = number('period') * 1000 / rate
    rule.depth = ((number('burst') or 1) - 1) * rule.interval
  end
  return rule
end

-- Where nothing is limited, this is one look at a key.
local n_rules = redis.call('HLEN', LIMITS)
if n_rules > 0 then
  local first = redis.call('HMGET', LIMITS, 'q', 'by')
  if first[2] then by = first[2] end
  queue_rule = rule_in(first[1]) or nil
  scoped = n_rules > (first[1] and 1 or 0) + (first[2] and 1 or 0)
end

-- false: none.
local function rule_of(scope)
  local rule = rule_of_scope[scope]
  if rule == nil then
    rule = rule_in(redis.call('HGET', LIMITS, scope))
    if not rule and string.sub(scope, 1, 2) == 'g:' then rule = rule_of('g') end
    rule_of_scope[scope] = rule
  end
  return rule
end

local function count_of(scope)
  local count = count_of_scope[scope]
  if not count then
    count = tonumber(redis.call('HGET', RUNNING, scope) or 0)
    count_of_scope[scope] = count
  end
  return count
end

-- Of those that run at once; what its rate says, claim_limited.lua knows.
local function has_place(scope)
  local rule = rule_of(scope)
  return not rule or count_of(scope) < rule.most
end

-- The value at a path such as kwargs.tenant or args.0.
local function value_at(fields, path)
  for step in string.gmatch(path, '[^.]+') do
    if type(fields) ~= 'table' then return nil end
    local value = fields[step]
    if value == nil and tonumber(step) then value = fields[tonumber(step) + 1] end
    fields = value
  end
  return fields
end

-- A number as the task has it: read, a long one has lost digits, and another one
-- may be the same. Numbers behind the last step of the path come first.
local function number_of(value, task, path)
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return string.format('%.0f', value)
  end
  local step = string.gsub(string.match(path, '[^.]+$'), '%W', '%%%0')
  for _, before in ipairs({'"' .. step .. '"%s*:%s*', '[:,%[]%s*'}) do
    for text in string.gmatch(task, before .. '(%-?%d[%d.eE+-]*)') do
      if tonumber(text) == value then return text end
    end
  end
  return string.format('%.17g', value)
end

local function text_of(value, task, path)
  if type(value) == 'number' then return number_of(value, task, path) end
  if type(value) == 'boolean' then return tostring(value) end
  return type(value) == 'string' and value ~= '' and value or nil
end

-- The name and the group. As most tasks are written, both stand before the
-- arguments, and only a task that has the word elsewhere, too, is decoded.
local function read(task)
  local name, at, key = string.match(task,
    '^{"id": ?"[^"\\]*", ?"name": ?"([^"\\]*)", ?()"(%l+)"')
  if key == 'group' then
    local group = string.match(task, '^"group": ?"([^"\\]+)"', at)
    if group then return name, group end
  elseif name and not by and not string.find(task, '"group"', at, true) then
    return name, nil
  end
  local ok, fields = pcall(cjson.decode, task)
  if not ok or type(fields) ~= 'table' then return nil, nil end
  local group = fields['group']
  if type(group) ~= 'string' or group == '' then
    group = by and text_of(value_at(fields, by), task, by) or nil
  end
  return fields['name'], group
end

-- Those that have a limit: of its name, of its group.
local none = {}
local function scopes_of(task)
  if not scoped then return none end
  local scopes = {}
  local name, group = read(task)
  if type(name) == 'string' and rule_of('t:' .. name) then
    scopes[1] = 't:' .. name
  end
  if group then
    if #group > 200 or string.find(group, '%c') then group = redis.sha1hex(group) end
    if rule_of('g:' .. group) then scopes[#scopes + 1] = 'g:' .. group end
  end
  return scopes
end

-- Which members of INDEX are of a scope.
local function first_held(scope, n)
  return redis.call('ZRANGEBYLEX', INDEX, '[' .. scope .. '\0', '(' .. scope .. '\1',
    'LIMIT', 0, n)
end

-- It has room: its tasks have their turn with those of the scope that is next.
local function make_ready(scope)
  if redis.call('ZSCORE', READY, scope) or #first_held(scope, 1) == 0 then
    return false
  end
  local head = redis.call('ZRANGE', READY, 0, 0, 'WITHSCORES')
  redis.call('ZADD', READY, head[2] or 0, scope)
  return true
end

-- How many tasks of each scope are among these.
local function tally(tasks)
  local counts = {}
  for i = 1, scoped and #tasks or 0 do
    for _, scope in ipairs(scopes_of(tasks[i])) do
      counts[scope] = (counts[scope] or 0) + 1
    end
  end
  return counts
end

local function lower(counts_key, scope, n)
  local left = redis.call('HINCRBY', counts_key, scope, -n)
  if left <= 0 then redis.call('HDEL', counts_key, scope) end
  return left
end

-- How many tasks of a worker's list the count that is under way has read, from
-- the tail.
local counting = redis.call('HLEN', COUNTING) > 0
local function read_of(list, worker)
  local known = redis.call('HMGET', COUNTING, '@w:' .. worker, '@l:' .. list)
  if known[1] or known[2] == 'all' then return math.huge end
  return tonumber(known[2] or 0)
end

-- Takes a task out of an in-flight list, as LREM does. Returns whether it was there.
local uncounted = {}
local function leave(list, from, task, worker)
  local read = counting and read_of(list, worker) or 0
  local at = read > 0 and redis.call('LPOS', list, task, 'RANK', from)
  if at and redis.call('LLEN', list) - at <= read then
    uncounted[#uncounted + 1] = task
    if read < math.huge then redis.call('HINCRBY', COUNTING, '@l:' .. list, -1) end
  end
  return redis.call('LREM', list, from, task) > 0
end

-- These tasks are not in flight any more: leave() has taken them out. Returns
-- whether others may start for that. A worker whose own tasks were not counted
-- makes the count worthless.
local function discharge(tasks, worker)
  if #uncounted > 0 then
    redis.call('HINCRBY', COUNTING, 'q', -#uncounted)
    for scope, n in pairs(tally(uncounted)) do lower(COUNTING, scope, n) end
  end
  if #tasks == 0 or redis.call('EXISTS', RUNNING) == 0 then return false end
  local known = redis.call('HMGET', RUNNING, 'q', '@w:' .. worker)
  if not known[1] and worker ~= '' then return false end
  if not known[2] then
    redis.call('UNLINK', RUNNING)
    return true
  end
  local ready = queue_rule ~= nil and count_of('q') >= queue_rule.most
  redis.call('HINCRBY', RUNNING, 'q', -#tasks)
  for scope, n in pairs(tally(tasks)) do
    count_of_scope[scope] = lower(RUNNING, scope, n)
    if has_place(scope) and make_ready(scope) then ready = true end
  end
  return ready
end
