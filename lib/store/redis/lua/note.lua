-- Stores a record of a task that goes on, unless one is there that is final. It
-- may come late: what was sent over a connection that is given up can still
-- reach the server, after what was sent over the next one.
--
-- KEYS  1 the record's key
-- ARGV  1 the record
-- Returns 1, or 0 when the task is over.

-- Final records have a life; so may the pending ones of others.
if redis.call('PTTL', KEYS[1]) >= 0 then
  local ok, record = pcall(cjson.decode, redis.call('GET', KEYS[1]))
  if ok and type(record) == 'table' and (record.status == 'success' or record.status == 'failed') then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
