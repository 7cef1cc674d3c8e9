/* SPDX-License-Identifier: MIT */
/*
 * flowrra-web as a whole: a server on the daemon's loop, the threads behind it,
 * and the sampler. For cmd/flowrra-web.
 */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include <stddef.h>

struct conf;
struct err;
struct findings;
struct event_base;
struct web;

struct web_options {
	struct event_base *base;
	/* Of the configuration, which it reads itself, as its clients do. */
	const char *config_file;
	const char *const *settings;
	/* Listening sockets, which it closes; NULL-free: n_fds may be 0, then
	 * [web] listen counts. */
	const int *fds;
	size_t n_fds;
};

/* Begins to listen. Stores need not be in reach. */
struct web *web_new(const struct web_options *options, struct err *err);
/* Ends all: waits for what the operation threads do. */
void web_free(struct web *web);
/* No new connections; long operations are told to stop. */
void web_stop(struct web *web);
/* Reads the configuration again; what can change by that does (RELOAD in
 * conf_keys.def). -1 with *err: all stays as it was. */
int web_reload(struct web *web, struct err *err);
/* One line for people. */
void web_status_line(const struct web *web, char *text, size_t size);

/* Whether [web] makes sense: names and addresses. */
int web_check(const struct conf *conf, struct err *err);
/* All that is wrong, also with what it names: certificates, users and tokens. */
void web_examine(const struct conf *conf, struct findings *findings);

#endif
