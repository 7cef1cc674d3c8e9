/* SPDX-License-Identifier: MIT */
/*
 * The names of workers, read in steps: there may be very many, and the server does
 * nothing else during a step. A worker that is listed from the first step to the
 * last is among them.
 */
#ifndef STORE_REDIS_NAMES_H
#define STORE_REDIS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "store/redis/arg.h"
#include "util/buf.h"

struct redis_reply;

struct rnames {
	struct buf text;
	size_t n;
	char cursor[ARG_NUMBER_SIZE]; /* where more are */
};
#define RNAMES_INIT                                                            \
	{                                                                      \
		.cursor = "0"                                                  \
	}
void rnames_done(struct rnames *names);

#define RNAMES_ARGS 5
/* The command of the next step, which borrows from `names` and `key`. */
void rnames_command(const struct rnames *names, struct slice key,
		    struct slice argv[RNAMES_ARGS]);
/* Adds one, unless no worker can have that name. */
void rnames_add(struct rnames *names, struct slice name);
/* Takes its answer. Returns whether there is another step. */
bool rnames_take(struct rnames *names, const struct redis_reply *reply);
/* In their order, each once, in an array to be freed; the texts are those of
 * `names`. NULL when memory ran out. */
char **rnames_sorted(struct rnames *names, size_t *ret_n);

#endif
