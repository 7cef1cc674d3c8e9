/* SPDX-License-Identifier: MIT */
/*
 * A listener to events introduces itself to the workers: until each that lives has
 * answered, some may not tell yet. Private to lib/manager; all of it happens on the
 * client's loop.
 */
#ifndef MANAGER_INTRODUCE_H
#define MANAGER_INTRODUCE_H

#include "store/results.h"

struct flowrra_client;
struct introduction;

/* NULL with *err. */
struct introduction *introduction_new(struct flowrra_client *c,
				      enum results_detail detail,
				      void (*on_done)(void *arg), void *arg,
				      struct err *err);
/* The listener hears: asks the workers. on_done follows, when all have answered, or
 * have had the time in which a worker sees it by itself. */
void introduction_begin(struct introduction *i);
/* A worker has answered somebody. */
void introduction_answer(struct introduction *i, struct slice id,
			 struct slice worker);
/* on_done is not called any more. NULL is allowed. */
void introduction_free(struct introduction *i);

#endif
