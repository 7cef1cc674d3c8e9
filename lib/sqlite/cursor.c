/* SPDX-License-Identifier: MIT */
/* Cursors of lists that are read in pages. */
#include "sqlite/cursor.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

struct slice
cursor_write(char text[CURSOR_SIZE], const int64_t *numbers, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < n && len < CURSOR_SIZE; i++)
		len += (size_t)snprintf(text + len, CURSOR_SIZE - len,
					"%s%" PRId64, i > 0 ? ":" : "",
					numbers[i]);
	return (struct slice){text, len};
}

int
cursor_read(struct slice text, int64_t *numbers, size_t n, struct err *err)
{
	char copy[CURSOR_SIZE] = "", *p = copy, *end;
	size_t i;

	if (text.len == 0 || text.len >= sizeof(copy))
		goto bad;
	memcpy(copy, text.p, text.len);
	for (i = 0; i < n; i++, p = end) {
		if (i > 0 && *p++ != ':')
			goto bad;
		/* strtoll() takes more than we have written. */
		if (!isdigit((unsigned char)*p))
			goto bad;
		errno = 0;
		numbers[i] = strtoll(p, &end, 10);
		if (errno != 0)
			goto bad;
	}
	if (p != copy + text.len)
		goto bad;
	return 0;
bad:
	return err_set(err, ERR_DATA,
		       "invalid cursor; start the list without a cursor");
}
