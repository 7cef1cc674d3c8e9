-- Stores a record of a task that goes on, unless one is there that is final. It
-- may come late: what was sent over a connection that is given up can still
-- reach the server, after what was sent over the next one.
--
-- KEYS  1 the record's key
--       2 the mark of takeovers, of a record that follows from a claim
-- ARGV  1 the record
--       2 the channel of those who follow the task
--       3 the mark that the claim remembers, with KEYS[2]; 'pending': it is only for
--       the place of a record that is so
-- Returns 1; 0 when the task is over, or not pending; -1 when another worker has taken
-- it over.

-- include member
-- include is_final

-- A key of another type is not a record, and is replaced.
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'string' and is_final(old) then return 0 end
if not KEYS[2] and ARGV[3] == 'pending' and
  (type(old) ~= 'string' or status_of(old) ~= 'pending') then return 0 end
-- A mark that is not there any more has outlived its worker, which was away for
-- that long: it has to look what is in flight.
local mark = KEYS[2] and redis.pcall('GET', KEYS[2])
if type(mark) ~= 'string' then mark = '' end
if KEYS[2] and mark ~= ARGV[3] then return -1 end
redis.call('SET', KEYS[1], ARGV[1])
-- Who may not publish has stored it all the same.
redis.pcall('PUBLISH', ARGV[2], 'changed')
return 1
