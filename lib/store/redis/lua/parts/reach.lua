-- How many to read at once, since what is read is copied, whatever its size: as
-- many as fit if they are like those before, and like the last of them; at most
-- `most`. The script has `want`, how many it may still take, and `budget`, bytes
-- that it may still read. look(i) is the one that comes i places behind the next
-- one, and look(-1) the very last; false or nil: there is none.
local step, seen, size = 1, 0, 0
local function reach(most, look)
  local count = math.min(step, want, 1 + math.floor(budget * seen / math.max(size, 1)))
  while count > 1 do
    local last = look(count - 1) or look(-1) or ''
    if #last * count <= budget then break end
    budget = budget - #last
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, most)
  return count
end

-- One was read.
local function spend(bytes)
  budget, seen, size = budget - bytes, seen + 1, size + bytes
end
