/* SPDX-License-Identifier: MIT */
/*
 * A gate before a server: operations go through while it is in reach, and else
 * wait for it, for a time. Lives on the loop.
 */
#ifndef CLIENT_GATE_H
#define CLIENT_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "util/err.h"

/* One that wants to go through. */
struct gate_pass {
	/* `why` is NULL: go; else it says why not. May come from within
	 * gate_enter(). */
	void (*on_pass)(struct gate_pass *pass, const struct err *why);
	/* The gate's. */
	struct gate *gate; /* while it waits there; else NULL */
	struct event timer;
	TAILQ_ENTRY(gate_pass) next;
};

struct gate {
	struct event_base *base;
	int64_t timeout_ms; /* how long to wait for the server */
	bool up;
	bool closed;	/* for ever */
	struct err why; /* ERR_NONE: nothing is known yet */
	TAILQ_HEAD(, gate_pass) waiting;
};

void gate_init(struct gate *gate, struct event_base *base, int64_t timeout_ms);
/* What the on_state callbacks of broker.h and results.h say. */
void gate_state(struct gate *gate, bool up, bool final, const struct err *why);
/* `pass` begins zeroed but for on_pass. */
void gate_enter(struct gate *gate, struct gate_pass *pass);
/* Does not want to go through any more, if it waits. */
void gate_leave(struct gate_pass *pass);

#endif
