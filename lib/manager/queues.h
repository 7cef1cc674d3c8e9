/* SPDX-License-Identifier: MIT */
/* Queues: how they are, and what may be done to one. */
#ifndef MANAGER_QUEUES_H
#define MANAGER_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "store/admin.h"

struct buf;
struct err;
struct flowrra_client;

/*
 * An array, in the order of their names, of
 *	{"queue", "waiting", "delayed", "in_flight", "dead", "oldest_at",
 *	 "next_due_at", "paused", "set_aside", "held", "unknown"}
 * (manager/query.h). Of all queues, or of `name` alone; then
 * ERR_NOT_FOUND if nobody has named it. All are those that our programs have
 * named, and those that are configured here or served by a living worker:
 * a foreign producer names none.
 */
json_t *queues_list(struct flowrra_client *c, const char *name,
		    struct err *err);

/* All of them, and *ret_workers as of workers_list(): it has to be asked for the
 * queues, too. NULL with *err. */
json_t *queues_and_workers(struct flowrra_client *c, json_t **ret_workers,
			   struct err *err);

/*
 * Where to look for tasks at a place: an array, in the order of their names, of
 * {"queue", "newest_ms"} (query_find()). It may have queues that are empty there.
 * With `name` that one alone, or none if nothing is there; ERR_NOT_FOUND as above.
 * For lists, since it costs a tenth of queues_list().
 */
json_t *queues_find(struct flowrra_client *c, const char *name,
		    enum broker_location place, struct err *err);

/*
 * How many tasks wait in each priority of a queue, the one that runs first first:
 *	{"levels": [{"priority", "waiting"}], "complete": bool}
 * Of a long queue only those that run last are counted (half of what a step of
 * page.h may look at, for PAGE_QUICK_US); then it is not complete.
 */
json_t *queues_levels(struct flowrra_client *c, const char *name,
		      struct err *err);

/* Pauses a queue, or resumes it: {"queue", "paused"}. */
json_t *queues_pause(struct flowrra_client *c, const char *name, bool paused,
		     struct err *err);

/*
 * Takes all waiting and delayed tasks out of a queue, and stores for each that
 * it was cancelled: {"queue", "purged", "dry_run"}; with dry_run it only counts
 * them. `on_progress` (may be NULL) is told how many have gone so far; if it does
 * not return 0, the purge ends there, and says "stopped": true.
 */
struct queues_purge {
	const char *queue;
	bool dry_run;
	int (*on_progress)(int64_t purged, void *arg);
	void *arg;
};
json_t *queues_purge(struct flowrra_client *c, const struct queues_purge *purge,
		     struct err *err);

/*
 * Whether there are tasks in a queue (a member of queues_list()) that no living
 * worker of it has in its modules; *text then names some, and the names that are
 * close to them.
 */
bool queues_unknown(struct flowrra_client *c, const json_t *queue,
		    struct buf *text);

#endif
