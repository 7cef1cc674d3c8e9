/* SPDX-License-Identifier: MIT */
/*
 * A crew for a desk: a worker of a test, without processes. It tells the store
 * that it lives and what it can run, as a worker does, and claims nothing; a
 * scheduler is with it.
 *
 *	struct crew crew = {.n = 0};
 *	crew_visit(d, &crew);	  its five tasks are known, and it is gone
 *	crew_open(d, &crew);
 *	crew_beat(&crew);	  4 slots for io, 2 for cpu, and a scheduler
 *	crew_keep(&crew);	  now and then
 *	crew_close(&crew);
 *
 * Each function returns when the desk's routes have heard of it, or fails the
 * test.
 */
#ifndef TESTS_WEB_CREW_H
#define TESTS_WEB_CREW_H

#include <stdint.h>

#include "store/store.h"

struct desk;
struct event_base;

struct crew {
	struct desk *d;
	struct event_base *base;
	struct stores worker;
	int n; /* workers so far: none has the token of another */
	char token[12];
	int64_t beat_ms; /* of the last beat; 0: it does not live */
};

/* Opens the stores as a worker; nobody has heard of it yet. */
void crew_open(struct desk *d, struct crew *crew);
/* Takes it away as a crash does: the stores still hold it for alive. */
void crew_close(struct crew *crew);
/* A worker that comes, says what it can run, and leaves in order. The tasks are
 * add, fail, flaky, hold and render, those of seed/README. */
void crew_visit(struct desk *d, struct crew *crew);
/* Worker and scheduler live. The desk has made the scheduler's database, as
 * GET /api/schedules does. */
void crew_beat(struct crew *crew);
/* The same, if the last beat is as long ago as a worker lets pass. */
void crew_keep(struct crew *crew);

#endif
