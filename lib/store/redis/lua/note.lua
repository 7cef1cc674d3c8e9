-- Stores a record of a task that goes on, unless one is there that is final. It
-- may come late: what was sent over a connection that is given up can still
-- reach the server, after what was sent over the next one.
--
-- KEYS  1 the record's key
--       2 the mark of takeovers, of a record that follows from a claim
-- ARGV  1 the record
--       2 the channel of those who follow the task
--       3 the mark that the claim remembers, with KEYS[2]
-- Returns 1; 0 when the task is over; -1 when another worker has taken it over.

-- A key of another type is not a record, and is replaced.
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = false end
if old then
  -- The beginning of a record of ours; of another program's, all of it.
  local status = string.match(old, '^{"task_id":"[^"\\]*","status":"(%a+)"')
  if not status then
    local ok, record = pcall(cjson.decode, old)
    status = ok and type(record) == 'table' and record.status
  end
  -- One that housekeeping has ended as lost (lost.lua) gives way: the task was
  -- somewhere after all.
  local lost = '^{"task_id":"[^"\\]*","status":"failed","lost":true,'
  if status == 'success' or
    (status == 'failed' and not string.find(old, lost)) then return 0 end
end
-- A mark that is not there any more has outlived its worker, which was away for
-- that long: it has to look what is in flight.
local mark = KEYS[2] and redis.pcall('GET', KEYS[2])
if type(mark) ~= 'string' then mark = '' end
if KEYS[2] and mark ~= ARGV[3] then return -1 end
redis.call('SET', KEYS[1], ARGV[1])
-- Who may not publish has stored it all the same.
redis.pcall('PUBLISH', ARGV[2], 'changed')
return 1
