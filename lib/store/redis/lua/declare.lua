#!lua flags=allow-oom
-- Declares a rule of a queue's limits, as the configuration of a worker has it. What
-- a command has set, or taken away, stays. Else counts the tasks in flight again,
-- and reconsiders those that are held.
--
-- DECLARED has of each scope what was declared last: the rule, with its worker; where
-- a task's group stands, or ''; and another worker that had declared something else
-- before, and has not said the same since, or ''. That the rule in force was declared,
-- and not set by a command, is said by the worker in it.
--
-- KEYS  1 limits (hash)   2 running (hash)   3 times of rates (zset)
--       4 scopes that wait for their rate (zset)   5 declared (hash)
-- ARGV  1 control channel   2 the wake order for this queue
--       3 the rule's scope  4 the rule, JSON; empty: what was declared comes into
--       force, whatever a command has said
--       5 where a task's group stands, or ''
--       6 how many rules there may be   7 the worker
--       8 '1': a worker starts, or reads its configuration again; else only what is
--       not declared at all is
-- Returns {what has become of it, the worker that had declared it before or ''}:
-- 'set', 'same', 'changed', 'kept' (a command has set another one), 'gone' (a command
-- has taken it away), 'none' (nothing was declared) or 'full'.

-- What has the wrong type fails here, before anything has changed.
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
local scope, rule, path, worker = ARGV[3], ARGV[4], ARGV[5], ARGV[7]
local known = redis.call('HGET', KEYS[5], scope)
local current = redis.call('HGET', KEYS[1], scope)
known = known and cjson.decode(known)

local function worker_of(text)
  return text and string.match(text, ',"worker":"([^"]*)"')
end

local function unsigned(text)
  return (string.gsub(text, ',"worker":"[^"]*"', ''))
end

local function note(fields)
  redis.call('HSET', KEYS[5], scope, cjson.encode(fields))
end

local function put(rule, path)
  redis.call('HSET', KEYS[1], scope, rule)
  local by = redis.call('HGET', KEYS[1], 'by')
  if path ~= '' and (not by or known and by == known.by) then
    redis.call('HSET', KEYS[1], 'by', path)
  end
  redis.call('UNLINK', KEYS[2], KEYS[4])
  redis.call('ZREM', KEYS[3], scope)
  redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end

local rules = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'by')
if not current and rules >= tonumber(ARGV[6]) then return {'full', ''} end

if rule == '' then
  if not known then return {'none', ''} end
  put(known.rule, known.by)
  return {'set', worker_of(known.rule)}
end

local standing = not current and 'gone' or worker_of(current) and 'same' or 'kept'
local before = known and worker_of(known.rule) or ''
if known and unsigned(known.rule) == unsigned(rule) and known.by == path then
  if known.other == worker then
    known.other = ''
    note(known)
  end
  return {standing, before}
end
if known and ARGV[8] ~= '1' then return {standing, before} end
local other = ''
if known then other = before ~= worker and before or known.other end
if other == worker then other = '' end
note({rule = rule, by = path, other = other})
if standing == 'kept' or (known and standing == 'gone') then return {standing, before} end
put(rule, path)
return {known and 'changed' or 'set', before}
