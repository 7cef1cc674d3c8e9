-- Adds the tasks of a list to `page`, each behind a word that says where it is.
-- Returns where it stopped, or nil at the end of the list. `withdrawn` stands in
-- the place of a task that was withdrawn.
local function view_list(list, word, start, most)
  local function look(i)
    return redis.call('LINDEX', list, i < 0 and i or start + i)
  end
  while want > 0 and budget > 0 do
    local count = reach(most, look)
    local tasks = redis.call('LRANGE', list, start, start + count - 1)
    for _, task in ipairs(tasks) do
      spend(#task)
      if task ~= withdrawn then
        page[#page + 1] = word
        page[#page + 1] = task
      end
    end
    start, want = start + #tasks, want - #tasks
    if #tasks < count then return nil end
  end
  return start
end
