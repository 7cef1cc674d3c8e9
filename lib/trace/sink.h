/* SPDX-License-Identifier: MIT */
/* Where the exporter sends to: a file or a collector. For lib/trace alone. */
#ifndef TRACE_SINK_H
#define TRACE_SINK_H

#include <stdbool.h>

#include "util/buf.h"

struct err;
struct event_base;
struct sink;

/* What became of a request. */
enum sink_result {
	SINK_DONE,
	SINK_AGAIN,   /* try again later */
	SINK_REFUSED, /* the same would be refused again */
};
/* On the loop; `why` says what is wrong, NULL with SINK_DONE. */
typedef void sink_done_fn(enum sink_result result, const char *why, void *arg);

struct sink_kind {
	/* Both with *err. `rest` is what follows the scheme. */
	int (*check)(const char *rest, struct err *err);
	struct sink *(*open)(struct event_base *base, const char *rest,
			     sink_done_fn *on_done, void *arg, struct err *err);
	/* One at a time: `body` is borrowed until on_done, which is called later,
	 * or from here with SINK_AGAIN. */
	void (*send)(struct sink *s, struct slice body);
	void (*reopen)(struct sink *s); /* NULL: nothing to do */
	/* `rest` is sent if that cannot wait for long … */
	void (*close)(struct sink *s, struct slice rest);
	bool ends_all; /* … which is so, and with what is under way */
};
extern const struct sink_kind sink_file, sink_http;

#endif
