/* SPDX-License-Identifier: MIT */
/* The SQLite broker: keys of unique tasks. All run in the I/O thread. */
#ifndef STORE_SQLITE_UNIQUE_H
#define STORE_SQLITE_UNIQUE_H

#include <stdint.h>

#include "core/unique.h"

struct broker_submit;
struct err;
struct sclaim;
struct tx;

/* The task that has a key; number 0: the key lasts whatever becomes of it. */
struct sunique_owner {
	int64_t number;
	enum unique_until until;
};
/* The one that has the key of `task`, whose ID goes to task->owner: 1, 0 if none
 * has, or -1. */
int sunique_owner_run(struct tx *tx, int64_t queue, struct broker_submit *task,
		      struct sunique_owner *ret, struct err *err);
/* A task with that number has it. */
int sunique_note_run(struct tx *tx, int64_t queue,
		     const struct broker_submit *task, int64_t number,
		     struct err *err);
/* The task of that number becomes this one, with its delay, but keeps its ID
 * (task->owner): 1; 0 if it is not delayed any more, or -1. */
int sunique_put_off_run(struct tx *tx, int64_t queue,
			const struct broker_submit *task, int64_t number,
			struct err *err);
/* The claim is taken: it frees a key that lasts until then. */
int sunique_start_run(struct tx *tx, const struct sclaim *c, struct err *err);

#endif
