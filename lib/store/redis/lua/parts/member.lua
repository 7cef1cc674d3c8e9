-- To decode a text takes the server up to 0.1 µs a byte: so a large one is not decoded.
-- Where it has its own members, before all brackets or behind them, both ends tell. A
-- member of an argument leaves too many brackets, or too few.
local LARGE, END = 49152, 16384

local function decode(text)
  local ok, fields = pcall(cjson.decode, text)
  return ok and type(fields) == 'table' and fields or nil
end

-- The member `name`, whose value has no brackets; nil where neither end tells.
local function member_by_ends(text, name)
  -- Without the first ^ it would be tried at each place: a second of the server.
  local tail = string.match(string.sub(text, -END), '^.*("' .. name .. '"%s*:.*)$')
  local fields = tail and decode('{' .. tail)
  if fields then return fields[name] end
  local head = string.match(string.sub(text, 1, END),
    '^%s*{[^{%[]-"' .. name .. '"%s*:%s*("?[^"\\,{}%[%]]*"?)%s*[,}]')
  fields = head and decode('{"' .. name .. '":' .. head .. '}')
  return fields and fields[name]
end
