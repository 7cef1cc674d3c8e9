#!lua flags=allow-oom
-- Looks at a page of the steps of a workflow that have not ended: releases what should
-- have been, and tells what is to go to its queue. One that has ended has callbacks only.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 how many   2 the last ID of the page before, or ''
-- Returns {the last ID, or '' if that was all; the state, '' if there is no workflow;
-- 0; what is to go to its queue: IDs, each with its out; IDs of those that were
-- released; their roles, a letter for each}.

-- include flow
-- include flow_types

if not state then return {'', '', -1, {}, {}} end
local from, most = ARGV[2] ~= '' and '(' .. ARGV[2] or '-', tonumber(ARGV[1])
local ids = redis.call('ZRANGEBYLEX', OPEN, from, '+', 'LIMIT', 0, most)
local last, released, roles, effort = '', {}, '', 1000

local function outcome_of(before)
  if before == SEAL then return state ~= 'open' and 's' end
  return redis.call('HGET', ENDED, before)
end

-- Ends that it was not told of. With many of them, the next call goes on. What it wants
-- of each stands before its task, which may be large, and is read only if there are any.
local function look(step)
  local waits = redis.call('ZRANGEBYLEX', WAITS, '[' .. step .. ' ', '(' .. step .. '!',
    'LIMIT', 0, effort)
  local ends, hows = {}, {[SEAL] = 'c'}
  effort = effort - #waits - 1
  for _, wait in ipairs(waits) do
    local before = string.sub(wait, #step + 2)
    local outcome = outcome_of(before)
    if outcome then ends[#ends + 1] = {step, before, nil, outcome} end
  end
  if #ends > 0 then
    local entry = redis.call('HGET', INFO, step) or ''
    bytes = bytes + #entry
    for before, how in string.gmatch(string.match(entry, '^[^\n]*\n([^\n]*)') or '',
      '(%S+) (%S+)') do hows[before] = how end
  end
  for _, one in ipairs(ends) do one[3] = hows[one[2]] or 'c' end
  pass(ends)
  if #waits == 0 then release(step, '') end
end

for _, id in ipairs(ids) do
  last = id
  if redis.call('ZSCORE', HELD, id) then
    if state == 'cancelling' then release(id, '@') else look(id) end
  elseif redis.call('HEXISTS', OUT, id) == 0 then
    released[#released + 1], roles = id, roles .. '-'
  end
  tell(id)
  if bytes >= BYTES or effort <= 0 then break end
end
commit()
local cursor = last ~= '' and (#ids == most or last ~= ids[#ids]) and last or ''
if cursor == '' then finish() end
if cursor == '' and is_over() then
  for _, callback in ipairs(called()) do
    if redis.call('HEXISTS', OUT, callback) == 0 then
      released[#released + 1], roles = callback, roles .. (role_of(callback) or 'c')
    end
  end
end
return {cursor, state, 0, outs, released, roles}
