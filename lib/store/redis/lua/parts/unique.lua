-- Keys of tasks that nobody else may have until the task starts, or ends. The
-- script has the key UNIQUES (hash: key → "ID EXPIRES UNTIL DUE", the times in ms
-- since 1970; DUE only of a delayed one that starts) and the variable has_uniques:
-- whether there are any.

-- What a task says of its key stands before its arguments (codec/task_json.c).
local UNIQUE_HEAD = 8192

-- The task has ended, or, with 'start', it starts: frees its key, if it is still
-- the one that has it.
local function free_unique(task, start)
  if not has_uniques then return end
  local head = string.sub(task, 1, UNIQUE_HEAD)
  if not string.find(head, '"unique_until"', 1, true) then return end
  local stop = string.find(head, ',"args":', 1, true)
  local ok, fields = pcall(cjson.decode, string.sub(head, 1, (stop or 0) - 1) .. '}')
  if not stop or not ok or type(fields) ~= 'table' or
    type(fields['unique']) ~= 'string' or
    (start and fields['unique_until'] ~= 'start') then return end
  local owner = redis.call('HGET', UNIQUES, fields['unique'])
  if owner and string.match(owner, '^%S*') == fields['id'] then
    redis.call('HDEL', UNIQUES, fields['unique'])
  end
end
