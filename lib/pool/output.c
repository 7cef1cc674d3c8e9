/* SPDX-License-Identifier: MIT */
/*
 * What handlers print, line by line and within limits. Both streams share one
 * limit on lines, but each has its own unfinished line, so that standard output
 * and error are never mixed within one.
 */
#include "pool/output.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/lines.h"

/* One turn of the loop gives a flood no more than this: four times what a pipe
 * holds by default. */
#define READ_BYTES (256u << 10)
/* Of a pipe at the end: twice what one holds at most, unless an administrator
 * allowed more (pipe(7)). A child that left the group may write without end. */
#define DRAIN_BYTES (2u << 20)

struct stream {
	int fd;
	struct event *readable;
	struct lines lines;
};

struct output {
	struct stream streams[2];
	struct lines_sink sink;
	output_line_fn *on_line;
	struct executor_process *process;
	void *arg;
};

static void
on_output_line(void *arg, struct slice line)
{
	struct output *o = arg;

	o->on_line(o->process, line, o->arg);
}

/* Reads at most `max` bytes; returns whether there may be more. */
static bool
output_read_some(struct stream *s, size_t max)
{
	char chunk[16384];
	ssize_t n;

	for (; max >= sizeof(chunk); max -= sizeof(chunk)) {
		n = read(s->fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		/* All ends for writing are closed: the pipe would be readable
		 * for ever. */
		if (n == 0) {
			event_del(s->readable);
			return false;
		}
		lines_take(&s->lines, chunk, (size_t)n);
	}
	return true;
}

static void
on_output_readable(evutil_socket_t fd, short what, void *arg)
{
	output_read_some(arg, READ_BYTES);
}

void
output_read(struct output *o)
{
	size_t i;

	for (i = 0; i < 2; i++)
		output_read_some(&o->streams[i], READ_BYTES);
}

void
output_drain(struct output *o)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		output_read_some(&o->streams[i], DRAIN_BYTES);
		lines_end(&o->streams[i].lines);
	}
	lines_sink_end(&o->sink);
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
output_new(struct event_base *base, int out, int error, output_line_fn *each,
	   struct executor_process *process, void *arg)
{
	struct output *o = calloc(1, sizeof(*o));
	size_t i;

	if (o == NULL)
		return NULL;
	o->on_line = each;
	o->process = process;
	o->arg = arg;
	o->sink = (struct lines_sink){.on_line = on_output_line, .arg = o};
	for (i = 0; i < 2; i++) {
		struct stream *s = &o->streams[i];

		s->lines.sink = &o->sink;
		s->fd = i == 0 ? out : error;
		s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST,
					on_output_readable, s);
		if (s->readable == NULL)
			goto fail;
		event_add(s->readable, NULL);
	}
	return o;
fail:
	/* Not output_free(): the descriptors are still the caller's. */
	for (i = 0; i < 2; i++)
		if (o->streams[i].readable != NULL)
			event_free(o->streams[i].readable);
	free(o);
	return NULL;
}
