# SPDX-License-Identifier: MIT
# Makes a .def of Lua scripts: of claim.lua, REDIS_SCRIPT(CLAIM, "claim", text).
# Usage: awk -f embed.awk *.lua

function quoted(line) {
	gsub(/[\\"]/, "\\\\&", line)
	return "\"" line "\\n\""
}

FNR == 1 {
	if (NR > 1)
		print ")"
	name = FILENAME
	sub(/^.*\//, "", name)
	sub(/\.lua$/, "", name)
	print "REDIS_SCRIPT(" toupper(name) ", \"" name "\","
}

{ print quoted($0) }

END { print ")" }
