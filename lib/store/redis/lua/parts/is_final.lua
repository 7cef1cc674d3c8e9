-- Whether a record is final, and whether it had to be decoded to tell: the beginning
-- of a record of ours tells; of another program's, all of it. One that
-- housekeeping has ended as lost (lost.lua) gives way: the task was somewhere after
-- all.
local function is_final(record)
  local status = string.match(record, '^{"task_id":"[^"\\]*","status":"(%a+)"')
  local decoded = not status
  if decoded then
    local ok, fields = pcall(cjson.decode, record)
    status = ok and type(fields) == 'table' and fields.status
  end
  local lost = '^{"task_id":"[^"\\]*","status":"failed","lost":true,'
  return status == 'success' or
    (status == 'failed' and not string.find(record, lost)), decoded
end
