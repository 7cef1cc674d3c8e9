#!lua flags=allow-oom
-- Seals a workflow. To be called until it says that this was all.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 where the last call stopped, or ''
-- Returns as flow_advance.lua.

-- include flow
-- include flow_types

local cursor, first = ARGV[1], 0
if not state then return {'', '', -1, {}} end
if state == 'open' then
  first = 1
  set_state('running')
end
if state == 'running' then cursor = pass_on({SEAL}, {'s'}, cursor) else cursor = '' end
commit()
if cursor == '' then finish() end
return {cursor, state, first, outs}
