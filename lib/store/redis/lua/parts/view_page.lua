-- Fills `page` from the zset `shown`, the highest score first: `start` are left out,
-- and add(member, score) adds each. `at_once` are read together; nil: as many
-- as their size allows. page[1] is where the next page starts, or -1.
local function look(i)
  local at = i < 0 and i or start + i
  return redis.call('ZREVRANGE', shown, at, at)[1]
end

while true do
  if want <= 0 or budget <= 0 then
    page[1] = start
    break
  end
  local count = at_once and math.min(want, at_once) or reach(50, look)
  local found = redis.call('ZREVRANGE', shown, start, start + count - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    if budget <= 0 then break end
    add(found[i], found[i + 1])
    start, want = start + 1, want - 1
  end
  if #found < 2 * count and budget > 0 then break end
end
