# SPDX-License-Identifier: MIT
# Reads what gcov prints of each file, and prints the share of lines that ran
# by folder; with FILES=1 by file as well.
/^File '/ {
	name = $2
	gsub(/\047/, "", name)
	wanted = name ~ /^lib\/.*\.c$/
}
wanted && /^Lines executed:/ {
	split($2, part, /[:%]/)
	folder = name
	sub(/\/[^\/]*$/, "", folder)
	all[folder] += $4
	ran[folder] += $4 * part[2] / 100
	if (FILES)
		printf "%5.1f %%  %5d lines  %s\n", part[2], $4, name
	wanted = 0
}
END {
	sort = "sort -k4"
	for (folder in all)
		printf "%5.1f %%  %5d lines  %s\n", \
		    100 * ran[folder] / all[folder], all[folder], folder | sort
}
