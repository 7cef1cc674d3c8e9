/* SPDX-License-Identifier: MIT */
/*
 * Results of other steps in the arguments of a step of a workflow:
 *
 *	{"$from": ID}, {"$from": ID, "path": "user.0.name"}
 *	{"$all": [ID, ...]}, the same with a path
 *
 * stand for the result of a task, or the array of several; a path leads into each:
 * names of members and numbers of elements, with dots between. "$from" and "$all" are
 * the first members of such an object, which has no others but "path". What stands
 * around it keeps its bytes.
 */
#ifndef CODEC_FLOW_ARGS_H
#define CODEC_FLOW_ARGS_H

#include <stdbool.h>

#include "util/buf.h"

struct err;

/* Of one step: as many other steps. */
#define FLOW_ARGS_IDS_MAX 10000

/* Whether there may be any: false is certain, and found at once. */
bool flow_args_any(struct slice json);

/* Each ID, as often as it is named; what is like a reference and is none is passed
 * over. -1 with *err: on_id says so, or no memory. */
typedef int flow_args_each_fn(void *arg, struct slice id, struct err *err);
int flow_args_each(struct slice json, flow_args_each_fn *on_id, void *arg,
		   struct err *err);

/* -1 with *err (ERR_DATA): something is like a reference and is none, or names what
 * is no ID of a task. */
int flow_args_check(struct slice json, struct err *err);

/* Called for each ID; what it appends to `out`, which is to be the inside of a JSON string, comes into its place. 0, or -1 with *err. */
typedef int flow_args_id_fn(void *arg, struct slice id, struct buf *out,
			    struct err *err);
/* Copies valid JSON to `out` with other IDs in it. -1 with *err: ERR_DATA for what is
 * like a reference and is none, or as on_id says. */
int flow_args_map(struct slice json, flow_args_id_fn *on_id, void *arg,
		  struct buf *out, struct err *err);

/* The result of a task, JSON; empty: there is none, and null comes into its place. */
typedef struct slice flow_args_result_fn(void *arg, struct slice id);
/* Copies valid JSON to `out` with results in the place of references; what is like one
 * and is none stays. -1 with *err: no memory. */
int flow_args_fill(struct slice json, flow_args_result_fn *result, void *arg,
		   struct buf *out, struct err *err);

#endif
