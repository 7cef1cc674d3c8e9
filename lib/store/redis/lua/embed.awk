# SPDX-License-Identifier: MIT
# Makes a .def of Lua scripts: of claim.lua, REDIS_SCRIPT(CLAIM, "claim", text).
# Usage: awk -f embed.awk *.lua
#
# In the place of a line `--- @include "include/delay.lua"` comes that file.
# There, the name is relative to the script, and included files include none.

function quoted(line) {
	gsub(/[\\"]/, "\\\\&", line)
	return "\"" line "\\n\""
}

function fail(why) {
	print FILENAME ":" FNR ": " why > "/dev/stderr"
	exit status = 1
}

function include(path,    line, got) {
	while ((got = (getline line < path)) > 0)
		print quoted(line)
	close(path)
	if (got < 0)
		fail(path " cannot be read")
}

FNR == 1 {
	if (NR > 1)
		print ")"
	folder = name = FILENAME
	sub(/[^\/]*$/, "", folder)
	sub(/^.*\//, "", name)
	sub(/\.lua$/, "", name)
	print "REDIS_SCRIPT(" toupper(name) ", \"" name "\","
}

/^--- @include / {
	split($0, part, "\"")
	include(folder part[2])
	next
}

{ print quoted($0) }

END {
	if (!status)
		print ")"
}
