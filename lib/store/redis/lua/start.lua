#!lua flags=allow-oom
-- A task that BLMOVE has brought starts: frees its key. The claim scripts do that
-- for what they claim.
--
-- KEYS  1 keys of unique tasks (hash)
-- ARGV  1 the task, or how it begins
-- Returns nothing.

local UNIQUES = KEYS[1]
local has_uniques = redis.call('HLEN', UNIQUES) > 0

-- include unique

free_unique(ARGV[1], true)
