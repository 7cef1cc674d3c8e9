-- Shows tasks that a limit holds, the one that runs last first.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 index of held tasks (zset)
--       4 ready (zset)    5 counting (hash)  6 held tasks (a lane)
-- ARGV  1 how many to leave out   2 how many at most
--       3 bytes in all, about, at most
-- Returns as view_sorted.lua does; in the place of the info the scope of the limit
-- that holds the task.

local LIMITS, RUNNING, INDEX, READY, COUNTING = unpack(KEYS, 1, 5)
local start, want, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local page, shown, at_once = {-1}, KEYS[6], nil

-- What has the wrong type fails here, also where nobody asks for it.
redis.call('HLEN', RUNNING)
redis.call('ZCARD', INDEX)
redis.call('ZCARD', READY)

-- include limits
-- include reach

local function holder(mark, task)
  for _, scope in ipairs({scopes_of(task)}) do
    if redis.call('ZSCORE', INDEX, scope .. '\0' .. mark) then return scope end
  end
  return ''
end

local function add(member)
  page[#page + 1] = member
  page[#page + 1] = 0
  page[#page + 1] = ''
  page[#page + 1] = holder(string.sub(member, 1, 16), string.sub(member, 17))
  spend(#member)
end

-- include view_page

return page
