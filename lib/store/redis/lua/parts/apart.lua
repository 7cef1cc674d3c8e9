-- The delayed set has each text once; two tasks may have the same, since
-- producers of other programs may push one twice. Blanks behind it are nothing
-- to JSON: the time in them makes it another member.
local function apart(task, key, time)
  while redis.call('ZSCORE', key, task) do
    local number, blanks = time[1] % 86400 * 1000000 + time[2], {}
    for i = 1, 37 do
      blanks[i] = number % 2 == 0 and ' ' or '\t'
      number = math.floor(number / 2)
    end
    task = task .. table.concat(blanks)
    time[2] = time[2] + 1
  end
  return task
end
