# SPDX-License-Identifier: MIT
# Makes a .def of Lua scripts: of claim.lua, REDIS_SCRIPT(CLAIM, "claim", text).
# In place of a line "-- include NAME" it puts the lines of parts/NAME.lua, which
# are the same in several scripts: Redis has no way to call one from another.
# Usage: awk -f embed.awk *.lua

function quoted(line) {
	gsub(/[\\"]/, "\\\\&", line)
	return "\"" line "\\n\""
}

FNR == 1 {
	if (NR > 1)
		print ")"
	name = folder = FILENAME
	sub(/[^\/]*$/, "", folder)
	sub(/^.*\//, "", name)
	sub(/\.lua$/, "", name)
	print "REDIS_SCRIPT(" toupper(name) ", \"" name "\","
}

/^-- include [a-z_]+$/ {
	part = folder "parts/" $3 ".lua"
	while ((found = (getline line < part)) > 0)
		print quoted(line)
	close(part)
	if (found == 0)
		next
	print FILENAME ": cannot read " part > "/dev/stderr"
	failed = 1
	exit 1
}

{ print quoted($0) }

END {
	if (!failed)
		print ")"
}
