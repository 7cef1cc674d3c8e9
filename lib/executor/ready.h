/* SPDX-License-Identifier: MIT */
/* INIT and READY: which modules to load, and what came of it. */
#ifndef EXECUTOR_READY_H
#define EXECUTOR_READY_H

#include "util/buf.h"

struct err;
struct loader;

/*
 * Loads the modules that INIT's JSON names and appends READY's JSON to
 * `ret_ready`; on_loading is told of each before its code runs. A refused module is told of there; -1 is for JSON that makes no
 * sense, or no memory.
 */
typedef void ready_loading_fn(const char *path, void *arg);
int ready_load(struct loader *l, struct slice init,
	       ready_loading_fn *on_loading, void *arg, struct buf *ret_ready,
	       struct err *err);

#endif
