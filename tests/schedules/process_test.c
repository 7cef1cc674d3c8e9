/* SPDX-License-Identifier: MIT */
/* Several processes use one database of schedules, and some of them are killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/clock.h"
#include "world.h"

/* --- several processes --------------------------------------------------- */

#define SCHEDULES 300
#define FIRES 3
#define CLAIMERS 4

/* Claims until nothing is due, and writes a line for each fire. */
static void
claim_all(struct world *w, int fd)
{
	struct schedules_claimed claimed;
	int64_t period = 1000000, due;
	size_t i;

	do {
		world_claim(w, FIRES * period, 7, &period, &claimed);
		for (i = 0; i < claimed.fires->n; i++)
			ck_assert_int_gt(
			    dprintf(fd, "%s\n",
				    claimed.fires->items[i].task_id),
			    0);
		schedules_fires_free(claimed.fires);
		OK(w, schedules_next_due(w->schedules, &due, &w->err));
	} while (due <= FIRES * period);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The file has `n` lines, no two of them the same. */
static void
check_lines(FILE *file, size_t n)
{
	char **lines = calloc(n + 1, sizeof(*lines));
	size_t i, cap, count = 0;

	rewind(file);
	for (; count <= n; count++) {
		cap = 0;
		if (getline(&lines[count], &cap, file) < 0) {
			free(lines[count]);
			break;
		}
	}
	ck_assert_uint_eq(count, n);
	qsort(lines, count, sizeof(*lines), compare);
	for (i = 1; i < count; i++)
		ck_assert_str_ne(lines[i - 1], lines[i]);
	for (i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

START_TEST(each_fire_is_claimed_by_one_process_only)
{
	FILE *file = tmpfile();
	pid_t pids[CLAIMERS];
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 0; i < SCHEDULES; i++)
		world_create(&w, i, 1000000 - i);
	for (i = 0; i < CLAIMERS; i++)
		pids[i] = world_fork(&w, claim_all, fileno(file));
	for (i = 0; i < CLAIMERS; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	/* The first at 1 s or before, then one a second. */
	check_lines(file, (SCHEDULES - 1) * FIRES + FIRES);
	fclose(file);
	world_close(&w);
}
END_TEST

static void
create_identical(struct world *w, int fd)
{
	const struct schedule schedule = {
	    .task = "add", .rule = "1", .settings = TASK_SETTINGS_UNSET};
	char id[SCHEDULE_ID_MAX + 1];
	bool existing;

	OK(w, schedules_create(w->schedules, &schedule, 1, id, &existing,
			       &w->err));
	ck_assert_int_gt(dprintf(fd, "%s\n", id), 0);
}

/* Also on an empty database: all of them find that there is no schema. */
START_TEST(several_processes_create_the_schema_and_one_identical_schedule)
{
	FILE *file = tmpfile();
	char line[2][80];
	pid_t pids[CLAIMERS];
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 0; i < CLAIMERS; i++)
		pids[i] = world_fork(&w, create_identical, fileno(file));
	for (i = 0; i < CLAIMERS; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	rewind(file);
	ck_assert_ptr_nonnull(fgets(line[0], sizeof(line[0]), file));
	for (i = 1; i < CLAIMERS; i++) {
		ck_assert_ptr_nonnull(fgets(line[1], sizeof(line[1]), file));
		ck_assert_str_eq(line[0], line[1]);
	}
	fclose(file);
	world_close(&w);
}
END_TEST

/* --- killed -------------------------------------------------------------- */

static void
decide_and_die(const struct schedule *schedule,
	       struct schedule_verdict *verdict, void *arg)
{
	int *left = arg;

	world_decide(schedule, verdict, NULL);
	if (--*left == 0)
		kill(getpid(), SIGKILL);
}

static void
claim_and_die(struct world *w, int n)
{
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 10, .decide = decide_and_die, .arg = &n};
	struct schedules_claimed claimed;

	schedules_claim(w->schedules, &claim, &claimed, NULL);
}

/* The server takes a moment to see that a process is gone; until then, a claim
 * passes over what that process had locked. */
static void
await_unlocked(struct world *w, const char *ids)
{
	const int64_t deadline = clock_mono_ms() + 10000;
	char *answer;
	bool all;

	if (w->kind == WORLD_SQLITE)
		return;
	do {
		ck_assert_int_lt(clock_mono_ms(), deadline);
		answer = world_ask(w, "SELECT id FROM flowrra_schedules"
				      " ORDER BY id FOR UPDATE SKIP LOCKED");
		all = strcmp(answer, ids) == 0;
		free(answer);
	} while (!all);
}

START_TEST(a_process_killed_in_its_transaction_leaves_all_to_the_others)
{
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 5; i++)
		world_create(&w, i, 1000);
	for (i = 1; i <= 5; i += 2) {
		ck_assert_int_eq(
		    WTERMSIG(world_reap(world_fork(&w, claim_and_die, i))),
		    SIGKILL);
		await_unlocked(&w, "s1\ns2\ns3\ns4\ns5\n");
	}
	OK(&w, schedules_unsent(w.schedules, INT64_MAX, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 0);
	schedules_fires_free(fires);
	world_claim(&w, 1000, 10, NULL, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 5);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, INT64_MAX, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 5);
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

static void
claim_and_be_killed(struct world *w, int fd)
{
	struct schedules_claimed claimed;

	world_claim(w, 1000, 10, NULL, &claimed);
	kill(getpid(), SIGKILL);
}

START_TEST(a_process_killed_before_it_sends_leaves_its_fires_in_the_outbox)
{
	struct schedules_fires *fires;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_reap(world_fork(&w, claim_and_be_killed, -1));
	OK(&w, schedules_unsent(w.schedules, 1001, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 1);
	ck_assert_str_eq(fires->items[0].task_id, "s1:19700101T000000.001000Z");
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

#define MANY 300
#define ROUNDS 6

/* All schedules in one transaction, as they were read; again and again. */
static void
change_many(struct schedules *db, bool backwards)
{
	static struct schedules_step steps[MANY];
	const struct schedules_filter filter = {.limit = MANY};
	struct schedules_list *list;
	struct err err = ERR_INIT;
	size_t i, at;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ck_assert_int_eq(schedules_list(db, &filter, &list, &err), 0);
		ck_assert_uint_eq(list->n, MANY);
		for (i = 0; i < MANY; i++) {
			at = backwards ? MANY - 1 - i : i;
			steps[i] = (struct schedules_step){
			    .kind = SCHEDULES_SET,
			    .schedule = &list->items[at],
			    .old_updated_us = list->items[at].updated_us,
			    .old_next_run_us = list->items[at].next_run_us};
		}
		ck_assert_msg(
		    schedules_take_steps(db, steps, MANY, 1000, &err) == 0,
		    "%s", err.msg);
		schedules_list_free(list);
	}
}

static void
change_backwards(struct world *w, int fd)
{
	change_many(w->schedules, true);
}

START_TEST(two_that_change_many_in_another_order_both_succeed)
{
	struct world w;
	pid_t child;
	int i;

	world_open(&w, _i);
	for (i = 0; i < MANY; i++)
		world_create(&w, i, 1000);
	child = world_fork(&w, change_backwards, -1);
	change_many(w.schedules, false);
	ck_assert_int_eq(world_reap(child), 0);
	world_close(&w);
}
END_TEST

SUITE("schedules-processes")
{
	SUITE_TIMEOUT(90);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(each_fire_is_claimed_by_one_process_only, 0, N_WORLDS_POOLED);
	TEST_LOOP(two_that_change_many_in_another_order_both_succeed, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(
	    several_processes_create_the_schema_and_one_identical_schedule, 0,
	    N_WORLDS_POOLED);
	TEST_LOOP(a_process_killed_in_its_transaction_leaves_all_to_the_others,
		  0, N_WORLDS_POOLED);
	TEST_LOOP(
	    a_process_killed_before_it_sends_leaves_its_fires_in_the_outbox, 0,
	    N_WORLDS_POOLED);
}
