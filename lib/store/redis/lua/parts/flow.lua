-- A workflow. The first KEYS of the script are its home, all in one slot:
--   1 meta (hash): state, policy, whole, label, life (seconds); begun, moved and ended
--     (ms since 1970); how many steps have succeeded (s), failed (f), were skipped (k)
--   2 steps (zset): all IDs, callbacks too
--   3 open (zset): the steps that have not ended
--   4 info (hash): the entry of each that waits, or has waited
--   5 waits (zset): "STEP BEFORE", for each end that a step still waits for
--   6 next (zset): "BEFORE STEP HOW", for each end that a step was to wait for
--   7 held (zset): the steps that wait
--   8 out (hash): what is to go to its queue: a line that says why it is skipped, or is
--     empty, and the entry
--   9 ended (hash): how each has ended, s, f or k; callbacks too
--   10 on (zset): callbacks; 1: it was released
-- An entry is a line "QUEUE PRIORITY DELAY AT ROLE TURN", a line "BEFORE HOW …", and the
-- task. IDs are without spaces. HOW is s, f or c (success, failure, complete), and ROLE
-- one of these or "-". SEAL stands for the end that is the seal of a workflow that waits
-- for it as a whole.
local META, STEPS, OPEN, INFO, WAITS, NEXT, HELD, OUT, ENDED, ON = unpack(KEYS, 1, 10)
local SEAL, PAGE, BYTES = '\1', 200, 262144

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local fields = redis.call('HMGET', META, 'state', 'policy', 'life', 's', 'f', 'k')
local state, policy, life = fields[1], fields[2], fields[3]
local counts = {s = fields[4] or 0, f = fields[5] or 0, k = fields[6] or 0}
local outs, bytes = {}, 0

local function is_over()
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end

local function set_state(new)
  state = new
  redis.call('HSET', META, 'state', new, 'moved', now)
end

-- For the answer, if it is to go to its queue: also when that was said before.
local told = {}
local function tell(step)
  local out = not told[step] and redis.call('HGET', OUT, step)
  if not out then return end
  told[step] = true
  outs[#outs + 1], outs[#outs + 2] = step, out
  bytes = bytes + #out
end

-- The task of a step that may go as it is to a list that the script has for that: its
-- KEYS[11], of the queue ARGV[1].
local QUEUE, OF_QUEUE = KEYS[11], ARGV[1] and ARGV[1] .. ' 0 0 0 - '
if QUEUE then redis.call('LLEN', QUEUE) end
local function straight(entry)
  if not QUEUE or string.sub(entry, 1, #OF_QUEUE) ~= OF_QUEUE then return nil end
  local _, at = string.find(entry, '\n[^\n]*\n', #OF_QUEUE)
  return at and string.sub(entry, at + 1)
end

-- Steps that wait no more, and what they have waited for. Nothing is written before
-- commit(), which the script calls when it has released what it will.
local freed, tasks, sent, gone, meta = {}, {}, {}, {}, {}
local function release(step, why)
  if state == 'cancelling' then why = '@' end
  local entry = redis.call('HGET', INFO, step) or ''
  local task = why == '' and straight(entry)
  freed[#freed + 1], told[step] = step, true
  bytes = bytes + #entry
  if task then
    tasks[#tasks + 1] = task
  else
    sent[#sent + 1], sent[#sent + 2] = step, why .. '\n' .. entry
    outs[#outs + 1], outs[#outs + 2] = step, sent[#sent]
  end
end

local function commit()
  if #tasks > 0 then redis.call('LPUSH', QUEUE, unpack(tasks)) end
  if #sent > 0 then redis.call('HSET', OUT, unpack(sent)) end
  if #gone > 0 then redis.call('ZREM', WAITS, unpack(gone)) end
  if #freed > 0 then
    redis.call('ZREM', HELD, unpack(freed))
    meta[#meta + 1], meta[#meta + 2] = 'moved', now
  end
  if #meta > 0 then redis.call('HSET', META, unpack(meta)) end
  freed, tasks, sent, gone, meta = {}, {}, {}, {}, {}
end

local function is_met(how, outcome)
  return how == 'c' or (how == outcome and outcome ~= 'k')
end

-- Whether it waits for nothing but what `passed` has: how many ends, and which.
local function is_ready(step, passed)
  local waits = redis.call('ZRANGEBYLEX', WAITS, '[' .. step .. ' ', '(' .. step .. '!',
    'LIMIT', 0, passed.n + 1)
  for _, wait in ipairs(waits) do
    if not passed[wait] then return false end
  end
  return true
end

-- Ends have come that steps wait for: each is {the step, what has ended, how that was to
-- end, how it did}. One of `closed` has itself ended in this call, and what waits no more
-- is told once more. Returns how many of the ends were dealt with before the answer was
-- too long.
local closed = {}
local function pass(ends)
  local steps, passed, why_of, asked = {}, {}, {}, {}
  if #ends == 0 then return 0 end
  for i, one in ipairs(ends) do steps[i] = one[1] end
  local held = redis.call('ZMSCORE', HELD, unpack(steps))
  for i, one in ipairs(ends) do
    local step, before, how, outcome = one[1], one[2], one[3], one[4]
    if held[i] and is_met(how, outcome) then
      local of_step = passed[step] or {n = 0}
      passed[step], of_step.n = of_step, of_step.n + 1
      gone[#gone + 1] = step .. ' ' .. before
      of_step[gone[#gone]] = true
    elseif held[i] then
      why_of[step] = why_of[step] or before .. ' ' .. outcome .. ' ' .. how
    end
  end
  for i, step in ipairs(steps) do
    if i > 1 and bytes >= BYTES then return i - 1 end
    if not held[i] and not closed[step] then
      tell(step)
    elseif not closed[step] and not told[step] and not asked[step] then
      asked[step] = true
      if why_of[step] or is_ready(step, passed[step]) then release(step, why_of[step] or '') end
    end
  end
  return #ends
end

-- A page of those that come after what has ended, from where the last one stopped.
-- Returns where this one did, or '' at the end.
local function pass_on(befores, outcomes, cursor)
  local at, from = string.match(cursor, '^(%d+) (.*)$')
  local ends, places = {}, {}
  for i = tonumber(at or 1), #befores do
    local before = befores[i]
    local members = redis.call('ZRANGEBYLEX', NEXT,
      from and '(' .. from or '[' .. before .. ' ', '(' .. before .. '!',
      'LIMIT', 0, PAGE - #ends)
    for _, member in ipairs(members) do
      local step, how = string.match(member, ' (%S+) (%l)$')
      ends[#ends + 1] = {step, before, how, outcomes[i]}
      places[#ends] = {i, member}
    end
    from = nil
    if #ends == PAGE then break end
  end
  local n = pass(ends)
  return (n < #ends or n == PAGE) and table.concat(places[n], ' ') or ''
end

-- A page of those that wait, in a workflow that is being cancelled. Returns '@', or ''
-- at the end.
local function skip_some()
  local held = redis.call('ZRANGE', HELD, 0, PAGE - 1)
  for _, step in ipairs(held) do
    release(step, '@')
    if bytes >= BYTES then return '@' end
  end
  return #held == PAGE and '@' or ''
end

-- Callbacks that were released and have not ended.
local function called()
  local on = redis.call('ZRANGEBYSCORE', ON, 1, 1)
  local ended, still = #on > 0 and redis.call('HMGET', ENDED, unpack(on)), {}
  for i, callback in ipairs(on) do
    if not ended[i] then still[#still + 1] = callback end
  end
  return still
end

local function role_of(callback)
  local entry = redis.call('HGET', INFO, callback) or ''
  return string.match(entry, '^%S+ %S+ %S+ %S+ (%S)')
end

-- Whether all steps have ended; then it ends, too, and callbacks are released.
local function finish()
  if (state == 'running' or state == 'cancelling') and redis.call('ZCARD', OPEN) == 0 then
    local failed = tonumber(counts.f) > 0
    set_state(state == 'cancelling' and 'cancelled' or failed and 'failed' or 'succeeded')
    redis.call('HSET', META, 'ended', now)
    for _, callback in ipairs(redis.call('ZRANGE', ON, 0, -1)) do
      local role = role_of(callback)
      if role == 'c' or (role == 's') == (state == 'succeeded') then
        release(callback, '')
        redis.call('ZADD', ON, 1, callback)
      end
    end
    commit()
    for i = 1, 10 do redis.call('EXPIRE', KEYS[i], life) end
  end
  if is_over() then
    for _, callback in ipairs(redis.call('ZRANGE', ON, 0, -1)) do tell(callback) end
  end
end
