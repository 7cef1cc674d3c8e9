#!lua flags=allow-oom
-- Ends the record of a task that is in no place, if it still is what it was.
--
-- KEYS  1 the record
-- ARGV  1 the SHA-1 of the record as it was seen   2 what it ends with
--       3 seconds that this lives, 0: for ever
--       4 channel of those who wait for the end
-- Returns 1, or 0 if it is another one by now.

local record = redis.pcall('GET', KEYS[1])
if type(record) ~= 'string' or redis.sha1hex(record) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
-- Who may not publish has stored it all the same.
redis.pcall('PUBLISH', ARGV[4], 'done')
return 1
