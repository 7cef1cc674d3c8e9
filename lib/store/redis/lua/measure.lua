#!lua flags=allow-oom
-- Adds counts to a minute, its hour, and the total. A full server takes them
-- too: they show why it is full.
--
-- KEYS  1 the minute   2 the hour   3 the total (hashes)
-- ARGV  1 2 3 seconds that each of them lives   4 most fields of one of them
--       5 fields beyond which it lives shorter
--       then fields, "what:queue:task", each with what is added to it
-- A field that there is no room for counts for the task "other" of its queue.

-- What has the wrong type fails here, before anything has changed.
local size = {}
for k = 1, 3 do size[k] = redis.call('HLEN', KEYS[k]) end
local most, full = tonumber(ARGV[4]), tonumber(ARGV[5])
for k = 1, 3 do
  for i = 6, #ARGV, 2 do
    local field = ARGV[i]
    if size[k] >= most and redis.call('HEXISTS', KEYS[k], field) == 0 then
      field = string.match(field, '^%d+:[^:]*:') .. 'other'
    end
    -- The sum is what was added: the field is new.
    if redis.call('HINCRBY', KEYS[k], field, ARGV[i + 1]) ==
       tonumber(ARGV[i + 1]) then
      size[k] = size[k] + 1
    end
  end
  local life = tonumber(ARGV[k])
  if size[k] > full and k < 3 then life = math.floor(life * full / size[k]) end
  redis.call('EXPIRE', KEYS[k], life)
end
