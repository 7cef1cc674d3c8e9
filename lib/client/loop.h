/* SPDX-License-Identifier: MIT */
/*
 * An event loop that many threads share without a thread of its own.
 *
 * A thread brings an operation and waits for its end. The first one to wait
 * leads: it runs the loop, for all, until its own operation is done, then hands
 * the lead to one that still waits. The others sleep. So everything that
 * happens "on the loop" happens in one thread at a time, and in order.
 */
#ifndef CLIENT_LOOP_H
#define CLIENT_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "util/err.h"

struct event_base;
struct loop;

/* The caller's, from loop_begin() to the end of loop_finish(). */
struct op {
	/* Called once, on the loop: sets it off. */
	void (*start)(struct op *op);
	struct err err; /* for the caller's use */
	/* Set before loop_done(): something was sent to which no answer is
	 * awaited, and the loop must turn once more for it to leave. */
	bool flush;
	/* Set before it begins: its caller waits, and for nothing else than what a
	 * store allows; so the loop may stand still for it. */
	bool blocks;
	/* Set before it begins: it needs only what loop_set_direct() named. */
	bool direct;
	/* The rest is the loop's. */
	TAILQ_ENTRY(op) next_new;
	TAILQ_ENTRY(op) next_follower;
	pthread_cond_t changed;
	bool following;
	bool done;
};

struct loop *loop_new(struct err *err);
/* All operations must be done. */
void loop_free(struct loop *loop);
/* Frees what a child of fork() has inherited; its descriptors stay open, since
 * to close them would change the parent's. */
void loop_abandon(struct loop *loop);
struct event_base *loop_base(struct loop *loop);

/*
 * How one operation by itself goes without a turn of the loop: `look` finds out
 * whether that can be done now, `push` sends what it has set off. Both are called
 * by the thread that leads.
 */
struct loop_direct {
	bool (*look)(void *arg);
	void (*push)(void *arg);
	void *arg;
};
void loop_set_direct(struct loop *loop, const struct loop_direct *direct);

/* Called by the thread that leads, after each turn and at the end: what the loop
 * waits for may be something else now. */
void loop_set_after(struct loop *loop, void (*after)(void *arg), void *arg);
/* Turns the loop for what is there, without waiting; nothing if another thread
 * leads, which does the same. */
void loop_dispatch(struct loop *loop);
/* Whether an operation that was begun is done. */
bool loop_is_done(struct loop *loop, const struct op *op);

/* Sets an operation off and returns without waiting. */
void loop_begin(struct loop *loop, struct op *op);
/* Waits until the operation is done. */
void loop_finish(struct loop *loop, struct op *op);
/* The two in one, cheaper. Of two operations, both are set off before either is
 * awaited; `also` may be NULL. */
void loop_call(struct loop *loop, struct op *op);
void loop_call_two(struct loop *loop, struct op *op, struct op *also);

/* On the loop: whether it may stand still, since all operations on it may block. */
bool loop_may_block(struct loop *loop);
/* On the loop: the operation is done, and not to be looked at any more. */
void loop_done(struct loop *loop, struct op *op);

#endif
