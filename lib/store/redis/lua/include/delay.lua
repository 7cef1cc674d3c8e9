-- Included by the scripts that put tasks into a delayed set.
--
-- A score there is a time of the server's wall clock, in ms since 1970. Where
-- the task came with a delay, the score has a fraction, and clock.lua moves it
-- when somebody sets that clock: .5, or .25 if the clock had jumped before the
-- delay began, or may have, and no worker has yet seen by how much.

local ending

-- The score of a task that is to wait `delay` ms from `now`. `clock` (hash)
-- has when one was last made, or checked by a worker (`seen`): that is a moment
-- ago while there are delays and workers.
local function score_of(delay, now, clock)
  if not ending then
    local seen = tonumber(redis.call('HGET', clock, 'seen') or 0)
    if now < seen or now > seen + 5000 then redis.call('HSET', clock, 'doubt', 1) end
    redis.call('HSET', clock, 'seen', string.format('%.0f', now))
    ending = redis.call('HEXISTS', clock, 'doubt') == 1 and '.25' or '.5'
  end
  return string.format('%.0f', now + delay) .. ending
end

