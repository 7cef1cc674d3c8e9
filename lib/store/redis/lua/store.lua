#!lua flags=allow-oom
-- Stores the final records of tasks, and tells who waits for them. A full server
-- must take them, or its tasks could not be drained.
--
-- KEYS  the records' keys; behind them the marks of takeovers
-- ARGV  1 how many records   2 bytes of old records to look into before it stops
--       then for each record:  the record, seconds that it lives, 0 for ever,
--       channel of those who watch the task, channel of the one who awaits the
--       record, or '', which of the KEYS is the mark of its claim, 0 if it
--       follows from none, the mark that the claim remembers
-- Returns for each record 1, also if it is there already (it was sent before and
-- the reply was lost); 0 if another final one is there, which stays; -1 if
-- another worker has taken the task over. The answer may be short: those that
-- are missing were not looked at.

local left, answers, marks = tonumber(ARGV[2]), {}, {}

-- include member
-- include is_final

local function store(key, at)
  -- A key of another type is not a record, and is replaced.
  local old, record = redis.pcall('GET', key), ARGV[at]
  if old == record then return 1 end
  if type(old) == 'string' then
    local final, decoded = is_final(old)
    if decoded then left = left - 4 * #old end
    if final then return 0 end
  end
  -- A mark that is not there any more has outlived its worker, which was away
  -- for that long: it has to look what is in flight.
  local m = tonumber(ARGV[at + 4])
  if m > 0 and marks[m] == nil then
    local mark = redis.pcall('GET', KEYS[m])
    marks[m] = type(mark) == 'string' and mark or ''
  end
  if m > 0 and marks[m] ~= ARGV[at + 5] then return -1 end
  if ARGV[at + 1] == '0' then
    redis.call('SET', key, record)
  else
    redis.call('SET', key, record, 'EX', ARGV[at + 1])
  end
  -- Who may not publish has stored it all the same, and so have its neighbours.
  redis.pcall('PUBLISH', ARGV[at + 2], 'done')
  if ARGV[at + 3] ~= '' then redis.pcall('PUBLISH', ARGV[at + 3], record) end
  return 1
end

for i = 1, tonumber(ARGV[1]) do
  if left <= 0 then break end
  answers[i] = store(KEYS[i], 6 * i - 3)
end
return answers
