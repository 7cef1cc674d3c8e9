-- Looks for the task `id`, from the place `start` on, while `effort` lasts: µs, by
-- this reckoning. `stamp` characters stand before each task.

-- As it is written in JSON, by most. Others write "\/", or any character as
-- \u and its number: then only decoding tells.
local spelt = '"' .. string.gsub(id, '[\\"]', '\\%0') .. '"'

local seen, spent = 0, 0
local function is_it(member)
  local cost = 0.8 + #member * 0.0015
  effort, seen, spent = effort - cost, seen + 1, spent + cost
  if not string.find(member, spelt, 1, true) and
    not (string.find(member, '\\', 1, true) and string.find(member, '\\[/u]')) then
    return false
  end
  local task = string.sub(member, stamp + 1)
  effort = effort - math.min(#task, LARGE) * 0.05
  if #task > LARGE then return member_by_ends(task, 'id') == id end
  local fields = decode(task)
  if fields then return fields['id'] == id end
  -- No task that a worker takes. An id that stands before all brackets is its.
  local first, behind = string.find(task, '^%s*{[^{%[]-"id"%s*:%s*')
  return first ~= nil and string.sub(task, behind + 1, behind + #spelt) == spelt
end

-- How many to read at once, as in reach.lua; here it is time that is spent.
local step = 1
local function reach(get)
  local count = math.min(step, 1 + math.floor(effort * seen / math.max(spent, 0.1)))
  while count > 1 do
    local last = get(start + count - 1, start + count - 1)[1] or get(-1, -1)[1] or ''
    if #last * count * 0.0015 <= effort then break end
    effort = effort - #last * 0.0015
    count = math.max(1, math.floor(count / 8))
  end
  step = math.min(8 * step, 500)
  return count
end

-- Searches what get(first, last) gives. Returns the member and its index; or
-- nil and where to go on (a little before, since others may take tasks out, too);
-- or nothing at the end.
local function search(get)
  local first = start
  while effort > 0 do
    local count = reach(get)
    local members = get(start, start + count - 1)
    for i, member in ipairs(members) do
      if is_it(member) then return member, start + i - 1 end
    end
    start = start + #members
    if #members < count then return nil, nil end
  end
  return nil, start - math.min(64, math.floor((start - first) / 2))
end
