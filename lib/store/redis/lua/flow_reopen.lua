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

local function is_met_now(one, how)
  local outcome = redis.call('HGET', ENDED, one)
  return outcome and is_met(how, outcome)
end

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

local function reopen(id)
  if redis.call('HGET', ENDED, id) ~= 'k' then return end
  local after = turn_again(id)
  if not after then return end
  redis.call('ZADD', HELD, 0, id)
  for one, how in string.gmatch(after, '(%S+) (%S+)') do
    if is_met_now(one, how) then
      redis.call('ZREM', WAITS, id .. ' ' .. one)
    else
      redis.call('ZADD', WAITS, 0, id .. ' ' .. one)
    end
  end
  redis.call('ZREM', WAITS, id .. ' ' .. SEAL)
  open_again(id, 'k')
  again[#again + 1] = id
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
  for _, id in ipairs(ids) do reopen(id) end
else
  from = cursor ~= '' and '(' .. cursor or '[' .. step .. ' '
  ids = redis.call('ZRANGEBYLEX', NEXT, from, '(' .. step .. '!', 'LIMIT', 0, PAGE)
  for _, member in ipairs(ids) do reopen(string.match(member, ' (%S+) %l$')) end
end
return {#ids == PAGE and ids[PAGE] or '', before, 1, again}
