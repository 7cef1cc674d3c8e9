/* SPDX-License-Identifier: MIT */
/* The lines of standard input. */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A pipe holds 64 KiB, and a file gives what is asked for: some hundred tasks with
 * each read(). */
#define READ_BYTES (256 * 1024)

struct reader {
	const struct lines *lines;
	struct buf input;
	size_t number;
	bool skipping; /* the rest of a line that is too long */
	bool stopped;
};

bool
lines_would_block(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&fd, 1, 0) == 0;
}

static void
reader_report(struct reader *r, const char *p, size_t len)
{
	/* With its blanks: the rest of a long line, which has not been read, may
	 * be anything. */
	const bool too_long = len > r->lines->max;

	r->number++;
	while (len > 0 && strchr(" \t\r", p[len - 1]) != NULL)
		len--;
	if (len > 0 || too_long)
		r->stopped = !r->lines->on_line(
		    r->lines->arg, r->number, (struct slice){p, len}, too_long);
}

/* Takes the whole lines out of the input. */
static void
reader_take(struct reader *r)
{
	const char *begin = r->input.data, *end;
	size_t left = r->input.len;

	while (!r->stopped && (end = memchr(begin, '\n', left)) != NULL) {
		if (!r->skipping)
			reader_report(r, begin, (size_t)(end - begin));
		r->skipping = false;
		left -= (size_t)(end - begin) + 1;
		begin = end + 1;
	}
	buf_drain(&r->input, r->input.len - left);
	if (left <= r->lines->max || r->stopped)
		return;
	/* Its end is not worth waiting for. */
	if (!r->skipping)
		reader_report(r, r->input.data, r->input.len);
	r->skipping = true;
	buf_reset(&r->input);
}

/* Returns the bytes, 0 at the end, -1 with errno. */
static ssize_t
reader_more(struct reader *r)
{
	ssize_t n;

	if (buf_reserve(&r->input, READ_BYTES) != 0) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = read(STDIN_FILENO, r->input.data + r->input.len,
			 READ_BYTES);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		r->input.len += (size_t)n;
	return n;
}

int
lines_read(const struct lines *lines)
{
	struct reader r = {.lines = lines, .input = BUF_INIT};
	int error = 0;
	ssize_t n = 1;

	while (!r.stopped && n > 0) {
		if (lines_would_block() && !lines->on_idle(lines->arg))
			break;
		if ((n = reader_more(&r)) > 0)
			reader_take(&r);
		else if (n < 0)
			error = errno;
	}
	/* The last line may lack its end. */
	if (n <= 0 && !r.stopped && !r.skipping && r.input.len > 0)
		reader_report(&r, r.input.data, r.input.len);
	buf_done(&r.input);
	errno = error;
	return error != 0 ? -1 : 0;
}
