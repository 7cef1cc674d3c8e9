-- Workers that wait: IDLERS (zset: their ids, by when they looked last, in ms since
-- 1970) are those of a queue with limits that have room, and found nothing. Each
-- hears on a channel of its own: what has come, or been freed, is for one of them.
-- Since each looks every 10 seconds, one that has not for longer may be dead.
local IDLER_MS = 25000

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- Wakes the one that looked last, with an order; false: none waits.
local function wake_one(control, order)
  local found = redis.call('ZREVRANGE', IDLERS, 0, 0, 'WITHSCORES')
  if not found[1] then return false end
  if math.abs(now_ms() - tonumber(found[2])) > IDLER_MS then
    redis.call('UNLINK', IDLERS)
    return false
  end
  redis.call('ZREM', IDLERS, found[1])
  redis.pcall('PUBLISH', control .. ':' .. found[1], order)
  return true
end

-- The same; else all: there may be workers that do not say that they wait.
local function wake(control, order)
  if not wake_one(control, order) then redis.pcall('PUBLISH', control, order) end
end
