-- Begins a workflow.
--
-- KEYS  1-10 its home (parts/flow.lua)
-- ARGV  1 label   2 policy: continue or cancel   3 '1': whole   4 its life in s
-- Returns 1, or 0 if there is one.

-- include flow
-- include flow_types

if state then return 0 end
redis.call('HSET', META, 'state', 'open', 'label', ARGV[1], 'policy', ARGV[2],
  'whole', ARGV[3], 'life', ARGV[4], 'begun', now, 'moved', now)
return 1
