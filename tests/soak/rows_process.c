/* SPDX-License-Identifier: MIT */
/* Processes of ours that are killed, stopped or told to reload. */
#include <signal.h>
#include <stdlib.h>

#include "soak/rows.h"
#include "soak/soak.h"

/* --- kill -9 an executor ------------------------------------------------- */

static void
kill_executor(struct scene *s)
{
	pid_t children[CHILDREN_MAX];
	size_t n = children_of(worker_pid(s->workers[0]), children);
	int64_t begin, last = 0;
	pid_t victim;

	/* One may be ending or starting. */
	if (n == 0)
		return;
	victim = children[rng_between(&s->rng, 0, (int64_t)n - 1)];
	ledger_fault(s->ledger, victim, CAUSE_EXECUTOR_KILLED);
	begin = now_ms();
	kill(victim, SIGKILL);
	s->tally->faults++;
	WAIT_UNTIL(is_gone(victim));
	ledger_read(s->ledger);
	if (ledger_unfinished(s->ledger, victim) == 0)
		return;
	SCENE_WAIT_WITHIN(s, PATIENCE_MS,
			  (last = ledger_gone_on(s->ledger, &victim, 1)) != 0);
	scene_recovered(s, last / 1000 - begin);
}

static void
executor_killed(struct scene *s)
{
	unsigned int i;

	scene_start(s, NULL);
	load_start(s, &(struct load){.no_priorities = true});
	for (i = 0; i < times(s, 15, 150); i++) {
		scene_sleep_between(s, 20, 250);
		kill_executor(s);
	}
	scene_end(s);
}

const struct row row_executor = {.name = "executor",
				 .fault = "kill -9 an executor",
				 .brokers = ON_BOTH,
				 .runs = {2, 10},
				 .alone = true,
				 .limit_ms = 100,
				 .run = executor_killed};

/* --- kill -9 flowrrad ---------------------------------------------------- */

static void
worker_killed(struct scene *s)
{
	pid_t children[CHILDREN_MAX];
	int64_t begin, last = 0;
	unsigned int i;
	size_t n;

	scene_start(s, NULL);
	load_start(s, &(struct load){.delays = true, .no_priorities = true});
	for (i = 0; i < times(s, 8, 80); i++) {
		scene_sleep_between(s, 10, 400);
		n = scene_kill_worker(s, s->workers[0], children);
		scene_sleep_between(s, 0, 100);
		begin = now_ms();
		worker_restart(s->workers[0]);
		SCENE_WAIT_WITHIN(
		    s, PATIENCE_MS,
		    (last = ledger_gone_on(s->ledger, children, n)) != 0);
		if (last > 1)
			scene_recovered(s, last / 1000 - begin);
	}
	scene_end(s);
}

const struct row row_worker = {.name = "worker",
			       .fault = "kill -9 flowrrad, restarted",
			       .brokers = ON_BOTH,
			       .runs = {2, 10},
			       .limit_ms = 1000,
			       .run = worker_killed};

static void
worker_never_back(struct scene *s)
{
	pid_t children[CHILDREN_MAX];
	int64_t begin, last = 0;
	size_t n;

	scene_start(s, &(struct scene_options){.workers = 2});
	load_start(s, &(struct load){.max_ms = 300, .gap_ms = 150});
	scene_sleep_between(s, 200, 4000);
	begin = now_ms();
	n = scene_kill_worker(s, s->workers[0], children);
	SCENE_WAIT_WITHIN(s, PATIENCE_MS,
			  (last = ledger_gone_on(s->ledger, children, n)) != 0);
	if (last > 1)
		scene_recovered(s, last / 1000 - begin);
	scene_end(s);
}

const struct row row_takeover = {.name = "takeover",
				 .fault = "kill -9 flowrrad, never restarted",
				 .brokers = ON_BOTH,
				 .runs = {1, 10},
				 /* Two lives of a heartbeat, and a moment. */
				 .limit_ms = 21500,
				 .run = worker_never_back};

/* On Redis, who says nothing for two lives is dead. In the embedded database it
 * is not, as long as it holds its lock. */
static void
worker_frozen(struct scene *s)
{
	const bool lock = s->broker == SOAK_SQLITE;
	unsigned int i;

	scene_start(s, &(struct scene_options){.workers = 2});
	load_start(s, &(struct load){.max_ms = 300, .gap_ms = 150});
	for (i = 0; i < times(s, 1, 5); i++) {
		scene_sleep_between(s, 200, 2000);
		worker_signal(s->workers[0], SIGSTOP);
		s->tally->faults++;
		scene_sleep_between(s, lock ? 18000 : 12500,
				    lock ? 20000 : 15000);
		worker_signal(s->workers[0], SIGCONT);
	}
	scene_end(s);
}

const struct row row_frozen = {.name = "frozen",
			       .fault = "SIGSTOP flowrrad beyond a life",
			       .brokers = ON_BOTH,
			       .runs = {1, 5},
			       .run = worker_frozen};

/* --- SIGTERM, SIGHUP ----------------------------------------------------- */

static void
worker_stopped(struct scene *s)
{
	unsigned int i;
	int64_t begin;

	scene_start(s, NULL);
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 8, 60); i++) {
		scene_sleep_between(s, 10, 400);
		s->tally->faults++;
		worker_stop(s->workers[0]);
		begin = now_ms();
		worker_restart(s->workers[0]);
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_sigterm = {.name = "sigterm",
				.fault = "SIGTERM under load",
				.brokers = ON_BOTH,
				.runs = {1, 5},
				.limit_ms = 1000,
				.run = worker_stopped};

/* Tasks are longer than its patience: they are killed, and put back. */
static void
worker_stopped_hard(struct scene *s)
{
	pid_t executors[CHILDREN_MAX];
	unsigned int i;
	int64_t begin;
	size_t n;

	scene_start(s, &(struct scene_options){
			   .config = "[worker]\nstop_timeout = 100ms\n"});
	load_start(s, &(struct load){.max_ms = 800, .gap_ms = 400});
	for (i = 0; i < times(s, 6, 40); i++) {
		scene_sleep_between(s, 10, 800);
		n = scene_freeze(s->workers[0], executors);
		worker_signal(s->workers[0], SIGTERM);
		worker_signal(s->workers[0], SIGCONT);
		ck_assert_int_eq(worker_end(s->workers[0]), 0);
		scene_blame(s, executors, n, CAUSE_WORKER_STOPPED);
		begin = now_ms();
		worker_restart(s->workers[0]);
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_sigterm_hard = {.name = "sigterm-hard",
				     .fault =
					 "SIGTERM, tasks outlast stop_timeout",
				     .brokers = ON_BOTH,
				     .runs = {1, 5},
				     .limit_ms = 1000,
				     .run = worker_stopped_hard};

static void
worker_reloaded(struct scene *s)
{
	unsigned int i;
	int64_t begin;

	scene_start(s, NULL);
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 10, 80); i++) {
		scene_sleep_between(s, 10, 300);
		worker_forget_notified(s->workers[0]);
		begin = now_ms();
		worker_signal(s->workers[0], SIGHUP);
		s->tally->faults++;
		worker_notified(s->workers[0], "RELOADING=1");
		/* Now and then the next comes before this one is over. */
		if (rng_between(&s->rng, 0, 2) == 0)
			worker_signal(s->workers[0], SIGHUP);
		worker_notified(s->workers[0], "READY=1");
		scene_recovered(s, now_ms() - begin);
	}
	scene_end(s);
}

const struct row row_sighup = {.name = "sighup",
			       .fault = "SIGHUP under load",
			       .brokers = ON_BOTH,
			       .runs = {1, 5},
			       .limit_ms = 1000,
			       .run = worker_reloaded};
