/* SPDX-License-Identifier: MIT */
/* What handlers print, line by line and within limits. */
#include "dispatch/output.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

#define LINE_MAX_BYTES 2048
#define LINES_PER_S 100
/* One turn of the loop gives a flood no more than this. */
#define READ_BYTES (256u << 10)

struct stream {
	struct output *output;
	int fd;
	struct event *readable;
	char line[LINE_MAX_BYTES];
	size_t len;
};

struct output {
	struct stream streams[2];
	output_line_fn *on_line;
	struct child *child;
	void *arg;
	int64_t second; /* in which `lines` were delivered */
	unsigned int lines;
	uint64_t dropped;
};

static void
tell_dropped(struct output *o)
{
	char text[80];
	int n;

	if (o->dropped == 0)
		return;
	n = snprintf(text, sizeof(text),
		     "(%" PRIu64 " more lines dropped; at most %d a second "
		     "are logged)",
		     o->dropped, LINES_PER_S);
	o->dropped = 0;
	o->on_line(o->child, (struct slice){text, (size_t)n}, o->arg);
}

static void
end_line(struct stream *s)
{
	struct output *o = s->output;
	int64_t second = clock_mono_ms() / 1000;

	if (second != o->second) {
		o->second = second;
		o->lines = 0;
		tell_dropped(o);
	}
	if (o->lines < LINES_PER_S) {
		o->lines++;
		o->on_line(o->child, (struct slice){s->line, s->len}, o->arg);
	} else {
		o->dropped++;
	}
	s->len = 0;
}

static void
take(struct stream *s, const char *p, size_t len)
{
	const char *end = p + len, *eol;
	size_t n, room;

	while (p < end) {
		eol = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((eol ? eol : end) - p);
		room = sizeof(s->line) - s->len;
		memcpy(s->line + s->len, p, n < room ? n : room);
		s->len += n < room ? n : room;
		if (eol != NULL)
			end_line(s);
		p += n + (eol != NULL);
	}
}

/* Reads at most `max` bytes; returns whether there may be more. */
static bool
read_some(struct stream *s, size_t max)
{
	char chunk[16384];
	ssize_t n;

	for (; max >= sizeof(chunk); max -= sizeof(chunk)) {
		n = read(s->fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0) {
			event_del(s->readable);
			return false;
		}
		take(s, chunk, (size_t)n);
	}
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_some(arg, READ_BYTES);
}

void
output_drain(struct output *o)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		/* A pipe holds no more than this. */
		read_some(&o->streams[i], 2u << 20);
		if (o->streams[i].len > 0)
			end_line(&o->streams[i]);
	}
	tell_dropped(o);
}

void
output_free(struct output *o)
{
	size_t i;

	if (o == NULL)
		return;
	for (i = 0; i < 2; i++) {
		if (o->streams[i].readable != NULL)
			event_free(o->streams[i].readable);
		close(o->streams[i].fd);
	}
	free(o);
}

struct output *
output_new(struct event_base *base, int out, int error, output_line_fn *on_line,
	   struct child *child, void *arg)
{
	struct output *o = calloc(1, sizeof(*o));
	size_t i;

	if (o == NULL)
		return NULL;
	o->on_line = on_line;
	o->child = child;
	o->arg = arg;
	for (i = 0; i < 2; i++) {
		struct stream *s = &o->streams[i];

		s->output = o;
		s->fd = i == 0 ? out : error;
		s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST,
					on_readable, s);
		if (s->readable == NULL)
			goto fail;
		event_add(s->readable, NULL);
	}
	return o;
fail:
	for (i = 0; i < 2; i++)
		if (o->streams[i].readable != NULL)
			event_free(o->streams[i].readable);
	free(o);
	return NULL;
}
