/* SPDX-License-Identifier: MIT */
/*
 * A Redis server, an operator who is a producer as well, and a worker: each call
 * does one thing with them, and returns when it is done. One that fails ends the
 * program with a message.
 */
#ifndef TESTS_BENCH_COMMANDS_WORLD_H
#define TESTS_BENCH_COMMANDS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "commands_fill.h"
#include "store/admin.h"
#include "store/results.h"

#define WORLD_CLAIMS_MAX 65536
struct world {
	const struct commands_scene *scene;
	struct redis_server *server;
	struct event_base *base;
	struct broker *broker, *limited; /* producers */
	struct results *results;
	struct broker *worker; /* NULL: none */
	int64_t beat_ms;       /* when it said last that it lives */
	struct broker_claim *claims[WORLD_CLAIMS_MAX];
	size_t n_claims; /* that are not settled */
	size_t n_settled;
	/* The call that is under way, and what it told. */
	bool answered;
	struct err err;
	size_t n;
	char next[256];
	char keys[BROKER_PAGE_MAX][64];
};

/* Opens all but the worker, over a server that has been filled. */
void world_open(struct world *w, const struct commands_scene *scene);
void world_close(struct world *w);

/* Ends the call that is under way: its answer has come. */
void world_done(struct world *w, const struct err *err);
/* Waits for that. */
void world_wait(struct world *w);

/* --- producers ----------------------------------------------------------- */

struct world_batch {
	size_t n;
	int32_t levels;	  /* over which they are spread; 0: none */
	bool limited;	  /* to a queue of limited length */
	int64_t delay_ms; /* 0: none */
};
void world_submit(struct world *w, const struct world_batch *batch);

/* --- the worker ---------------------------------------------------------- */

/* Starts it, and waits for what it has in flight. */
void world_start(struct world *w);
void world_stop(struct world *w);
/* Claims up to `n` more, as far as there are any. */
void world_claim(struct world *w, size_t n);
void world_settle(struct world *w, enum broker_disposition how, size_t n);
void world_heartbeat(struct world *w);
/* What a worker that works says of itself and of its tasks. */
void world_register(struct world *w);
/* Has it look for what is due. */
void world_wake(struct world *w);
/* Waits until a command answers 0, for so long at most. */
void world_until_none(struct world *w, const char *command, int64_t ms);

/* --- operators ----------------------------------------------------------- */

void world_queues(struct world *w);
void world_workers(struct world *w);
void world_find(struct world *w, enum broker_location place);
void world_examine(struct world *w);
void world_pause(struct world *w);
/* Housekeeping: what nobody registers any more is forgotten. */
void world_tidy(struct world *w);
/* A page, or all that a cursor leads to, up to `most` calls. */
void world_view(struct world *w, enum broker_location place, unsigned int most);
void world_remove(struct world *w, const char *id, unsigned int most);
void world_purge(struct world *w, unsigned int most);
/* A page of the dead goes back, or is deleted. */
void world_requeue(struct world *w, bool again);
void world_list(struct world *w, unsigned int most);
/* As a dashboard samples. */
void world_sample(struct world *w);
void world_registry(struct world *w);

#endif
