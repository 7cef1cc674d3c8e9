-- Says which tasks have ended, those that ended last first. Their records are
-- in keys of their own, for records.lua.
--
-- KEYS  1 list of ids
-- ARGV  1 cursor: empty, or PLACE:ID of the last one that was seen
--       2 how many ids
-- Returns '', the place of the first, and the ids; or only a cursor to go on
-- with, which is empty at the end.

-- Where the last one is now that the cursor names, and nil; or nil, and the
-- cursor to go on with. New ones have pushed it down, if anything: it is looked
-- for from its old place on, for a while. If it is gone, so is all behind it.
local function find(cursor)
  local place, last = string.match(cursor, '^(%d+):(.*)$')
  if redis.call('LRANGE', KEYS[1], place, place)[1] == last then return place end
  for chunk = 1, 5 do
    local ids = redis.call('LRANGE', KEYS[1], place, place + 999)
    for i, id in ipairs(ids) do
      if id == last then return place + i - 1 end
    end
    if #ids < 1000 then return nil, '' end
    place = place + 1000
  end
  return nil, place .. ':' .. last
end

local first = 0
if ARGV[1] ~= '' then
  local last, again = find(ARGV[1])
  if not last then return {again} end
  first = last + 1
end

local ids = redis.call('LRANGE', KEYS[1], first, first + ARGV[2] - 1)
return {'', first, unpack(ids)}
