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
local SEAL, PAGE, BYTES = '\1', 100, 262144

-- What has the wrong type fails here, before anything has changed.
for _, key in ipairs({META, INFO, OUT, ENDED}) do redis.call('HLEN', key) end
for _, key in ipairs({STEPS, OPEN, WAITS, NEXT, HELD, ON}) do redis.call('ZCARD', key) end

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local state, policy, life = unpack(redis.call('HMGET', META, 'state', 'policy', 'life'))
local outs, bytes = {}, 0

local function is_over()
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end

local function set_state(new)
  state = new
  redis.call('HSET', META, 'state', new, 'moved', now)
end

-- For the answer, if it is to go to its queue: also when that was said before.
local function tell(step)
  local out = redis.call('HGET', OUT, step)
  if not out then return end
  outs[#outs + 1], outs[#outs + 2] = step, out
  bytes = bytes + #out
end

local function release(step, why)
  if state == 'cancelling' then why = '@' end
  redis.call('HSET', OUT, step, why .. '\n' .. (redis.call('HGET', INFO, step) or ''))
  redis.call('ZREM', HELD, step)
  redis.call('HSET', META, 'moved', now)
end

local function is_met(how, outcome)
  return how == 'c' or (how == outcome and outcome ~= 'k')
end

local function is_ready(step)
  return #redis.call('ZRANGEBYLEX', WAITS, '[' .. step .. ' ', '(' .. step .. '!',
    'LIMIT', 0, 1) == 0
end

-- One that the step waits for has ended.
local function pass(step, before, how, outcome)
  if not redis.call('ZSCORE', HELD, step) then return end
  if not is_met(how, outcome) then
    release(step, before .. ' ' .. outcome .. ' ' .. how)
  else
    redis.call('ZREM', WAITS, step .. ' ' .. before)
    if is_ready(step) then release(step, '') end
  end
end

-- A page of those that come after, from where the last one ended. Returns where this
-- one did, or '' at the end.
local function pass_on(before, outcome, cursor)
  local from = cursor ~= '' and '(' .. cursor or '[' .. before .. ' '
  local members = redis.call('ZRANGEBYLEX', NEXT, from, '(' .. before .. '!',
    'LIMIT', 0, PAGE)
  for _, member in ipairs(members) do
    local step, how = string.match(member, ' (%S+) (%l)$')
    pass(step, before, how, outcome)
    tell(step)
    if bytes >= BYTES then return member end
  end
  return #members == PAGE and members[PAGE] or ''
end

-- A page of those that wait, in a workflow that is being cancelled. Returns '@', or ''
-- at the end.
local function skip_some()
  local held = redis.call('ZRANGE', HELD, 0, PAGE - 1)
  for _, step in ipairs(held) do
    release(step, '@')
    tell(step)
    if bytes >= BYTES then return '@' end
  end
  return #held == PAGE and '@' or ''
end

local function role_of(callback)
  local entry = redis.call('HGET', INFO, callback) or ''
  return string.match(entry, '^%S+ %S+ %S+ %S+ (%S)')
end

-- Whether all steps have ended; then it ends, too, and callbacks are released.
local function finish()
  if (state == 'running' or state == 'cancelling') and redis.call('ZCARD', OPEN) == 0 then
    local failed = tonumber(redis.call('HGET', META, 'f') or 0) > 0
    set_state(state == 'cancelling' and 'cancelled' or failed and 'failed' or 'succeeded')
    redis.call('HSET', META, 'ended', now)
    for _, callback in ipairs(redis.call('ZRANGE', ON, 0, -1)) do
      local role = role_of(callback)
      if role == 'c' or (role == 's') == (state == 'succeeded') then
        release(callback, '')
        redis.call('ZADD', ON, 1, callback)
      end
    end
    for i = 1, 10 do redis.call('EXPIRE', KEYS[i], life) end
  end
  if is_over() then
    for _, callback in ipairs(redis.call('ZRANGE', ON, 0, -1)) do tell(callback) end
  end
end
