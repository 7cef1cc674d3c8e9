/* SPDX-License-Identifier: MIT */
/*
 * What programs print, cut into lines for a log.
 *
 * A line longer than the buffer is cut off and its rest skipped up to the line
 * break. In each second a fixed number of lines pass, and the rest are counted:
 * a program that prints in a loop must not fill the log, but its user must see
 * that something is missing.
 */
#include "util/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"

/* `dropped` is reset before the call, because on_line() may come back here. */
void
lines_sink_end(struct lines_sink *s)
{
	char text[80];
	int n;

	if (s->dropped == 0)
		return;
	n = snprintf(text, sizeof(text),
		     "(%" PRIu64
		     " more lines dropped; at most %d per second are logged)",
		     s->dropped, LINES_PER_S);
	s->dropped = 0;
	s->on_line(s->arg, (struct slice){text, (size_t)n});
}

/* Seconds of the clock, not a sliding window: this needs one counter, and at
 * worst two full seconds' lines pass at once. */
static void
end_line(struct lines *l)
{
	struct lines_sink *s = l->sink;
	int64_t second = clock_mono_ms() / 1000;

	if (second != s->second) {
		s->second = second;
		s->lines = 0;
		lines_sink_end(s);
	}
	if (s->lines < LINES_PER_S) {
		s->lines++;
		s->on_line(s->arg, (struct slice){l->line, l->len});
	} else {
		s->dropped++;
	}
	l->len = 0;
}

/*
 * The buffer never holds a line break, so lines_end() knows by the length alone
 * whether a line is open. An empty line that ends with a break is delivered,
 * too.
 */
void
lines_take(struct lines *l, const char *p, size_t len)
{
	const char *end = p + len, *eol;
	size_t n, room;

	while (p < end) {
		eol = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((eol ? eol : end) - p);
		room = sizeof(l->line) - l->len;
		memcpy(l->line + l->len, p, n < room ? n : room);
		l->len += n < room ? n : room;
		if (eol != NULL)
			end_line(l);
		p += n + (eol != NULL);
	}
}

void
lines_end(struct lines *l)
{
	if (l->len > 0)
		end_line(l);
}
