/* SPDX-License-Identifier: MIT */
/*
 * Readers of the hub, over a real store.
 *
 *	struct reader r = {.n = 0};
 *	readers_begin(DESK_REDIS, "");
 *	reader_look(&r, false, "queues", NULL);
 *	reader_await(&r, "\"snapshot\":true");
 *	reader_leave(&r);
 *	readers_end();
 */
#ifndef TESTS_WEB_READER_H
#define TESTS_WEB_READER_H

#include "util/buf.h"
#include "web/desk.h"
#include "web/hub.h"

/* What the readers of a test share. */
struct readers {
	struct desk *desk;
	struct event_base *base;
	struct web_hub *hub;
};
extern struct readers readers;

struct reader {
	struct hub_subscriber *subscriber;
	bool full;	/* it has no room */
	struct buf log; /* "name: json\n" */
	size_t n;	/* events */
};

/* Opens the desk, where one task waits, and the hub; `hide` is [web] hide. Its
 * turns are often, so that no test waits for the next one, or `every_us`. */
#define READERS_TURN_US 20000
void readers_begin(enum desk_store store, const char *hide);
void readers_begin_every(enum desk_store store, const char *hide,
			 int64_t every_us);
void readers_end(void);
/* Lets the hub work for so long, less than a second. */
void readers_linger(int64_t ms);

/* Subscribes to one topic or two; `masked`: as a viewer. */
void reader_look(struct reader *r, bool masked, const char *a, const char *b);
void reader_leave(struct reader *r);
/* For hub_subscribe(): `arg` is a struct reader. */
int reader_on_event(const char *name, uint64_t id, struct slice json,
		    void *arg);
/* Whether `text` has come. */
bool reader_has(const struct reader *r, const char *text);
/* Lets the hub work until `text` has come to the reader. */
void reader_await(struct reader *r, const char *text);

#endif
