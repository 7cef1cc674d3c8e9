-- Shows records. Left out are those that have expired, keys that are not records,
-- and those that were shown: a task that ended twice is in the list twice.
--
-- KEYS  the records
-- ARGV  1 bytes to stop behind
-- Returns how many of the KEYS were looked at, and then the records.

local budget, answer, seen = tonumber(ARGV[1]), {#KEYS}, {}
for i, key in ipairs(KEYS) do
  local record = not seen[key] and redis.pcall('GET', key)
  seen[key] = true
  if type(record) == 'string' then
    answer[#answer + 1] = record
    budget = budget - #record
  end
  if budget <= 0 then
    answer[1] = i
    break
  end
end
return answer
