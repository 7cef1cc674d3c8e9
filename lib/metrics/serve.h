/* SPDX-License-Identifier: MIT */
/* What the shared object metrics.so has: the HTTP server. For lib/metrics alone. */
#ifndef METRICS_SERVE_H
#define METRICS_SERVE_H

#include <stdbool.h>

#include "util/buf.h"

struct err;
struct event_base;
struct metrics_server;

struct metrics_server_user {
	/* The text in one form; good until the next call. Empty: no memory. */
	struct slice (*text)(bool openmetrics, void *arg);
	void *arg;
};
/* The one symbol of the object: metrics_serve. */
struct metrics_serve {
	struct metrics_server *(*start)(struct event_base *base,
					const struct metrics_server_user *user,
					struct err *err);
	/* Takes a listening socket, which it closes in the end, also on failure. */
	int (*listen)(struct metrics_server *s, int fd, struct err *err);
	void (*stop)(struct metrics_server *s);
};
extern const struct metrics_serve metrics_serve;

#endif
