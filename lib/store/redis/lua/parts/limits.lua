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
local scoped, rated, by, queue_rule = false, false, nil, nil
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
    rated = true
    rule.interval = number('period') * 1000 / rate
    rule.depth = ((number('burst') or 1) - 1) * rule.interval
  end
  return rule
end

-- Where nothing is limited, this is one look at a key. Few rules are read at once;
-- of many, each when it is asked for.
local FEW = 64
local n_rules = redis.call('HLEN', LIMITS)
local named, grouped = n_rules > FEW, n_rules > FEW
rated = n_rules > FEW
if n_rules > 0 then
  local fields = n_rules > FEW and
    {'q', redis.call('HGET', LIMITS, 'q'), 'by', redis.call('HGET', LIMITS, 'by')} or
    redis.call('HGETALL', LIMITS)
  for i = 1, #fields, 2 do
    local scope, text = fields[i], fields[i + 1]
    if scope == 'by' then
      by = text or nil
    elseif scope == 'q' then
      queue_rule = rule_in(text) or nil
      rule_of_scope[scope] = queue_rule or false
    else
      rule_of_scope[scope] = rule_in(text)
      named = named or string.sub(scope, 1, 2) == 't:'
      grouped = grouped or string.sub(scope, 1, 1) == 'g'
    end
  end
  scoped = named or grouped
end

-- false: none.
local function rule_of(scope)
  local rule = rule_of_scope[scope]
  if rule == nil then
    rule = n_rules > FEW and rule_in(redis.call('HGET', LIMITS, scope))
    if not rule and #scope > 1 and string.byte(scope) == 103 then
      rule = rule_of_scope['g'] or (n_rules > FEW and rule_of('g'))
    end
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

-- Reads those that are not known, together.
local function read_counts(scopes)
  local unknown = {}
  for i = 1, #scopes do
    if not count_of_scope[scopes[i]] then unknown[#unknown + 1] = scopes[i] end
  end
  if #unknown == 0 then return end
  local counts = redis.call('HMGET', RUNNING, unpack(unknown))
  for i = 1, #unknown do count_of_scope[unknown[i]] = tonumber(counts[i] or 0) end
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

-- As Flowrra's programs write a task; escapes only decoding tells. A pattern would
-- take several times as long.
local find, cut = string.find, string.sub
local function skim(task)
  if cut(task, 1, 7) ~= '{"id":"' then return nil end
  local at = find(task, '"', 8, true)
  if not at or cut(task, at, at + 9) ~= '","name":"' then return nil end
  local stop = find(task, '"', at + 10, true)
  local name, group = cut(task, at + 10, (stop or 0) - 1), nil
  if find(name, '\\', 1, true) then return nil end
  if cut(task, stop, stop + 10) == '","group":"' then
    at, stop = stop + 11, find(task, '"', stop + 11, true)
    group = cut(task, at, (stop or 0) - 1)
    if group == '' or find(group, '\\', 1, true) then return nil end
  end
  return name, group
end

-- The name and the group, where they are needed. As most tasks are written, both
-- stand before the arguments, and only a task that has the word elsewhere, too, is
-- decoded.
local function read(task)
  local name, group = skim(task)
  if name and (group or not grouped or
    (not by and not find(task, '"group"', 1, true))) then return name, group end
  local ok, fields = pcall(cjson.decode, task)
  if not ok or type(fields) ~= 'table' then return nil, nil end
  group = fields['group']
  if type(group) ~= 'string' or group == '' then
    group = by and text_of(value_at(fields, by), task, by) or nil
  end
  return fields['name'], group
end

-- What it counts against, and is limited: of its name, of its group. nil: neither;
-- one of them is the first.
local scope_of_name, scope_of_group = {}, {}
local function scopes_of(task)
  if not scoped then return nil end
  local name, group = read(task)
  local first, second = false, group and scope_of_group[group]
  if named and type(name) == 'string' then
    first = scope_of_name[name]
    if first == nil then
      first = rule_of('t:' .. name) and 't:' .. name
      scope_of_name[name] = first
    end
  end
  if group and second == nil then
    second = 'g:' .. group
    if #group > 200 or find(group, '%c') then second = 'g:' .. redis.sha1hex(group) end
    second = rule_of(second) and second
    scope_of_group[group] = second
  end
  if first then return first, second or nil end
  return second or nil
end

-- Which members of INDEX are of a scope.
local function first_held(scope, n)
  return redis.call('ZRANGEBYLEX', INDEX, '[' .. scope .. '\0', '(' .. scope .. '\1',
    'LIMIT', 0, n)
end

-- Those of these scopes that hold tasks have their turn with those of the scope that
-- is next: they have room. Returns whether there are any that had none.
local n_held = redis.call('ZCARD', INDEX)
local function make_ready(scopes)
  if #scopes == 0 or n_held == 0 then return false end
  local head, turns = redis.call('ZRANGE', READY, 0, 0, 'WITHSCORES'), {}
  for i = 1, #scopes do
    if #first_held(scopes[i], 1) > 0 then
      turns[#turns + 1] = head[2] or 0
      turns[#turns + 1] = scopes[i]
    end
  end
  return #turns > 0 and redis.call('ZADD', READY, 'NX', unpack(turns)) > 0
end

-- How many tasks of each scope are among these, and the scopes.
local function tally(tasks)
  local counts, scopes = {}, {}
  local function add(scope)
    if not counts[scope] then scopes[#scopes + 1] = scope end
    counts[scope] = (counts[scope] or 0) + 1
  end
  for i = 1, scoped and #tasks or 0 do
    local first, second = scopes_of(tasks[i])
    if first then add(first) end
    if second then add(second) end
  end
  return counts, scopes
end

-- Adds so many to the counts of these scopes; one that is none goes.
local function write_counts(scopes, changes, sign)
  local set, gone = {}, {}
  read_counts(scopes)
  for i = 1, #scopes do
    local scope = scopes[i]
    local count = count_of_scope[scope] + sign * changes[scope]
    count_of_scope[scope] = math.max(count, 0)
    if count > 0 then
      set[#set + 1] = scope
      set[#set + 1] = string.format('%d', count)
    else
      gone[#gone + 1] = scope
    end
  end
  if #set > 0 then redis.call('HSET', RUNNING, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', RUNNING, unpack(gone)) end
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
-- whether others may start for that: of a scope that was full and holds some. A
-- worker whose own tasks were not counted makes the count worthless.
local function discharge(tasks, worker)
  if #uncounted > 0 then
    redis.call('HINCRBY', COUNTING, 'q', -#uncounted)
    for scope, n in pairs((tally(uncounted))) do
      if redis.call('HINCRBY', COUNTING, scope, -n) <= 0 then
        redis.call('HDEL', COUNTING, scope)
      end
    end
  end
  if #tasks == 0 then return false end
  local known = redis.call('HMGET', RUNNING, 'q', '@w:' .. worker)
  if not known[1] and (worker ~= '' or redis.call('EXISTS', RUNNING) == 0) then
    return false
  end
  if not known[2] then
    redis.call('UNLINK', RUNNING)
    return true
  end
  local left = redis.call('HINCRBY', RUNNING, 'q', -#tasks)
  local ready = queue_rule ~= nil and left + #tasks >= queue_rule.most
  local counts, scopes = tally(tasks)
  if #scopes > 0 then
    local free = {}
    write_counts(scopes, counts, -1)
    for i = 1, #scopes do
      local rule, count = rule_of(scopes[i]), count_of_scope[scopes[i]]
      if count < rule.most and count + counts[scopes[i]] >= rule.most then
        free[#free + 1] = scopes[i]
      end
    end
    ready = make_ready(free) or ready
  end
  return ready
end
