#!lua flags=allow-oom
-- Seals a workflow. To be called until it says that this was all.
--
-- KEYS  1-10 its home (parts/flow.lua)
--       11 the list of a queue, as for flow_advance.lua
-- ARGV  1 the name of that queue, or ''   2 where the last call stopped, or ''
-- Returns as flow_advance.lua.

-- include flow
-- include flow_types

local cursor, first = ARGV[2], 0
if not state then return {'', '', -1, {}} end
if state == 'open' then
  first = 1
  set_state('running')
end
if state == 'running' then cursor = pass_on({SEAL}, {'s'}, cursor) else cursor = '' end
commit()
if cursor == '' then finish() end
return {cursor, state, first, outs}
