-- The home of a workflow (flow.lua): what has the wrong type fails here, before anything
-- has changed.
for _, key in ipairs({META, INFO, OUT, ENDED}) do redis.call('HLEN', key) end
for _, key in ipairs({STEPS, OPEN, WAITS, NEXT, HELD, ON}) do redis.call('ZCARD', key) end
