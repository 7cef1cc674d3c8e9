#!lua flags=allow-oom
-- Takes back the end of a step that has failed, or of some that were skipped because of
-- one; those wait once more.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 the step   2 '1': it has failed; '': only those that come after it; '*': all
--       that were skipped
--       3 where the last call stopped, or ''
-- Returns {where this one stopped, or ''; the state before, '' if there is no workflow;
-- 1, 0 if the step has not failed, 2 if the workflow is being cancelled, or -1 if there
-- is no such step; IDs of steps that wait again}.

-- include flow
-- include flow_types

local LONG = '316224000'
local step, what, cursor = ARGV[1], ARGV[2], ARGV[3]
local before, again = state, {}
if not state then return {'', '', -1, {}} end

local function turn_again(id)
  local fields, turn, rest = string.match(redis.call('HGET', INFO, id) or '',
    '^(%S+ %S+ %S+ %S+ %S) (%d+)(\n.*)$')
  if not fields then return nil end
  redis.call('HSET', INFO, id, fields .. ' ' .. tonumber(turn) + 1 .. rest)
  return string.match(rest, '^\n([^\n]*)')
end

-- The workflow goes on, and will end again: all its callbacks wait for that.
local function revive()
  if state == 'open' then return end
  set_state('running')
  redis.call('HDEL', META, 'ended')
  for _, callback in ipairs(redis.call('ZRANGE', ON, 0, -1)) do
    if redis.call('ZSCORE', ON, callback) ~= '0' then
      turn_again(callback)
      redis.call('ZADD', ON, 0, callback)
      redis.call('HDEL', ENDED, callback)
    end
  end
  for i = 1, 10 do redis.call('EXPIRE', KEYS[i], LONG) end
end

local function open_again(id, outcome)
  redis.call('HDEL', ENDED, id)
  redis.call('HINCRBY', META, outcome, -1)
  redis.call('ZADD', OPEN, 0, id)
end

-- What it waits for, of the ends that it comes after: as many at once as the stack of
-- Lua bears.
local CHUNK = 1000
local function await(id, befores, hows, first, last)
  local ended = redis.call('HMGET', ENDED, unpack(befores, first, last))
  local met, waits = {}, {}
  for i = first, last do
    local outcome, member = ended[i - first + 1], id .. ' ' .. befores[i]
    if outcome and is_met(hows[i], outcome) then
      met[#met + 1] = member
    else
      waits[#waits + 1], waits[#waits + 2] = 0, member
    end
  end
  if #met > 0 then redis.call('ZREM', WAITS, unpack(met)) end
  if #waits > 0 then redis.call('ZADD', WAITS, unpack(waits)) end
end

-- A call looks at about so many ends, which takes some ms; those of one step are looked
-- at together, as when it was added.
local effort = 500
local function reopen(id)
  effort = effort - 1
  if redis.call('HGET', ENDED, id) ~= 'k' then return end
  local after = turn_again(id)
  if not after then return end
  local befores, hows = {}, {}
  for one, how in string.gmatch(after, '(%S+) (%S+)') do
    befores[#befores + 1], hows[#hows + 1] = one, how
  end
  redis.call('ZADD', HELD, 0, id)
  for first = 1, #befores, CHUNK do
    await(id, befores, hows, first, math.min(first + CHUNK - 1, #befores))
  end
  redis.call('ZREM', WAITS, id .. ' ' .. SEAL)
  open_again(id, 'k')
  again[#again + 1] = id
  effort = effort - 8 - #befores
end

local function reopen_some(ids, id_of)
  for i, one in ipairs(ids) do
    reopen(id_of(one))
    if effort <= 0 and i < #ids then return one end
  end
  return #ids == PAGE and ids[PAGE] or ''
end

local from, ids
if what == '1' then
  if not redis.call('ZSCORE', OPEN, step) then
    if not redis.call('ZSCORE', STEPS, step) then return {'', before, -1, {}} end
    if redis.call('HGET', ENDED, step) ~= 'f' or redis.call('ZSCORE', ON, step) then
      return {'', before, 0, {}}
    end
    if state == 'cancelling' then return {'', before, 2, {}} end
    open_again(step, 'f')
    redis.call('HSET', META, 'moved', now)
    revive()
  elseif redis.call('ZSCORE', HELD, step) then
    return {'', before, 0, {}}
  end
  return {'', before, 1, {step}}
elseif what == '*' then
  from = cursor ~= '' and '(' .. cursor or '-'
  ids = redis.call('ZRANGEBYLEX', STEPS, from, '+', 'LIMIT', 0, PAGE)
  cursor = reopen_some(ids, function(id) return id end)
else
  from = cursor ~= '' and '(' .. cursor or '[' .. step .. ' '
  ids = redis.call('ZRANGEBYLEX', NEXT, from, '(' .. step .. '!', 'LIMIT', 0, PAGE)
  cursor = reopen_some(ids, function(member) return string.match(member, ' (%S+) %l$') end)
end
return {cursor, before, 1, again}
