-- The lists of levels, and the lanes, that a claim may take from. The script has
-- KEYS[6]: lanes (zset).
local lists, lanes, others = {}, {}, {} -- lists by level; others: names

-- They are the KEYS from this one on; others than these are all that KEYS[6] names
-- besides, but `own`. What has the wrong type fails here.
local function find_lanes(from, own)
  for _, name in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do others[name] = true end
  if own then others[own] = nil end
  for i = from, #KEYS do
    local level = string.match(KEYS[i], ':p:(-?%d+)$')
    if level then
      redis.call('LLEN', KEYS[i])
      lists[level] = KEYS[i]
    else
      local name = string.match(KEYS[i], ':lane:([^:]*)$')
      if redis.call('ZCARD', KEYS[i]) > 0 then
        lanes[#lanes + 1] = {key = KEYS[i], name = name}
      elseif others[name] then
        redis.call('ZREM', KEYS[6], name)
      end
      others[name] = nil
    end
  end
end

-- The lane whose first task is to run first.
local function first_lane()
  local first
  for _, lane in ipairs(lanes) do
    local head = redis.call('ZRANGE', lane.key, 0, 0, 'WITHSCORES')
    if head[1] then
      lane.score, lane.at = tonumber(head[2]), string.sub(head[1], 1, 16)
      if not first or lane.score < first.score or
        (lane.score == first.score and lane.at < first.at) then first = lane end
    end
  end
  return first
end

-- It has other tasks than before.
local function note_lane(name, key)
  local left = redis.call('ZCARD', key)
  if left > 0 then
    redis.call('ZADD', KEYS[6], left, name)
  else
    redis.call('ZREM', KEYS[6], name)
  end
end
