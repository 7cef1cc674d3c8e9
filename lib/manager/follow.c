/* SPDX-License-Identifier: MIT */
/*
 * Following the records of tasks: a watch for each, which the store calls
 * whenever it has looked.
 *
 * A store looks more often than a record changes: one wake-up of SQLite's is for
 * all tasks that are followed. So what was told last is remembered, by a hash: a
 * result may be a megabyte long. Two records with the same one would only delay
 * the news until the caller looks again by itself.
 */
#include "manager/follow.h"

#include <stdint.h>
#include <stdlib.h>

#include "manager/following.h"
#include "store/results.h"
#include "util/fnv.h"
#include "util/pending.h"

struct followed {
	struct follow *all;
	const char *id;
	struct results_watch *watch;
	uint64_t hash; /* of what was told last */
	bool told;
};

struct follow {
	struct following f;
	const struct tasks_follow *what;
	struct followed *tasks;
};

/* Trouble says nothing of the task; the watch goes on, and looks again. */
static void
on_followed(struct slice record, const struct err *err, void *arg)
{
	struct followed *task = arg;
	const struct follow *all = task->all;
	const uint64_t hash = fnv_64(FNV_BASIS_64, record);

	if (err != NULL || all->f.ended || (task->told && task->hash == hash))
		return;
	task->told = true;
	task->hash = hash;
	all->what->on_change(task->id, all->what->arg);
}

static int
follow_begin(struct following *f, struct err *err)
{
	struct follow *all = container_of(f, struct follow, f);
	struct followed *task;
	size_t i;

	for (i = 0; i < all->what->n; i++) {
		task = &all->tasks[i];
		task->all = all;
		task->id = all->what->ids[i];
		task->watch =
		    results_follow(f->client->results, slice_of(task->id),
				   on_followed, task, err);
		if (task->watch == NULL)
			return -1;
	}
	return 0;
}

/* Those that were begun: results_unwatch() takes NULL. */
static void
follow_leave(struct following *f)
{
	struct follow *all = container_of(f, struct follow, f);
	size_t i;

	for (i = 0; i < all->what->n; i++)
		results_unwatch(all->tasks[i].watch);
}

int
tasks_follow(struct flowrra_client *c, const struct tasks_follow *what,
	     struct err *err)
{
	struct follow all = {.f = {.client = c,
				   .stopped = what->stopped,
				   .arg = what->arg,
				   .begin = follow_begin,
				   .leave = follow_leave},
			     .what = what};
	int r;

	if ((all.tasks = calloc(what->n + 1, sizeof(*all.tasks))) == NULL)
		return err_nomem(err);
	r = following_run(&all.f, err);
	free(all.tasks);
	return r;
}
