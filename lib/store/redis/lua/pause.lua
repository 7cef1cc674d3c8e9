#!lua flags=allow-oom
-- Pauses a queue, or resumes it. Workers look at the key whenever they claim;
-- those that wait are told to try.
--
-- KEYS  1 paused
-- ARGV  1 '1' to pause, '0' to resume
--       2 control channel   3 the wake order for this queue
-- Returns 1.

if ARGV[1] == '1' then
  redis.call('SET', KEYS[1], '1')
else
  redis.call('DEL', KEYS[1])
end
-- Workers that hear nothing look by themselves.
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return 1
