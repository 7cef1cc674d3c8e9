-- Shows delayed or dead tasks, the highest score first.
--
-- KEYS  1 delayed or dead (zset)   for the dead: 2 tasks (hash)  3 info (hash)
-- ARGV  1 how many to leave out   2 how many at most
--       3 bytes in all, about, at most
--       4 leaves out those with this score or a higher one first; may be empty
--       5 only this member; may be empty
-- Returns {how many to leave out for the next page, -1 if that was all}, and
-- then of each its member, score, task and info; of the delayed the latter two
-- are empty.

local start, want, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local page = {-1}

-- How many have such a score: by halving, since no right to count is needed then.
if ARGV[4] ~= '' then
  local low, high, above = 0, redis.call('ZCARD', KEYS[1]), tonumber(ARGV[4])
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = redis.call('ZREVRANGE', KEYS[1], middle, middle, 'WITHSCORES')
    if found[2] and tonumber(found[2]) >= above then low = middle + 1 else high = middle end
  end
  start = start + low
end

local function add(member, score)
  local task, info = '', ''
  score = tonumber(score)
  if score ~= score or math.abs(score) > 2 ^ 53 then score = 0 end
  if #KEYS == 3 then
    task = redis.call('HGET', KEYS[2], member) or ''
    info = redis.call('HGET', KEYS[3], member) or ''
  end
  page[#page + 1] = member
  page[#page + 1] = math.floor(score)
  page[#page + 1] = task
  page[#page + 1] = info
  budget = budget - #member - #task - #info
end

if ARGV[5] and ARGV[5] ~= '' then
  local score = redis.call('ZSCORE', KEYS[1], ARGV[5])
  if score then add(ARGV[5], score) end
  return page
end

-- How many to read at once, since what is read is copied, whatever its size: as
-- many as fit if they are like those before, and like the last of them. Of the
-- dead only names are read, and a task for each.
local step, seen, size = 1, 0, 0
local function reach()
  if #KEYS == 3 then return math.min(want, 50) end
  local count = math.min(step, want, 1 + math.floor(budget * seen / math.max(size, 1)))
  while count > 1 do
    local last = redis.call('ZREVRANGE', KEYS[1], start + count - 1, start + count - 1)[1] or
      redis.call('ZREVRANGE', KEYS[1], -1, -1)[1] or ''
    if #last * count <= budget then break end
    budget = budget - #last
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, 50)
  return count
end

while true do
  if want <= 0 or budget <= 0 then
    page[1] = start
    break
  end
  local count = reach()
  local found = redis.call('ZREVRANGE', KEYS[1], start, start + count - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    if budget <= 0 then break end
    add(found[i], found[i + 1])
    start, want, seen, size = start + 1, want - 1, seen + 1, size + #found[i]
  end
  if #found < 2 * count and budget > 0 then break end
end
return page
