-- How many of the newest of a dead list have so many bytes. As a look at each of
-- 100,000 takes long, a sample tells first whether they may be too many.
--
-- KEYS  1 dead (zset)   2 dead tasks (hash)   3 dead info (hash)
-- ARGV  1 the place to go on with, from the oldest one; '' for the first call
--       2 bytes that are left   3 how many to look at, at most
-- Returns {0}: all of them have no more, {1, place, bytes that are left}: there
-- are others to look at, or {2, how many have no more}.

local rank, left, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local SAMPLE = 100

local function weight(member)
  return #member + redis.call('HSTRLEN', KEYS[2], member) +
    redis.call('HSTRLEN', KEYS[3], member)
end

-- At even distances, from another place each time: what it misses, a later round
-- meets.
local function sampled(size)
  local first, sum = redis.call('TIME')[2] / 1000000, 0
  for i = 0, SAMPLE - 1 do
    local at = math.floor((i + first) * size / SAMPLE)
    local member = redis.call('ZRANGE', KEYS[1], at, at)[1]
    sum = sum + (member and weight(member) or 0)
  end
  return sum / SAMPLE * size
end

local size = redis.call('ZCARD', KEYS[1])
if not rank then
  if size > step and sampled(size) <= left then return {0} end
  rank = size - 1
end
-- Those that are older than the place are as many, whatever is added.
local page = rank < 0 and {} or
  redis.call('ZRANGE', KEYS[1], math.max(0, rank - step + 1), rank)
for i = #page, 1, -1 do
  left = left - weight(page[i])
  if left < 0 then return {2, size - 1 - rank} end
  rank = rank - 1
end
if rank < 0 or #page == 0 then return {0} end
return {1, rank, left}
