-- Names workers whose heartbeat may be gone: those whose last one is long ago by
-- the server's clock. Whose clock counts, older workers do not know: what they
-- have noted may lie in the future, too.
--
-- KEYS  1 ids by the time of their last heartbeat (zset)
-- ARGV  1 ms that a heartbeat is good for   2 how many names of each kind
--       3 how many of those that are missing for long to leave out
-- Returns {how many to leave out the next time}, and then the names. In a fleet
-- that is well there is none, however large it is.

local life, most, start = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {0}

local function add(from, to, offset)
  local names = redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'LIMIT', offset, most)
  for _, name in ipairs(names) do answer[#answer + 1] = name end
  return #names
end

-- Somebody who was there a moment ago is not to wait for those who left long ago.
local long = now - 6 * life
add(string.format('(%.0f', long), string.format('%.0f', now - life), 0)
add(string.format('%.0f', now + life), '+inf', 0)
if add('-inf', string.format('%.0f', long), start) == tonumber(most) then
  answer[1] = start + tonumber(most)
end
return answer
