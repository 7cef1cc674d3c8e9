-- Shows records of tasks that have ended, those that ended last first.
--
-- KEYS  1 list of ids
-- ARGV  1 cursor: empty, or what the call before returned
--       2 how many ids to look at    3 bytes of records to stop behind
--       4 what the names of the records' keys begin with
-- Returns the next cursor (empty: that was all), then the records. What has
-- expired is left out.

local first = 0
if ARGV[1] ~= '' then
  -- The place and the id of the last one. New ones have pushed it down, if
  -- anything; if it is gone, so is all that was behind it.
  local place, last = string.match(ARGV[1], '^(%d+):(.*)$')
  for _, at in ipairs(redis.call('LPOS', KEYS[1], last or '', 'COUNT', 0)) do
    if at >= tonumber(place) then
      first = at + 1
      break
    end
  end
  if first == 0 then return {''} end
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
