-- Takes tasks from the lanes and lists of a queue in the order of their priorities.
-- The script has KEYS[1]: the list of priority 0, KEYS[2]: levels (zset), the lists
-- by level, and says with wants() whether it may take more, take_lanes(level) takes
-- what was set aside up to that level, take(list, level) from a list, and says
-- whether that was emptied.

-- Looks into so many levels a call.
local WINDOW = 64

-- Says why it stopped: 'empty'; 'levels': it knows no list of one; or 'more'.
local function take_in_order(levels)
  local plain = false
  for _, level in ipairs(levels) do
    if string.sub(level, 1, 1) ~= '-' and not plain then
      take_lanes(0)
      take(KEYS[1], '0')
      plain = true
    end
    if not wants() then return 'more' end
    if not lists[level] then return 'levels' end
    take_lanes(tonumber(level))
    if take(lists[level], level) then redis.call('ZREM', KEYS[2], level) end
  end
  -- There may be more levels, which come before the list of priority 0.
  if not wants() or #levels == WINDOW then return 'more' end
  if not plain then
    take_lanes(0)
    take(KEYS[1], '0')
  end
  take_lanes(math.huge)
  return wants() and 'empty' or 'more'
end
