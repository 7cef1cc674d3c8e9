-- Shows records of tasks that have not ended, so that those can be found whose
-- task is in no list any more.
--
-- KEYS  the records
-- ARGV  1 bytes of records to look at before it stops
-- Returns how many of the KEYS were looked at, and then for each such record:
-- which of the KEYS it is, the SHA-1 of the record, and the record.

local budget, answer = tonumber(ARGV[1]), {#KEYS}
for i, key in ipairs(KEYS) do
  -- What has a life goes by itself: most records do, and are not read.
  local record = redis.call('PTTL', key) == -1 and redis.pcall('GET', key)
  if type(record) == 'string' then
    -- As records of ours begin; those of other programs are theirs.
    local status = string.match(record, '^{"task_id":"[^"\\]*","status":"(%a+)"')
    if status == 'pending' or status == 'running' or status == 'retrying' then
      answer[#answer + 1] = i
      answer[#answer + 1] = redis.sha1hex(record)
      answer[#answer + 1] = record
    end
    budget = budget - #record
  end
  if budget <= 0 then
    answer[1] = i
    break
  end
end
return answer
