/* SPDX-License-Identifier: MIT */
/* Workflows that are submitted as a whole: none of their steps runs before all of
 * them are stored. */
#ifndef MANAGER_FLOWS_SUBMIT_H
#define MANAGER_FLOWS_SUBMIT_H

#include <stddef.h>

#include "store/flow.h"

struct err;
struct flow_file;
struct flowrra_client;
struct flowrra_request;
struct flows_begin;

/* A step is refused: its number, and why. */
typedef void flows_refused_fn(void *arg, size_t step, const char *why);

/* Another way to the store than a client. Each returns 0, or -1 with *err. */
struct flows_way {
	int (*begin)(void *arg, const struct flows_begin *begin,
		     struct err *err);
	int (*add)(void *arg, const struct flowrra_request *step,
		   struct err *err);
	int (*seal)(void *arg, const char *id, struct err *err);
	int (*cancel)(void *arg, const char *id, struct err *err);
};

/* All of it is borrowed. The requests have IDs, their `flow` is begin->id, and each
 * stands behind those that it comes after. */
struct flows_submission {
	const struct flows_begin *begin; /* with an ID */
	const struct flowrra_request *const *steps;
	size_t n;
	flows_refused_fn *refused; /* called for each, before -1 is returned */
	void *arg;
	const struct flows_way *way; /* NULL: the client's */
	void *way_arg;
};

/*
 * Begins the workflow, adds the steps and seals it. -1 with *err: nothing of it
 * runs. That the broker was out of reach in the end may hide that it was sealed:
 * then *err says so.
 */
int flows_submit(struct flowrra_client *c, const struct flows_submission *s,
		 struct err *err);
/* The same of a file that was read, in its order: s->steps is not looked at, and
 * what `refused` is told is an index into file->steps. */
int flows_submit_file(struct flowrra_client *c, const struct flow_file *file,
		      const struct flows_submission *s, struct err *err);

#endif
