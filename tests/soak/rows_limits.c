/* SPDX-License-Identifier: MIT */
/* Limits: how many tasks run at once while workers are killed, while other limits
 * come and go, and while clocks are stepped; and that nobody waits behind one who has
 * very many tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowrra/client.h>

#include "redis_server.h"
#include "soak/clocks.h"
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

/* --- clocks that are wrong ---------------------------------------------------- */

/* A rate goes by the clock of the store: it may have started more or fewer by then,
 * but no place of the concurrency depends on it, and nothing waits for ever. */
static void
limits_hold_with_wrong_clocks(struct scene *s)
{
	volatile int64_t *store, *other;
	char clocks[32];
	int64_t since_us;
	unsigned int i;

	clocks_preload(clocks);
	other = clocks_of(s, clocks, "flowrrad");
	store = s->broker == SOAK_REDIS
		    ? clocks_of(s, clocks, basename(redis_server_program()))
		    : other;
	scene_start(s, &(struct scene_options){.workers = 2});
	s->clock_was_set = true;
	ctl_ok(s->world, LIMIT "set io --concurrency %d", AT_ONCE);
	ctl_ok(s->world, LIMIT "set io --task ledger --rate 200/1s --burst 20");
	since_us = now_ms() * 1000;
	if (s->broker == SOAK_REDIS)
		s->descriptors += 2;
	load_start(s, &(struct load){.retries = true, .delays = true});
	for (i = 0; i < times(s, 10, 100); i++) {
		scene_sleep_between(s, 100, 500);
		clocks_step(s, i % 2 == 0 ? store : other);
	}
	*store = CLOCKS_END_US;
	verdict(s);
	judge_limit(s, since_us);
	scene_close(s);
	clocks_clean_up(clocks);
}

const struct row row_limits_clock = {
    .name = "limits-clock",
    .fault = "clock stepped by 1 h, with limits and rates",
    .brokers = ON_BOTH,
    .runs = {1, 5},
    .run = limits_hold_with_wrong_clocks};

/* --- one who wants all ---------------------------------------------------------- */

#define TENANTS 200
#define GREEDY_TASKS 800
/* Of each tenant at once, and of 4 places each of 2 workers. */
#define OF_EACH 2

static bool
is_greedy(const struct ledger_task *task)
{
	return strstr(task->id, "greedy-") != NULL;
}

static void
submit_for(struct scene *s, const char *id, const char *group)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.id = id;
	request.group = group;
	scene_submit(s, "ledger", "5", &request);
}

/* All that the greedy one has waits before what the others have. */
static void
submit_all(struct scene *s)
{
	char id[32], group[32];
	int i;

	for (i = 0; i < GREEDY_TASKS; i++) {
		snprintf(id, sizeof(id), "greedy-%d", i);
		submit_for(s, id, "greedy");
	}
	for (i = 1; i < TENANTS; i++) {
		snprintf(id, sizeof(id), "tenant-%d", i);
		snprintf(group, sizeof(group), "tenant-%d", i);
		submit_for(s, id, group);
	}
}

/* When the last of the others has begun for the first time. */
static int64_t
others_begun_us(const struct scene *s)
{
	const struct ledger_task *task;
	int64_t last_us = 0;
	size_t i;

	for (i = 0; i < ledger_count(s->ledger); i++) {
		task = ledger_task_at(s->ledger, i);
		if (strstr(task->id, "tenant-") != NULL && task->n > 0 &&
		    task->executions[0].start_us > last_us)
			last_us = task->executions[0].start_us;
	}
	return last_us;
}

/* As many of the greedy one's as the others had each, and no more than its places
 * have room for meanwhile: a quarter of all, with a margin for what a killed worker
 * had. First come, first served, all of them would have come first. */
static void
judge_fairness(const struct scene *s)
{
	const int64_t until_us = others_begun_us(s);
	const struct ledger_task *task;
	int before = 0;
	size_t i;

	for (i = 0; i < ledger_count(s->ledger); i++) {
		task = ledger_task_at(s->ledger, i);
		before += is_greedy(task) && task->n > 0 &&
			  task->executions[0].start_us < until_us;
	}
	ck_assert_msg(before <= TENANTS / 2,
		      "%d tasks of the greedy one began before the last of %d "
		      "others",
		      before, TENANTS - 1);
}

static void
nobody_waits_behind_the_greedy_one(struct scene *s)
{
	pid_t children[CHILDREN_MAX];

	scene_start(s, &(struct scene_options){.workers = 2});
	if (s->broker == SOAK_REDIS)
		s->descriptors += 2;
	ctl_ok(s->world, LIMIT "set io --each-group --concurrency %d", OF_EACH);
	ctl_ok(s->world, "--config worker-0.conf queue pause io");
	submit_all(s);
	ctl_ok(s->world, "--config worker-0.conf queue resume io");
	scene_sleep_between(s, 50, 200);
	scene_kill_worker(s, s->workers[0], children);
	worker_restart(s->workers[0]);
	verdict(s);
	judge_fairness(s);
	scene_close(s);
}

const struct row row_greedy = {.name = "greedy",
			       .fault =
				   "kill -9 flowrrad, with one greedy tenant "
				   "of 200",
			       .brokers = ON_BOTH,
			       .runs = {1, 5},
			       .run = nobody_waits_behind_the_greedy_one};
