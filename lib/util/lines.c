/* SPDX-License-Identifier: MIT */
/* What programs print, cut into lines. */
#include "util/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"

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
