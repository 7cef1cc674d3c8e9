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
-- include flow_types

if not state then return {} end
local waits_for_seal = state == 'open' and redis.call('HGET', META, 'whole') == '1'
local inside = ARGV[1] ~= '' and redis.call('ZSCORE', OPEN, ARGV[1])

-- What it is after, and how: as many at once as the stack of Lua bears.
local CHUNK = 1000
local function read_after(after)
  local befores, hows = {}, {}
  for before, how in string.gmatch(after, '(%S+) (%S+)') do
    befores[#befores + 1], hows[#hows + 1] = before, how
  end
  return befores, hows
end

local function each_chunk(list, fn)
  for i = 1, #list, CHUNK do fn(i, math.min(i + CHUNK - 1, #list)) end
end

-- What it is after, and not yet ended; and why it is skipped. Or one that is not there.
local has_callbacks = redis.call('ZCARD', ON) > 0
local function look(befores, hows)
  local waits, why, missing = {}, '', nil
  local function judge(before, how, outcome)
    if (not outcome and not redis.call('ZSCORE', STEPS, before)) or
      (has_callbacks and redis.call('ZSCORE', ON, before)) then
      missing = missing or before
    elseif not outcome then
      waits[#waits + 1] = before
    elseif not is_met(how, outcome) and why == '' then
      why = before .. ' ' .. outcome .. ' ' .. how
    end
  end
  each_chunk(befores, function(first, last)
    local ended = redis.call('HMGET', ENDED, unpack(befores, first, last))
    for i = first, last do judge(befores[i], hows[i], ended[i - first + 1]) end
  end)
  if waits_for_seal then waits[#waits + 1] = SEAL end
  if state == 'cancelling' then why = '@' end
  return waits, why, missing
end

-- Members of a sorted set that is in the order of their names.
local function add_members(key, members)
  each_chunk(members, function(first, last)
    local args = {}
    for i = first, last do
      args[#args + 1], args[#args + 2] = 0, members[i]
    end
    redis.call('ZADD', key, unpack(args))
  end)
end

local function add_callback(id, entry)
  redis.call('HSET', INFO, id, entry)
  redis.call('ZADD', ON, 0, id)
  has_callbacks = true
  redis.call('ZADD', STEPS, 0, id)
  return 1
end

local function add_step(id, entry, after)
  local befores, hows = read_after(after)
  local waits, why, missing = look(befores, hows)
  if missing then return missing end
  local goes = why ~= '' or #waits == 0
  if after ~= '' or waits_for_seal then redis.call('HSET', INFO, id, entry) end
  local edges = {}
  for i, before in ipairs(befores) do edges[i] = before .. ' ' .. id .. ' ' .. hows[i] end
  if waits_for_seal then edges[#edges + 1] = SEAL .. ' ' .. id .. ' c' end
  add_members(NEXT, edges)
  if goes then
    redis.call('HSET', OUT, id, why .. '\n' .. entry)
  else
    for i, before in ipairs(waits) do waits[i] = id .. ' ' .. before end
    add_members(WAITS, waits)
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
