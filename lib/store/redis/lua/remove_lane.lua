#!lua flags=allow-oom
-- Looks for a task by its id in a lane, and takes it out. Searches a stretch a
-- call, the last first, as remove.lua does in the rest of the queue.
--
-- KEYS  1 the lane (zset)   2 lanes (zset)
-- ARGV  1 id   2 the lane's name   3 tasks to leave out
--       4 how long to search, in µs, about
-- Returns how many to leave out the next time, or -1 at the end of the lane; and
-- then the task, if it was found.

local id, start, effort = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local spelt = '"' .. string.gsub(id, '[\\"]', '\\%0') .. '"'

local seen, spent = 0, 0
local function is_it(task)
  local cost = 0.8 + #task * 0.0015
  effort, seen, spent = effort - cost, seen + 1, spent + cost
  if not string.find(task, spelt, 1, true) and
    not (string.find(task, '\\', 1, true) and string.find(task, '\\[/u]')) then
    return false
  end
  local head = #task > 16384 and
    string.match(string.sub(task, 17, 16400), '^%s*{[^{%[]-"id"%s*:%s*"([^"\\]*)"')
  if head then return head == id end
  effort = effort - #task * 0.02
  local ok, fields = pcall(cjson.decode, string.sub(task, 17))
  return ok and type(fields) == 'table' and fields['id'] == id
end

-- What has the wrong type fails here, before anything has changed.
redis.call('ZCARD', KEYS[2])
local step, first = 1, start

-- How many to read at once, since what is read is copied, whatever its size: as
-- many as there is time for if they are like those before, and like the last of
-- them.
local function get(from, to)
  return redis.call('ZREVRANGE', KEYS[1], from, to)
end
local function reach()
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

while effort > 0 do
  local count = reach()
  local tasks = get(start, start + count - 1)
  for _, task in ipairs(tasks) do
    if is_it(task) then
      redis.call('ZREM', KEYS[1], task)
      local left = redis.call('ZCARD', KEYS[1])
      if left > 0 then
        redis.call('ZADD', KEYS[2], left, ARGV[2])
      else
        redis.call('ZREM', KEYS[2], ARGV[2])
      end
      return {-1, string.sub(task, 17)}
    end
  end
  start = start + #tasks
  if #tasks < count then return {-1} end
end
-- A little before, since others may take tasks out, too.
return {start - math.min(64, math.floor((start - first) / 2))}
