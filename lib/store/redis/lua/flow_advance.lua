#!lua flags=allow-oom
-- Steps of a workflow have ended: those that come after them go on, or are skipped. To be
-- called until it says that this was all, and again whenever it may not have been.
--
-- KEYS  1-10 its home (parts/flow.lua)
--       11 the list of a queue: what is released for that, and needs no more than
--       to be pushed, goes there at once. Only where it may be in a call with the home:
--       not in a Cluster
-- ARGV  1 the name of that queue, or ''
--       then for each step:  its ID, how it ended: s, f or k
--       and where the last call stopped, or ''
-- Returns {where this one stopped, or ''; the state of the workflow, '' if there is none;
-- 1 if the first step has ended now, 0 if it had before, -1 if there is no such step;
-- what is to go to its queue: IDs, each with its out}.

-- include flow

local cursor = ARGV[#ARGV]
if KEYS[11] then
  QUEUE, OF_QUEUE = KEYS[11], ARGV[1] .. ' 0 0 0 - '
  redis.call('LLEN', QUEUE)
end
if not state then return {'', '', -1, {}} end

-- Those that are there, and which of them have not ended before.
local ids, outcomes, new, first = {}, {}, {}, nil
local counts = {s = 0, f = 0, k = 0}
for i = 2, #ARGV - 1, 2 do ids[#ids + 1] = ARGV[i] end
local ended = redis.call('HMGET', ENDED, unpack(ids))
local open = redis.call('ZMSCORE', OPEN, unpack(ids))
local befores, seen = {}, {}
for i, id in ipairs(ids) do
  local outcome, is_step = ended[i] or seen[id] or ARGV[2 * i + 1], open[i]
  local ends = not ended[i] and not seen[id]
  if not ends or is_step or redis.call('ZSCORE', ON, id) then
    befores[#befores + 1], outcomes[#outcomes + 1] = id, outcome
    seen[id] = outcome
    if ends then
      new[#new + 1] = id
      if is_step then counts[outcome] = counts[outcome] + 1 end
    end
    first = first or (ends and 1 or 0)
  end
  first = first or -1
end

local function note_ends()
  local pairs_of = {}
  for _, id in ipairs(new) do
    pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = id, seen[id]
  end
  redis.call('HSET', ENDED, unpack(pairs_of))
  for outcome, n in pairs(counts) do
    if n > 0 then redis.call('HINCRBY', META, outcome, n) end
  end
  redis.call('ZREM', OPEN, unpack(new))
  redis.call('ZREM', HELD, unpack(new))
  redis.call('HDEL', OUT, unpack(new))
  redis.call('HSET', META, 'moved', now)
  if is_over() then redis.call('EXPIRE', ENDED, life) end
  if counts.f > 0 and policy == 'cancel' and (state == 'open' or state == 'running') then
    set_state('cancelling')
  end
end

if #new > 0 then note_ends() end
if #befores == 0 then return {'', state, first, {}} end
if cursor == '@' then
  cursor = skip_some()
else
  cursor = pass_on(befores, outcomes, cursor)
end
commit()
if cursor == '' and state == 'cancelling' and redis.call('ZCARD', HELD) > 0 then
  cursor = '@'
end
if cursor == '' then finish() end
return {cursor, state, first, outs}
