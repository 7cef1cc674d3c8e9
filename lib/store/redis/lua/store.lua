#!lua flags=allow-oom
-- Stores the final record of a task, and tells who waits for it. A full server
-- must take it, or its tasks could not be drained.
--
-- KEYS  1 the record's key
--       2 the mark of takeovers, of a record that follows from a claim
-- ARGV  1 the record   2 seconds that it lives, 0 for ever
--       3 channel of those who watch the task
--       4 channel of the one who awaits the record, or ''
--       5 the mark that the claim remembers, with KEYS[2]
-- Returns 1, also if this record is there already (it was sent before and the
-- reply was lost); 0 if another final one is there, which stays; -1 if another
-- worker has taken the task over.

-- A key of another type is not a record, and is replaced.
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = false end
if old == ARGV[1] then return 1 end
if old then
  -- The beginning of a record of ours; of another program's, all of it.
  local status = string.match(old, '^{"task_id":"[^"\\]*","status":"(%a+)"')
  if not status then
    local ok, record = pcall(cjson.decode, old)
    status = ok and type(record) == 'table' and record.status
  end
  if status == 'success' or status == 'failed' then return 0 end
end
-- A mark that is not there any more was too old to matter, or all is gone.
local mark = KEYS[2] and redis.pcall('GET', KEYS[2])
if type(mark) == 'string' and mark ~= ARGV[5] then return -1 end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], 'done')
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[1]) end
return 1
