#!lua flags=allow-oom
-- Claims tasks of a queue that has limits: as claim.lua, but what may not run yet
-- is set aside where it is met, once, in the order of its scope, and is not in the
-- way of what is behind it. What was set aside and may run now comes first, in
-- turns of the scopes that have some.
--
-- KEYS  1 queue (list, priority 0)   2 levels (zset)   3 in-flight list
--       4 paused   5 how many withdrawn ones lie among the waiting
--       6 lanes (zset)   7 limits (hash)   8 running (hash)
--       9 tasks that are held (a lane)   10 index of these (zset)   11 ready (zset)
--       12 when each scope with a rate may start one that finds no other (zset, in
--       µs since 1970)   13 scopes that hold tasks and wait for their rate (the
--       same)   14 counting (hash)   15 keys of unique tasks (hash)
--       16 idle workers (zset)   17 who is told of new tasks
--       18 … lists of the levels that the worker knows, and lanes of tasks that it
--       can run
-- ARGV  1 how many at most           2 bytes of the largest task to hand out
--       3 bytes in all at most
--       4 what stands in the place of a task that was withdrawn
--       5 the worker's id            6 the name of the lane of held tasks
--       7 how many tasks to look at, about, at most
--       8 control channel   9 the wake order for this queue
--       10 '1': it can be told of new tasks
-- Returns {why there are not more, the levels, names of lanes, ms until a rate has
-- room again that some wait for, or -1, 1 if this worker is to be told of new
-- tasks, the tasks …}:
-- 'more' (there may be, to be asked for again), 'empty', 'full' (as many are in
-- flight as the queue may have, or its rate has no room), 'levels' (the lists of these are not in KEYS),
-- 'paused', 'count' (the tasks in flight have to be counted first), or 'none': the
-- queue has no limits, and holds nothing. In place of a task that is too large
-- stands ''.

local LIMITS, RUNNING, HELD, INDEX, READY, TATS, RESTING, COUNTING, UNIQUES, IDLERS,
  WATCHER = unpack(KEYS, 7, 17)
local want, largest, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local effort, answer = tonumber(ARGV[7]), {'empty', {}, {'lanes'}, -1, 0}

if redis.call('EXISTS', KEYS[4]) == 1 then return {'paused'} end
-- What has the wrong type fails here, before anything has changed.
redis.call('LLEN', KEYS[1])
redis.call('LLEN', KEYS[3])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', READY)
local rates = redis.call('ZCARD', TATS) + redis.call('ZCARD', RESTING) > 0
local idlers = redis.call('ZCARD', IDLERS)
local has_uniques = redis.call('HLEN', UNIQUES) > 0
local withdrawn = redis.call('GET', KEYS[5])
local watcher = redis.call('GET', WATCHER) or ''
if redis.call('ZCARD', HELD) == 0 and redis.call('EXISTS', LIMITS) == 0 then
  redis.call('UNLINK', RUNNING, INDEX, READY, TATS, RESTING, COUNTING, IDLERS, WATCHER)
  return {'none'}
end

-- include limits
-- include unique
-- include wake

if redis.call('HEXISTS', RUNNING, '@w:' .. ARGV[5]) == 0 then return {'count'} end
local now = redis.call('TIME')
local us = now[1] * 1000000 + now[2]

-- A rate: the time at which the next one would be due if they came evenly. It may be
-- ahead of the clock by as much as a burst has; what is more comes of a clock that
-- was set back.
local tat_of_scope, spent = {}, {}
local function tat_of(scope, rule)
  local tat = tat_of_scope[scope]
  if not tat then
    tat = math.max(us, tonumber(redis.call('ZSCORE', TATS, scope) or 0))
    if tat > us + rule.depth + rule.interval then
      tat = us + rule.depth + rule.interval
      redis.call('ZADD', TATS, tat, scope)
    end
    tat_of_scope[scope] = tat
  end
  return tat
end

local function rests_until(scope)
  local rule = rule_of(scope)
  return rule and rule.interval and tat_of(scope, rule) - rule.depth or us
end

local function has_room(scope)
  local rule = rule_of(scope)
  return not rule or (count_of(scope) < rule.most and
    (not rule.interval or tat_of(scope, rule) - rule.depth <= us))
end

local function spend(scope, n)
  local rule = rated and rule_of(scope)
  if rule and rule.interval then
    tat_of_scope[scope] = tat_of(scope, rule) + n * rule.interval
    spent[scope] = true
  end
end

-- Its tasks have no turn before that.
local function rest(scope)
  local till = rests_until(scope)
  if till > us and has_place(scope) then
    redis.call('ZADD', RESTING, till, scope)
    rates = true
  end
end

local function until_rested(rested)
  if not rates then return rested < math.huge and math.ceil((rested - us) / 1000) or -1 end
  local first = redis.call('ZRANGE', RESTING, 0, 0, 'WITHSCORES')[2]
  first = math.min(tonumber(first or math.huge), rested)
  return first < math.huge and math.max(0, math.ceil((first - us) / 1000)) or -1
end

if rates then redis.call('ZREMRANGEBYSCORE', TATS, '-inf', us) end
local room = queue_rule and queue_rule.most - count_of('q') or math.huge
local rested = math.huge
if queue_rule and queue_rule.interval then
  local ahead = tat_of('q', queue_rule) - us
  room = math.min(room, math.floor((queue_rule.depth - ahead) / queue_rule.interval) + 1)
  rested = rests_until('q')
end
-- A worker that has room and finds nothing waits until it is woken. One of these, the
-- watcher, is told of new tasks, too, and looks again every second (limit.c): when
-- its key has expired, it is dead, and the next one to notice takes its place. While
-- the queue is full nobody has to be told: '' says that one has just looked.
local WATCHER_MS = 1500
local function note_idle(empty)
  redis.call('ZADD', IDLERS, string.format('%d', us / 1000), ARGV[5])
  if ARGV[10] ~= '1' or (watcher ~= '' and watcher ~= ARGV[5]) then return 0 end
  redis.call('SET', WATCHER, empty and ARGV[5] or '', 'PX', WATCHER_MS)
  return empty and 1 or 0
end

-- This one has all that it wants. What there may be besides is another one's, who
-- does the same; and who waited for new tasks has somebody follow.
local function note_busy(more)
  if idlers == 0 then return end
  redis.call('ZREM', IDLERS, ARGV[5])
  local watched = watcher == ARGV[5]
  if watched then redis.call('DEL', WATCHER) end
  if more or watched then wake_one(ARGV[8], ARGV[9]) end
end

if room <= 0 then
  note_idle(false)
  return {'full', {}, {'lanes'}, until_rested(rested > us and rested or math.huge), 0}
end
local limited = room <= want
want = math.min(want, room)

-- Tasks that this call has taken, and the scopes whose counts it has changed.
local claimed, n_charged, changed = {}, 0, {}
local n_stamps, held_new, index_new = 0, {}, {}

-- include lanes

find_lanes(18, ARGV[6])
for name in pairs(others) do table.insert(answer[3], name) end

-- What ends a script: in flight first, then counted, then taken out.
local function record(tasks)
  if #tasks > 0 then redis.call('LPUSH', KEYS[3], unpack(tasks)) end
  n_charged = n_charged + #tasks
  for _, task in ipairs(has_uniques and tasks or {}) do free_unique(task, true) end
end

local function charge(scope)
  changed[scope] = (changed[scope] or 0) + 1
  count_of_scope[scope] = count_of(scope) + 1
  spend(scope, 1)
end

local function claim(task, first, second, tasks)
  if first then charge(first) end
  if second then charge(second) end
  tasks[#tasks + 1] = task
  claimed[#claimed + 1] = #task <= largest and task or ''
  budget = budget - #task
end

-- By level, and in each by the time at which it was met: 16 bytes, as in a lane.
local function stamp(level)
  n_stamps = n_stamps + 1
  return struct.pack('>I4I8I4', level + 2147483648, us, n_stamps)
end

-- The first scope in which it may not run now; or in which others that came before
-- have not had their turn.
local waiting_turns = false
local function blocks(scope)
  return scope and (not has_room(scope) or
    (waiting_turns and redis.call('ZSCORE', READY, scope)))
end

local function hold(task, scope, level)
  local mark = stamp(level)
  held_new[#held_new + 1] = '0'
  held_new[#held_new + 1] = mark .. task
  index_new[#index_new + 1] = '0'
  index_new[#index_new + 1] = scope .. '\0' .. mark
  rest(scope)
end

local function record_held()
  if #held_new == 0 then return end
  redis.call('ZADD', HELD, unpack(held_new))
  redis.call('ZADD', INDEX, unpack(index_new))
  held_new, index_new = {}, {}
end

-- After a count nobody knows which scopes that hold tasks have room.
local function find_ready()
  local from = redis.call('HGET', RUNNING, '@scan')
  while from and effort > 0 do
    local found = redis.call('ZRANGEBYLEX', INDEX,
      from == '' and '-' or '(' .. from .. '\1', '+', 'LIMIT', 0, 1)
    if #found == 0 then
      redis.call('HDEL', RUNNING, '@scan')
      return true
    end
    from = string.sub(found[1], 1, -18)
    if has_place(from) then make_ready({from}) end
    effort = effort - 1
  end
  if from then redis.call('HSET', RUNNING, '@scan', from) end
  return not from
end

-- One task of a scope that has its turn. One that was cancelled is only in the
-- index; one that another scope holds goes there, its place among its like kept.
-- What is to be done for it follows in `round`.
local function serve(scope, turn, round)
  effort = effort - 1
  local first = first_held(scope, 2)
  if #first == 0 or not has_room(scope) then
    round.over[#round.over + 1] = scope
    if #first > 0 then rest(scope) end
    return
  end
  local mark = string.sub(first[1], -16)
  local held = redis.call('ZRANGEBYLEX', HELD, '[' .. mark, '(' .. mark .. '\255',
    'LIMIT', 0, 1)[1]
  if held then
    local task = string.sub(held, 17)
    local one, two = scopes_of(task)
    local other = two and not has_room(two) and two or
      one and not has_room(one) and one
    if other then
      redis.call('ZADD', INDEX, 0, other .. '\0' .. mark)
      rest(other)
    else
      claim(task, one, two, round.tasks)
      round.members[#round.members + 1] = held
    end
  end
  round.marks[#round.marks + 1] = first[1]
  if #first == 2 and has_room(scope) then
    round.turns[#round.turns + 1] = string.format('%d', turn + 1)
    round.turns[#round.turns + 1] = scope
  else
    round.over[#round.over + 1] = scope
    if #first == 2 then rest(scope) end
  end
end

-- Those whose rate has room by now have their turn. One that would rest for longer
-- than its rate says has done so since before the clock was set back.
local function wake_rested()
  if not rates then return true end
  for _ = 1, 256 do
    local first = redis.call('ZRANGE', RESTING, 0, 0, 'WITHSCORES')
    local till = first[1] and rests_until(first[1])
    if not till or tonumber(first[2]) <= till then break end
    redis.call('ZADD', RESTING, till, first[1])
    if till <= us then break end
  end
  local scopes = redis.call('ZRANGEBYSCORE', RESTING, '-inf', us, 'LIMIT', 0, 256)
  make_ready(scopes)
  if #scopes > 0 then redis.call('ZREM', RESTING, unpack(scopes)) end
  return #scopes < 256
end

local function drop(key, members)
  if #members > 0 then redis.call('ZREM', key, unpack(members)) end
end

local function serve_ring()
  while #claimed < want and budget > 0 and effort > 0 do
    local ring = redis.call('ZRANGE', READY, 0,
      math.min(want - #claimed, effort, 256) - 1, 'WITHSCORES')
    if #ring == 0 then return end
    local scopes = {}
    for i = 1, #ring, 2 do scopes[#scopes + 1] = ring[i] end
    read_counts(scopes)
    local round = {tasks = {}, members = {}, marks = {}, turns = {}, over = {}}
    for i = 1, #ring, 2 do
      if budget > 0 then serve(ring[i], tonumber(ring[i + 1]), round) end
    end
    record(round.tasks)
    drop(HELD, round.members)
    drop(INDEX, round.marks)
    drop(READY, round.over)
    if #round.turns > 0 then redis.call('ZADD', READY, unpack(round.turns)) end
  end
end

-- What each counts against; and reads the counts of that.
local function scopes_of_all(tasks)
  local firsts, seconds, seen = {}, {}, {}
  for i = 1, #tasks do
    local first, second = scopes_of(tasks[i])
    firsts[i], seconds[i] = first or false, second or false
    if first then seen[first] = true end
    if second then seen[second] = true end
  end
  local scopes = {}
  for scope in pairs(seen) do scopes[#scopes + 1] = scope end
  read_counts(scopes)
  return firsts, seconds
end

-- Of `found`, those that may run are claimed, and the others held, until there is
-- no more want. Returns how many were looked at.
local function judge(found, level_of)
  local tasks, gone, done = {}, 0, 0
  local firsts, seconds
  if scoped then firsts, seconds = scopes_of_all(found) end
  for i, task in ipairs(found) do
    if #claimed >= want or budget <= 0 then break end
    done = done + 1
    if withdrawn and task == ARGV[4] then
      gone = gone + 1
    elseif not scoped then
      claim(task, nil, nil, tasks)
    else
      local first, second = firsts[i], seconds[i]
      local scope = blocks(first) and first or blocks(second) and second
      if scope then
        hold(task, scope, level_of(i))
      else
        claim(task, first, second, tasks)
      end
    end
  end
  effort = effort - done
  record_held()
  record(tasks)
  if gone > 0 and redis.call('DECRBY', KEYS[5], gone) <= 0 then
    redis.call('DEL', KEYS[5])
  end
  return done
end

-- How many to read at once: copied, whatever their size.
local step = 4
local function reach(look)
  local count = math.max(1, math.min(step, effort))
  while count > 1 and #(look(count) or look(-1) or '') * count > 2 * budget do
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(4 * step, 128)
  return count
end

local function wants() return #claimed < want and budget > 0 and effort > 0 end

-- Takes from one list; returns whether it was emptied.
local function take(list, level)
  local function same() return tonumber(level) end
  while wants() do
    local count = reach(function(i) return redis.call('LINDEX', list, -i) end)
    local tasks = redis.call('LRANGE', list, -count, -1)
    local found = {}
    for i = #tasks, 1, -1 do found[#found + 1] = tasks[i] end
    local done = judge(found, same)
    if done > 0 then redis.call('LTRIM', list, 0, -1 - done) end
    if done == #tasks and #tasks < count then return true end
  end
  return false
end

-- What was set aside for want of a worker comes before the rest of its priority.
local function take_lanes(level)
  while #lanes > 0 and wants() do
    local lane = first_lane()
    if not lane or lane.score > level then return end
    local function same() return lane.score end
    local count = reach(function(i)
      local at = i < 0 and -1 or i - 1
      return redis.call('ZRANGE', lane.key, at, at)[1]
    end)
    local members = redis.call('ZRANGEBYSCORE', lane.key, lane.score, lane.score,
      'LIMIT', 0, count)
    local tasks = {}
    for i, member in ipairs(members) do tasks[i] = string.sub(member, 17) end
    local done = judge(tasks, same)
    if done > 0 then redis.call('ZREM', lane.key, unpack(members, 1, done)) end
    note_lane(lane.name, lane.key)
  end
end

-- include order

if find_ready() and wake_rested() then
  serve_ring()
  waiting_turns = redis.call('ZCARD', READY) > 0
  -- The most urgent; those behind come when these are empty.
  local levels = redis.call('ZRANGE', KEYS[2], 0, WINDOW - 1)
  answer[1] = wants() and take_in_order(levels) or 'more'
  if answer[1] == 'levels' then answer[2] = levels end
else
  answer[1] = 'more'
end

if n_charged > 0 then
  spend('q', n_charged)
  local counts = {'q', count_of('q') + n_charged}
  for scope in pairs(changed) do
    counts[#counts + 1] = scope
    counts[#counts + 1] = string.format('%d', count_of_scope[scope])
  end
  redis.call('HSET', RUNNING, unpack(counts))
  if counting and read_of(KEYS[3], ARGV[5]) == math.huge then
    redis.call('HINCRBY', COUNTING, 'q', n_charged)
    for scope, n in pairs(changed) do redis.call('HINCRBY', COUNTING, scope, n) end
  end
end
note_lane(ARGV[6], HELD)
for scope in pairs(spent) do redis.call('ZADD', TATS, tat_of_scope[scope], scope) end
if limited and #claimed >= want then answer[1] = 'full' end
rested = rests_until('q')
answer[4] = until_rested(rested > us and rested or math.huge)
if #claimed >= tonumber(ARGV[1]) then
  note_busy(answer[1] == 'more')
elseif answer[1] == 'empty' or answer[1] == 'full' then
  answer[5] = note_idle(answer[1] == 'empty')
end
for _, task in ipairs(claimed) do answer[#answer + 1] = task end
return answer
