#!lua flags=allow-oom
-- Cancels a workflow. To be called until it says that this was all.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 where the last call stopped, or ''
-- Returns as flow_advance.lua.

-- include flow
-- include flow_types

local cursor, first = '', 0
if not state then return {'', '', -1, {}} end
if state == 'open' or state == 'running' then
  first = 1
  set_state('cancelling')
end
if state == 'cancelling' then cursor = skip_some() end
commit()
if cursor == '' then finish() end
return {cursor, state, first, outs}
