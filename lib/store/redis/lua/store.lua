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

local call, try = redis.call, redis.pcall
local left, answers, marks = tonumber(ARGV[2]), {}, {}

local function is_final(old)
  -- The beginning of a record of ours; of another program's, all of it.
  local status = string.match(old, '^{"task_id":"[^"\\]*","status":"(%a+)"')
  if not status then
    local ok, record = pcall(cjson.decode, old)
    status = ok and type(record) == 'table' and record.status
    left = left - #old
  end
  return status == 'success' or status == 'failed'
end

-- Which mark is there now, of the m-th key. One that is not there any more has
-- outlived its worker, which was away for that long: it has to look what is in
-- flight.
local function mark_of(m)
  if marks[m] == nil then
    local mark = try('GET', KEYS[tonumber(m)])
    marks[m] = type(mark) == 'string' and mark or ''
  end
  return marks[m]
end

-- Another worker has the task: only what is there counts.
local function look(key, record)
  local old = try('GET', key)
  if old == record then return 1 end
  return type(old) == 'string' and is_final(old) and 0 or -1
end

-- Returns what was there, or nothing.
local function set(key, record, life)
  local old
  if life == '0' then
    old = try('SET', key, record, 'GET')
  else
    old = try('SET', key, record, 'EX', life, 'GET')
  end
  if type(old) == 'string' then return old end
  if not old then return nil end
  -- A key of another type is not a record, and is replaced.
  if life == '0' then
    call('SET', key, record)
  else
    call('SET', key, record, 'EX', life)
  end
end

local function store(key, at)
  local record, life, m = ARGV[at], ARGV[at + 1], ARGV[at + 4]
  if m ~= '0' and mark_of(m) ~= ARGV[at + 5] then return look(key, record) end
  -- One command for both, since there is a final record in one case of a
  -- million. It is put back then, and lives as long as the new one would.
  local old = set(key, record, life)
  if old == record then return 1 end
  if old and is_final(old) then
    set(key, old, life)
    return 0
  end
  -- Who may not publish has stored it all the same, and so have its neighbours.
  try('PUBLISH', ARGV[at + 2], 'done')
  if ARGV[at + 3] ~= '' then try('PUBLISH', ARGV[at + 3], record) end
  return 1
end

for i = 1, tonumber(ARGV[1]) do
  if left <= 0 then break end
  answers[i] = store(KEYS[i], 6 * i - 3)
end
return answers
