-- Shows records of tasks that have ended, those that ended last first.
--
-- KEYS  1 list of ids
-- ARGV  1 cursor: empty, or what the call before returned
--       2 how many ids to look at    3 bytes of records to stop behind
--       4 what the names of the records' keys begin with
-- Returns the next cursor (empty: that was all), then the records. What has
-- expired is left out.

-- Where the last one is now that the cursor names, and nil; or nil, and the
-- cursor to go on with. New ones have pushed it down, if anything: it is looked
-- for from its old place on, for a while. If it is gone, so is all behind it.
local function find(cursor)
  local place, last = string.match(cursor, '^(%d+):(.*)$')
  for chunk = 1, 5 do
    local ids = redis.call('LRANGE', KEYS[1], place, place + 999)
    for i, id in ipairs(ids) do
      if id == last then return place + i - 1 end
    end
    if #ids < 1000 then return nil, '' end
    place = place + 1000
  end
  return nil, place .. ':' .. last
end

local first = 0
if ARGV[1] ~= '' then
  local last, again = find(ARGV[1])
  if not last then return {again} end
  first = last + 1
end

local want, budget = tonumber(ARGV[2]), tonumber(ARGV[3])
local ids = redis.call('LRANGE', KEYS[1], first, first + want - 1)
local answer, seen = {''}, {}
for i, id in ipairs(ids) do
  local record = not seen[id] and redis.pcall('GET', ARGV[4] .. id)
  seen[id] = true
  if type(record) == 'string' then
    answer[#answer + 1] = record
    budget = budget - #record
  end
  if budget <= 0 or i == want then
    answer[1] = (first + i - 1) .. ':' .. id
    break
  end
end
return answer
