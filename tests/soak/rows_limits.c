/* SPDX-License-Identifier: MIT */
/* Limits: how many tasks run at once while workers are killed, and while other limits
 * come and go. */
#include <stdlib.h>

#include "soak/rows.h"
#include "soak/soak.h"

#define AT_ONCE 3
/* At the store of the scene. */
#define LIMIT "--config worker-0.conf limit "

/* The beginning of an execution, or, with a minus, its end. */
struct moment {
	int64_t us;
	int change;
};

static int
by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	/* What ends at that time makes room. */
	return x->us != y->us ? (x->us > y->us) - (x->us < y->us)
			      : x->change - y->change;
}

/* Of each task that began after that time, the execution that its record tells of: of
 * one that was killed nobody knows when it ended. */
static size_t
collect(const struct scene *s, int64_t since_us, struct moment *moments)
{
	const struct ledger_task *task;
	const struct execution *last;
	size_t i, n = 0;

	for (i = 0; i < ledger_count(s->ledger); i++) {
		task = ledger_task_at(s->ledger, i);
		if (task->n == 0 || (task->traits & TRAIT_CPU) != 0)
			continue;
		last = &task->executions[task->n - 1];
		if (last->end_us == 0 || last->start_us < since_us)
			continue;
		moments[n++] = (struct moment){last->start_us, 1};
		moments[n++] = (struct moment){last->end_us, -1};
	}
	return n;
}

static void
judge_limit(const struct scene *s, int64_t since_us)
{
	struct moment *moments =
	    calloc(2 * ledger_count(s->ledger) + 1, sizeof(*moments));
	int running = 0, most = 0;
	size_t n, i;

	ck_assert_ptr_nonnull(moments);
	n = collect(s, since_us, moments);
	qsort(moments, n, sizeof(*moments), by_time);
	for (i = 0; i < n; i++) {
		running += moments[i].change;
		most = running > most ? running : most;
	}
	free(moments);
	ck_assert_msg(most <= AT_ONCE, "%d tasks ran at once, of %d", most,
		      AT_ONCE);
	/* Else nothing was limited. */
	ck_assert_int_eq(most, AT_ONCE);
}

static void
limits_hold(struct scene *s)
{
	static const char *const changes[] = {
	    "set io --task ledger --concurrency 2",
	    "set io --each-group --concurrency 1", "unset io --task ledger",
	    "unset io --each-group"};
	pid_t children[CHILDREN_MAX];
	int64_t since_us;
	unsigned int i;

	scene_start(s, &(struct scene_options){.workers = 2});
	ctl_ok(s->world, LIMIT "set io --concurrency %d", AT_ONCE);
	since_us = now_ms() * 1000;
	/* Such a queue has a connection more: that tells what has come. */
	if (s->broker == SOAK_REDIS)
		s->descriptors += 2;
	load_start(s, &(struct load){.retries = true, .delays = true});
	for (i = 0; i < times(s, 8, 80); i++) {
		scene_sleep_between(s, 10, 300);
		scene_kill_worker(s, s->workers[i % 2], children);
		scene_sleep_between(s, 0, 100);
		ctl_ok(s->world, LIMIT "%s", changes[i % 4]);
		worker_restart(s->workers[i % 2]);
	}
	verdict(s);
	judge_limit(s, since_us);
	scene_close(s);
}

const struct row row_limits = {.name = "limits",
			       .fault =
				   "kill -9 flowrrad, with limits that change",
			       .brokers = ON_BOTH,
			       .runs = {2, 10},
			       .run = limits_hold};
