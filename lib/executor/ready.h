/* SPDX-License-Identifier: MIT */
/* INIT and READY: which modules to load, and what came of it. */
#ifndef EXECUTOR_READY_H
#define EXECUTOR_READY_H

#include "util/buf.h"

struct err;
struct loader;

/*
 * Loads the modules that INIT's JSON names and appends READY's JSON to
 * `ret_ready`. A refused module is told of there; -1 is for JSON that makes no
 * sense, or no memory.
 */
int ready_load(struct loader *l, struct slice init, struct buf *ret_ready,
	       struct err *err);

#endif
