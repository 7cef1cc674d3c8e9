-- Shows the record of a task that has not ended, so that those can be found whose
-- task is in no list any more.
--
-- KEYS  1 the record
-- Returns its SHA-1, and the record; nothing if it is none, or has ended.

-- What has a life goes by itself: most records do, and are not read.
local record = redis.call('PTTL', KEYS[1]) == -1 and redis.pcall('GET', KEYS[1])
if type(record) ~= 'string' then return {} end
-- As records of ours begin; those of other programs are theirs.
local status = string.match(record, '^{"task_id":"[^"\\]*","status":"(%a+)"')
if status ~= 'pending' and status ~= 'running' and status ~= 'retrying' then
  return {}
end
return {redis.sha1hex(record), record}
