/* SPDX-License-Identifier: MIT */
/*
 * A growable run of bytes: what every text of the project is built in.
 *
 * A buffer that ran out of memory says so once, in `failed`, and ignores what
 * follows. So a caller appends a whole message and checks at its end, instead
 * of after each piece.
 */
#include "util/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slice
slice_of(const char *s)
{
	return (struct slice){s, strlen(s)};
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

int
slice_cmp(struct slice a, struct slice b)
{
	const size_t len = a.len < b.len ? a.len : b.len;
	const int order = len > 0 ? memcmp(a.p, b.p, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

void
buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

/*
 * Keeps the memory: a buffer that is reused for each task soon has the size of
 * the largest and allocates no more. A failure is forgotten, since the content
 * that lacked a piece is gone.
 */
void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Whether `more` bytes and the NUL behind them fit as it is. Appending asks this
 * first: a record is made of some seventy pieces, and grows once. */
static bool
buf_has_room(const struct buf *b, size_t more)
{
	return b->cap - b->len > more && !b->failed;
}

static int __attribute__((noinline)) buf_grow(struct buf *b, size_t more)
{
	/* Doubled each time, so that n bytes cost O(n) copies; most texts of
	 * this project fit the first. */
	size_t cap = b->cap ? b->cap : 64;
	char *p;

	if (b->failed)
		return -1;
	/* Half, because the loop below doubles. */
	if (more > SIZE_MAX / 2 - b->len - 1)
		goto fail;
	/* One byte more than asked for: the NUL behind the content. */
	while (cap < b->len + more + 1)
		cap *= 2;
	if ((p = realloc(b->data, cap)) == NULL)
		goto fail;
	b->data = p;
	b->cap = cap;
	return 0;
fail:
	b->failed = true;
	return -1;
}

int
buf_reserve(struct buf *b, size_t more)
{
	return buf_has_room(b, more) ? 0 : buf_grow(b, more);
}

void
buf_add(struct buf *b, const void *p, size_t len)
{
	if (!buf_has_room(b, len) && buf_grow(b, len) != 0)
		return;
	/* An empty slice has no pointer, which memcpy() must not get. */
	if (len > 0)
		memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	if (!buf_has_room(b, 1) && buf_grow(b, 1) != 0)
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	const size_t room = b->failed ? 0 : b->cap - b->len;
	char *end = room > 0 ? b->data + b->len : NULL;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	/* The first call writes if there is room, and measures in any case. It
	 * uses up `ap`. */
	va_copy(again, ap);
	n = vsnprintf(end, room, fmt, ap);
	if (n >= 0 && (size_t)n < room) {
		b->len += (size_t)n;
	} else if (n >= 0 && buf_reserve(b, (size_t)n) == 0) {
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	} else {
		b->failed = true;
		/* What was cut off does not count. */
		if (end != NULL)
			*end = '\0';
	}
	va_end(again);
	va_end(ap);
}

/* Moves what is left, so that content always begins at `data`. Callers drain in
 * large steps; one byte at a time would cost the square of the length. */
void
buf_drain(struct buf *b, size_t len)
{
	if (len >= b->len) {
		b->len = 0;
	} else if (len > 0) {
		memmove(b->data, b->data + len, b->len - len);
		b->len -= len;
	}
	if (b->data != NULL)
		b->data[b->len] = '\0';
}

/* NULL for a buffer that nothing was ever added to. */
char *
buf_take(struct buf *b)
{
	char *p = b->data;

	*b = (struct buf)BUF_INIT;
	return p;
}
