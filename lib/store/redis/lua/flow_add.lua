-- Adds steps to a workflow.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 the step that adds them, or ''
--       2 how many callbacks it may have
--       then for each: its ID, its role, "QUEUE PRIORITY DELAY AT", "BEFORE HOW …", the
--       task
-- Returns for each 0 (it is to go to its queue now), {why} (the same, skipped), 1 (it
-- waits), 2 (it was added before), {ID, out} (the same, but it is to go to its queue as
-- that says), 3 (the workflow has ended), 4 (it is sealed), 5 (there are too many
-- callbacks), or the ID of a step that it is after and that is not there. Of a workflow
-- that is not there: nothing.

-- include flow

if not state then return {} end
local waits_for_seal = state == 'open' and redis.call('HGET', META, 'whole') == '1'
local inside = ARGV[1] ~= '' and redis.call('ZSCORE', OPEN, ARGV[1])

-- What it is after, and not yet ended; and why it is skipped. Or one that is not there.
local function look(after)
  local waits, why = {}, ''
  for before, how in string.gmatch(after, '(%S+) (%S+)') do
    local outcome = redis.call('HGET', ENDED, before)
    if not redis.call('ZSCORE', STEPS, before) or redis.call('ZSCORE', ON, before) then
      return nil, nil, before
    end
    if not outcome then
      waits[#waits + 1] = before
    elseif not is_met(how, outcome) and why == '' then
      why = before .. ' ' .. outcome .. ' ' .. how
    end
  end
  if waits_for_seal then waits[#waits + 1] = SEAL end
  if state == 'cancelling' then why = '@' end
  return waits, why
end

local function add_callback(id, entry)
  redis.call('HSET', INFO, id, entry)
  redis.call('ZADD', ON, 0, id)
  redis.call('ZADD', STEPS, 0, id)
  return 1
end

local function add_step(id, entry, after)
  local waits, why, missing = look(after)
  if missing then return missing end
  local goes = why ~= '' or #waits == 0
  if after ~= '' or waits_for_seal then redis.call('HSET', INFO, id, entry) end
  for before, how in string.gmatch(after, '(%S+) (%S+)') do
    redis.call('ZADD', NEXT, 0, before .. ' ' .. id .. ' ' .. how)
  end
  if waits_for_seal then redis.call('ZADD', NEXT, 0, SEAL .. ' ' .. id .. ' c') end
  if goes then
    redis.call('HSET', OUT, id, why .. '\n' .. entry)
  else
    for _, before in ipairs(waits) do redis.call('ZADD', WAITS, 0, id .. ' ' .. before) end
    redis.call('ZADD', HELD, 0, id)
  end
  redis.call('ZADD', OPEN, 0, id)
  redis.call('ZADD', STEPS, 0, id)
  redis.call('HSET', META, 'moved', now)
  if not goes then return 1 end
  return why == '' and 0 or {why}
end

local function add(id, role, fields, after, task)
  if redis.call('ZSCORE', STEPS, id) then
    local out = redis.call('HGET', OUT, id)
    return out and {id, out} or 2
  end
  if is_over() then return 3 end
  if state ~= 'open' and not inside then return 4 end
  local entry = fields .. ' ' .. role .. ' 0\n' .. after .. '\n' .. task
  if role == '-' then return add_step(id, entry, after) end
  if redis.call('ZCARD', ON) >= tonumber(ARGV[2]) then return 5 end
  return add_callback(id, entry)
end

local answers = {}
for i = 3, #ARGV, 5 do
  answers[#answers + 1] = add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
return answers
