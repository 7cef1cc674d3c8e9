# SPDX-License-Identifier: MIT
# Makes loaded/NAME.h of NAME.functions: see library.h. A line "include HEADER"
# names a header of the library, any other line one of its functions.
# Usage: awk -v name=NAME -v file=LIBRARY.so.N -f library.awk NAME.functions

/^#/ || /^$/ { next }
$1 == "include" { print "#include <" $2 ">"; next }
{ functions[n++] = $1 }

END {
	if (file == "" || n == 0) {
		print FILENAME ": no library, or no function" > "/dev/stderr"
		exit 1
	}
	# The types are those of the header, so a wrong call does not compile.
	print "struct loaded_" name " {"
	for (i = 0; i < n; i++)
		print "\t__typeof__(" functions[i] ") *" functions[i] ";"
	print "};\nextern struct loaded_" name " loaded_" name ";"
	for (i = 0; i < n; i++) {
		print "#undef " functions[i]
		print "#define " functions[i] " loaded_" name "." functions[i]
	}
	print "#define loaded_" name "_file \"" file "\""
	printf "#define loaded_" name "_names"
	for (i = 0; i < n; i++)
		printf " \\\n\t\"" functions[i] "\\0\""
	print ""
}
