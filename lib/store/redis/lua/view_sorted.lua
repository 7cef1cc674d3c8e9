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

-- include reach

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
  spend(#member + #task + #info)
end

if ARGV[5] and ARGV[5] ~= '' then
  local score = redis.call('ZSCORE', KEYS[1], ARGV[5])
  if score then add(ARGV[5], score) end
  return page
end

-- Of the dead only names are read, and a task for each.
local shown, at_once = KEYS[1], #KEYS == 3 and 50 or nil

-- include view_page

return page
