/* SPDX-License-Identifier: MIT */
/*
 * Waiting for any number of tasks, in their order, with the memory of some.
 *
 * The tasks that are waited for form a ring: those that are added at its end
 * come out at its head, in that order, once each has its answer. One connection
 * is told of all of them. While other operations of the client run, answers are
 * noted, too. Of one thread.
 */
#ifndef MANAGER_AWAIT_H
#define MANAGER_AWAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

struct await;
struct flowrra_client;
struct flowrra_record;

/* How many tasks a ring has room for. */
#define AWAIT_RING 1024

/* One that came out. */
struct awaited {
	size_t number; /* the caller's, as it was added */
	/* The final record, the receiver's to free; or NULL, and why. */
	struct flowrra_record *record;
	struct err err; /* ERR_TIMEOUT: it has not finished */
};

/* `timeout_s` counts from now; below 0: without end. NULL with *err. */
struct await *await_new(struct flowrra_client *c, double timeout_s,
			struct err *err);
void await_free(struct await *a);

bool await_is_full(const struct await *a);
/* Those in the ring, and those of them that have no answer. */
size_t await_count(const struct await *a);
size_t await_open(const struct await *a);
/* All that ever had an answer, and those of them that are no success. */
size_t await_ended(const struct await *a);
size_t await_failed(const struct await *a);

/* Adds a task; the ring must not be full. An ID that cannot be one is answered
 * at once. */
void await_add(struct await *a, const char *id, size_t number);
/* Adds an answer in the place of a task. */
void await_add_failed(struct await *a, size_t number, const struct err *why);

/* The time is over: from now on each task is looked at once. */
bool await_expired(const struct await *a);

/* Why await_run() came back. */
enum await_why {
	AWAIT_ENOUGH, /* no more than `low` are open */
	AWAIT_INPUT,  /* `fd` is readable */
	AWAIT_MOMENT  /* `moment_ms`, or all of the time, are over */
};
struct await_until {
	ssize_t low;		/* -1: never enough */
	int fd;			/* -1: none */
	unsigned int moment_ms; /* 0: none */
};
/* Waits; -1 with *err when nobody can be waited for. */
int await_run(struct await *a, const struct await_until *until,
	      enum await_why *ret, struct err *err);

/* Takes the head out. False: the ring is empty, or the head has no answer. */
bool await_take(struct await *a, struct awaited *ret);

#endif
