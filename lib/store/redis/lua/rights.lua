-- Says what the user may not do. Redis before 7 cannot tell.
--
-- KEYS  none: the keys in the commands are not touched
-- ARGV  for each command: a number, how many words it has, and its words
-- Returns the numbers of those that are refused; nil where it cannot be told.

if not redis.acl_check_cmd then return nil end
local refused, i = {}, 1
while i < #ARGV do
  local last = i + 1 + tonumber(ARGV[i + 1])
  -- It fails for a command that the server has not: then nobody may use it.
  local known, allowed = pcall(redis.acl_check_cmd, unpack(ARGV, i + 2, last))
  if known and not allowed then refused[#refused + 1] = tonumber(ARGV[i]) end
  i = last + 1
end
return refused
