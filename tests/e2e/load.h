/* SPDX-License-Identifier: MIT */
/* Many tasks at once, and what became of all of them. */
#ifndef TESTS_E2E_LOAD_H
#define TESTS_E2E_LOAD_H

#include "e2e/world.h"

/* Submits n tasks, their arguments a JSON array, with --stdin; returns when
 * they are queued. */
void submit_many(struct world *w, size_t n, const char *name, const char *args);
/* The same in the background: run_end() it. */
struct run *submit_many_start(struct world *w, size_t n, const char *name,
			      const char *args);

/* Records in the backend in which this text is. */
long long count_records(struct world *w, const char *text);
/* Waits until n records say success, and nothing is left in queue io. */
void wait_all_done(struct world *w, long long n);

/* Of tasks "mark" with this file: lines, and different lines. */
size_t count_marks(struct world *w, const char *file);
size_t count_different_marks(struct world *w, const char *file);

#endif
