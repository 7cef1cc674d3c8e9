-- The status of a record, and whether it had to be decoded to tell: the beginning of
-- most tells; of another program's, all of it, or both ends.
local function status_of(record)
  local status = string.match(record,
    '^{"task_id":%s*"[^"\\]*",%s*"status":%s*"(%a+)"')
  local decoded = not status
  if decoded then
    if #record > LARGE then
      status = member_by_ends(record, 'status')
    else
      local fields = decode(record)
      status = fields and fields['status']
    end
  end
  return status, decoded
end

-- Whether it is final, and the same. One that housekeeping has ended as lost
-- (lost.lua) gives way: the task was somewhere after all.
local function is_final(record)
  local status, decoded = status_of(record)
  local lost = '^{"task_id":"[^"\\]*","status":"failed","lost":true,'
  return status == 'success' or
    (status == 'failed' and not string.find(record, lost)), decoded
end
