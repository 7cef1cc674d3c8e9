# SPDX-License-Identifier: MIT
# Makes a .def of Lua scripts: of claim.lua, REDIS_SCRIPT(CLAIM, "claim", text, sum,
# sum): the SHA-1 of all of it, by which Redis names it, and that without a first
# line of flags.
# In place of a line "-- include NAME" it puts the lines of parts/NAME.lua, which
# are the same in several scripts: Redis has no way to call one from another.
# Usage: awk -v scratch=FILE -f embed.awk *.lua

function put(line) {
	text = text line "\n"
	gsub(/[\\"]/, "\\\\&", line)
	print "\"" line "\\n\""
}

function sum(text,    command, words) {
	command = "sha1sum > " scratch
	printf "%s", text | command
	if (close(command) != 0 || (getline words < scratch) <= 0)
		failed = 1
	close(scratch)
	return "\"" substr(words, 1, 40) "\""
}

function finish(    bare) {
	bare = text
	sub(/^#![^\n]*\n/, "", bare)
	print ",\n" sum(text) ",\n" sum(bare) ")"
	text = ""
}

FNR == 1 {
	if (NR > 1)
		finish()
	name = folder = FILENAME
	sub(/[^\/]*$/, "", folder)
	sub(/^.*\//, "", name)
	sub(/\.lua$/, "", name)
	print "REDIS_SCRIPT(" toupper(name) ", \"" name "\","
}

/^-- include [a-z_]+$/ {
	part = folder "parts/" $3 ".lua"
	while ((found = (getline line < part)) > 0)
		put(line)
	close(part)
	if (found == 0)
		next
	print FILENAME ": cannot read " part > "/dev/stderr"
	failed = 1
	exit 1
}

{ put($0) }

END {
	if (!failed)
		finish()
	exit failed
}
