/* SPDX-License-Identifier: MIT */
#include "manual.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

static void
add_file(FILE *to, const char *path)
{
	FILE *from = fopen(path, "re");
	char part[4096];
	size_t n;

	ck_assert_msg(from != NULL, "cannot read %s", path);
	while ((n = fread(part, 1, sizeof(part), from)) > 0)
		ck_assert_uint_eq(fwrite(part, 1, n, to), n);
	ck_assert_int_eq(fclose(from), 0);
}

char *
manual_read(const char *sources)
{
	char *pattern, *text = NULL;
	size_t i, size;
	glob_t found;
	FILE *to;

	ck_assert_int_gt(asprintf(&pattern, "%s/cmd/flowrractl/*.1", sources),
			 0);
	ck_assert_msg(glob(pattern, 0, NULL, &found) == 0, "no pages: %s",
		      pattern);
	ck_assert_ptr_nonnull(to = open_memstream(&text, &size));
	for (i = 0; i < found.gl_pathc; i++)
		add_file(to, found.gl_pathv[i]);
	ck_assert_int_eq(fclose(to), 0);
	globfree(&found);
	free(pattern);
	return text;
}
