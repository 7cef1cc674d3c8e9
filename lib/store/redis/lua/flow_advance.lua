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

-- Nothing is written before all has been read: what has the wrong type fails until then.
local cursor = ARGV[#ARGV]
if not state then return {'', '', -1, {}} end
local n_open, n_held, n_out = redis.call('ZCARD', OPEN), redis.call('ZCARD', HELD),
  redis.call('HLEN', OUT)

-- Those that are there, and which of them have not ended before.
local ids, befores, outcomes, new = {}, {}, {}, {}
local ends, seen, first, has_failed = {}, {}, nil, false
for i = 2, #ARGV - 1, 2 do ids[#ids + 1] = ARGV[i] end
local ended = redis.call('HMGET', ENDED, unpack(ids))
local open = redis.call('ZMSCORE', OPEN, unpack(ids))
for i, id in ipairs(ids) do
  local outcome, is_step = ended[i] or seen[id] or ARGV[2 * i + 1], open[i]
  local is_new = not ended[i] and not seen[id]
  if not is_new or is_step or redis.call('ZSCORE', ON, id) then
    befores[#befores + 1], outcomes[#outcomes + 1] = id, outcome
    seen[id] = outcome
    if is_new then
      new[#new + 1], closed[id] = id, true
      ends[#ends + 1], ends[#ends + 2] = id, outcome
      if is_step then
        n_open = n_open - 1
        counts[outcome] = counts[outcome] + 1
        meta[#meta + 1], meta[#meta + 2] = outcome, counts[outcome]
        has_failed = has_failed or outcome == 'f'
      end
    end
    first = first or (is_new and 1 or 0)
  end
  first = first or -1
end
if #befores == 0 then return {'', state, first, {}} end
local cancels = has_failed and policy == 'cancel' and (state == 'open' or state == 'running')
if cancels then state = 'cancelling' end
if n_open == 0 then
  redis.call('ZCARD', ON)
  redis.call('HLEN', INFO)
end
if cursor == '@' then
  cursor = skip_some()
else
  cursor = pass_on(befores, outcomes, cursor)
end

if #new > 0 then
  redis.call('HSET', ENDED, unpack(ends))
  redis.call('ZREM', OPEN, unpack(new))
  if n_held > 0 then redis.call('ZREM', HELD, unpack(new)) end
  if n_out > 0 then redis.call('HDEL', OUT, unpack(new)) end
  if is_over() then redis.call('EXPIRE', ENDED, life) end
  meta[#meta + 1], meta[#meta + 2] = 'moved', now
end
commit()
if cancels then set_state(state) end
if cursor == '' and state == 'cancelling' and redis.call('ZCARD', HELD) > 0 then
  cursor = '@'
end
if cursor == '' and (n_open == 0 or is_over()) then finish() end
return {cursor, state, first, outs}
