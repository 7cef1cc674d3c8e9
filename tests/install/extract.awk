# SPDX-License-Identifier: MIT
# Writes the examples in C of headers and manual pages, each a whole program or
# module, to OUT/FILE.1.c and so on, and prints these names. A block of code that
# is not whole, and so cannot be compiled, is an error.

# A header's block is in a comment, behind a tab; a page's between .Bd and .Ed.
FNR == 1 {
	end_block()
	count = 0
	name = FILENAME
	gsub(/.*\//, "", name)
	header = name ~ /\.h$/
}
header && /^ \*\t/ { add(substr($0, 4)); next }
header && /^ \*$/ { if (inside) add(""); next }
header { end_block(); next }
/^\.Bd/ { inside = 1; next }
/^\.Ed/ { end_block(); next }
inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); add($0) }
END { end_block(); exit failed }

function add(line) {
	inside = 1
	block = block line "\n"
}

function end_block(    out) {
	if (block ~ /^#include/) {
		out = OUT "/" name "." ++count ".c"
		printf "%s", block > out
		close(out)
		print out
	} else if (block ~ /;\n/) {
		print FILENAME ":" FNR ": an example that is not whole" | "cat >&2"
		failed = 1
	}
	block = ""
	inside = 0
}
