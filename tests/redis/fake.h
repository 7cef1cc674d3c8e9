/* SPDX-License-Identifier: MIT */
/*
 * A server that does what the test says, on the test's own loop.
 */
#ifndef TESTS_REDIS_FAKE_H
#define TESTS_REDIS_FAKE_H

#include <stddef.h>

struct event_base;
struct fake;
struct fake_peer; /* one connection to it */

/* A command came in: its words, joined by spaces. */
typedef void fake_command_fn(struct fake_peer *peer, const char *words,
			     void *arg);

struct fake *fake_new(struct event_base *base, fake_command_fn *on_command,
		      void *arg);
void fake_free(struct fake *fake);

/* Where it listens, as a URL. */
const char *fake_url(const struct fake *fake);
/* How many connections it has had; the first has number 1. */
int fake_accepted(const struct fake *fake);
/* How many of them are open. */
int fake_connected(const struct fake *fake);

int fake_number(const struct fake_peer *peer);
void fake_send(struct fake_peer *peer, const char *bytes, size_t len);
void fake_say(struct fake_peer *peer, const char *bytes);
/* Closes when all is sent. */
void fake_close(struct fake_peer *peer);
/* Answers a login command; returns 0 if it is none. */
int fake_login(struct fake_peer *peer, const char *words);

#endif
