/* SPDX-License-Identifier: MIT */
/*
 * Cursors of lists that are read in pages.
 *
 * A cursor is text that is read again by the store that has written it; but it
 * passes through the hands of users, who may change it, or give the one of
 * another list. So reading is strict, and a wrong cursor is an error rather
 * than the first page: a loop over pages would never end.
 */
#include "store/cursor.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/err.h"

/* strtoll() would take spaces, a plus, and what has no end. */
bool
cursor_number(struct slice *s, int64_t min, int64_t max, int64_t *ret)
{
	/* A minus is one only where the range has negative numbers. */
	const bool negative = min < 0 && s->len > 0 && s->p[0] == '-';
	const size_t start = negative ? 1 : 0;
	size_t i = start;
	int64_t n = 0;

	for (; i < s->len && s->p[i] >= '0' && s->p[i] <= '9'; i++)
		/* More digits than fit are a made-up cursor, too. */
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s->p[i] - '0', &n))
			return false;
	/* Nor are zeros in front, or a minus before 0, what we write. */
	if (i == start || (i < s->len && s->p[i] != ':') ||
	    (s->p[start] == '0' && (i - start > 1 || negative)))
		return false;
	/* A colon with nothing behind it is left, so that it is noticed. */
	if (i + 1 < s->len)
		i++;
	*s = (struct slice){s->p + i, s->len - i};
	*ret = negative ? -n : n;
	return *ret >= min && *ret <= max;
}

/* The message says what to do: a cursor is nothing that could be corrected. */
int
cursor_bad(struct err *err)
{
	return err_set(err, ERR_DATA,
		       "invalid cursor; start the list without a cursor");
}

/* `n` is at most CURSOR_NUMBERS_MAX, for which there is room. What snprintf()
 * returns is not what it has written, should that ever not be so. */
struct slice
cursor_write(char text[CURSOR_SIZE], const int64_t *numbers, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < n && len < CURSOR_SIZE; i++)
		len += (size_t)snprintf(text + len, CURSOR_SIZE - len,
					"%s%" PRId64, i > 0 ? ":" : "",
					numbers[i]);
	return (struct slice){text, len < CURSOR_SIZE ? len : CURSOR_SIZE - 1};
}

int
cursor_read(struct slice text, int64_t *numbers, size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!cursor_number(&text, 0, INT64_MAX, &numbers[i]))
			return cursor_bad(err);
	return text.len == 0 ? 0 : cursor_bad(err);
}
