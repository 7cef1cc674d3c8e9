-- A page of the steps and callbacks of a workflow.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 the last ID of the page before, or ''   2 how many, at most; there may be
--       fewer
-- Returns {the last ID, or '' if that was all; for each: ID, where it is (w: it waits,
-- r: it was released, s, f or k: it has ended so), "ROLE BEFORE HOW …"}, or nothing if
-- there is no workflow.

-- include flow
-- include flow_types

if not state then return {} end
local from, most = ARGV[1] ~= '' and '(' .. ARGV[1] or '-', math.min(tonumber(ARGV[2]), PAGE)
local ids = redis.call('ZRANGEBYLEX', STEPS, from, '+', 'LIMIT', 0, most)
local page, last = {''}, ''

local function place_of(id)
  local ended, on = redis.call('HGET', ENDED, id), redis.call('ZSCORE', ON, id)
  if ended then return ended end
  if on then return tonumber(on) > 0 and 'r' or not is_over() and 'w' end
  return redis.call('ZSCORE', HELD, id) and 'w' or 'r'
end

for _, id in ipairs(ids) do
  local place = place_of(id)
  local entry = redis.call('HGET', INFO, id) or ''
  local role, after = string.match(entry, '^%S+ %S+ %S+ %S+ (%S) %S+\n([^\n]*)\n')
  last = id
  -- A callback that was not called is none.
  if place then
    page[#page + 1] = id
    page[#page + 1] = place
    page[#page + 1] = (role or '-') .. ' ' .. (after or '')
  end
  bytes = bytes + #id + #entry
  if bytes >= BYTES then break end
end
if last ~= "" and (#ids == most or last ~= ids[#ids]) then page[1] = last end
return page
