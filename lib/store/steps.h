/* SPDX-License-Identifier: MIT */
/* What requests say of a step of a workflow (flow.h), as text. */
#ifndef STORE_STEPS_H
#define STORE_STEPS_H

#include "store/broker.h"
#include "util/buf.h"

struct err;

/* Cuts ":WORD" off an ID, where that is one of broker_after_words, and returns what
 * it says; without such a word, success. */
enum broker_after_how steps_cut_how(struct slice *id);

/* The steps that one comes after. Begin with zeroes. */
struct steps_after {
	struct broker_after *items;
	size_t n;
	struct buf text; /* of their IDs */
};
/* Reads an array of JSON, as in ["a", "b:complete"]: 0, or -1 with *err (ERR_DATA),
 * which begins with "after". */
int steps_read_after(struct slice json, struct steps_after *ret,
		     struct err *err);
void steps_after_done(struct steps_after *after);

/* The role that "on" gives it: 0, or -1 with *err (ERR_DATA). */
int steps_read_on(struct slice word, enum flow_role *ret, struct err *err);

#endif
