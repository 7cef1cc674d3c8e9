/* SPDX-License-Identifier: MIT */
/*
 * Where a daemon serves its own metrics: GET /metrics in the form that the client
 * accepts, and GET /healthz, which is answered as long as the loop turns.
 *
 * There is no login, so only this machine may reach it: the loopback, or a Unix
 * socket. The HTTP server is a shared object of its own, which is loaded if it is
 * asked for: most workers serve nothing, and would load its libraries for nothing.
 * A text is kept for a second, so that many scrapers cost as much as one.
 */
#ifndef METRICS_ENDPOINT_H
#define METRICS_ENDPOINT_H

struct err;
struct event_base;
struct metrics_endpoint;
struct metrics_text;

struct metrics_endpoint_options {
	struct event_base *base;
	const char *key; /* "[metrics] listen", for messages */
	/* What that says: addresses; not empty. */
	const char *listen;
	/* Writes all families there are, and does not end the text. */
	void (*write)(struct metrics_text *m, void *arg);
	void *arg;
};
/* Whether the words are addresses of this machine; 0, or -1 with *err. */
int metrics_endpoint_check(const char *key, const char *listen,
			   struct err *err);
/* NULL with *err: one of them cannot be opened, or the server cannot be loaded.
 * Then it listens nowhere. */
struct metrics_endpoint *
metrics_endpoint_new(const struct metrics_endpoint_options *options,
		     struct err *err);
void metrics_endpoint_free(struct metrics_endpoint *e);

#endif
