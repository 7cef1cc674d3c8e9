#!lua flags=allow-oom
-- Puts steps of workflows into their queue, as submit.lua does; also on a full server,
-- since what they come after could not be settled otherwise.
--
-- KEYS, ARGV, and what it returns: see submit.lua.

-- include submit
