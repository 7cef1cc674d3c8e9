/* SPDX-License-Identifier: MIT */
/* The contract of limits that workers declare, on each broker: what holds, of what
 * configurations and commands say. */
#include <stdio.h>
#include <string.h>

#include "store/limits_scene.h"

/* The last answer: how, and the worker of before. */
static char told[64];

static void
on_declared(enum broker_declared_how how, struct slice worker,
	    const struct err *err, void *arg)
{
	static const char *const words[] = {
	    [BROKER_DECLARED_SET] = "set",
	    [BROKER_DECLARED_SAME] = "same",
	    [BROKER_DECLARED_CHANGED] = "changed",
	    [BROKER_DECLARED_KEPT] = "kept",
	    [BROKER_DECLARED_GONE] = "gone",
	    [BROKER_DECLARED_NONE] = "none"};
	struct party *p = arg;

	if (err != NULL)
		snprintf(told, sizeof(told), "%d", err->code);
	else
		snprintf(told, sizeof(told), "%s %.*s", words[how],
			 (int)worker.len, worker.p);
	p->answered = true;
}

static const char *
declare(const struct broker_declaration *declaration)
{
	struct broker_declaration d = *declaration;

	d.queue = SLICE("io");
	op.producer->answered = false;
	broker_limits_declare(op.producer->broker, &d, on_declared,
			      op.producer);
	UNTIL(&op.stage, op.producer->answered);
	return told;
}

/* Of the tasks n. */
static const char *
declare_n(const char *worker, int64_t n, bool anew)
{
	return declare(&(struct broker_declaration){
	    .rule = {.kind = LIMIT_TASK, .key = SLICE("n"), .concurrency = n},
	    .worker = worker,
	    .anew = anew});
}

static const char *
declare_groups(const char *worker, int64_t n, const char *by)
{
	return declare(&(struct broker_declaration){
	    .rule = {.kind = LIMIT_EACH_GROUP, .concurrency = n},
	    .by = slice_of(by),
	    .worker = worker,
	    .anew = true});
}

static const char *
restore_n(void)
{
	return declare(&(struct broker_declaration){
	    .rule = {.kind = LIMIT_TASK, .key = SLICE("n")}, .restores = true});
}

START_TEST(the_first_worker_declares_and_a_later_start_changes)
{
	op_open(_i);
	ck_assert_str_eq(declare_n("host:a", 1, true), "set ");
	ck_assert_str_eq(lim_shown(), "t:n 1 0 0; ");
	ck_assert_str_eq(lim_owners(), "host:a/; ");
	ck_assert_str_eq(declare_n("host:b", 1, true), "same host:a");
	ck_assert_str_eq(lim_owners(), "host:a/; ");
	ck_assert_str_eq(declare_n("host:a", 2, true), "changed host:a");
	ck_assert_str_eq(lim_owners(), "host:a/; ");
	ck_assert_str_eq(declare_n("host:b", 3, true), "changed host:a");
	ck_assert_str_eq(lim_shown(), "t:n 3 0 0; ");
	ck_assert_str_eq(lim_owners(), "host:b/host:a; ");
	/* A store that is back has lost nothing: they do not fight. */
	ck_assert_str_eq(declare_n("host:a", 2, false), "same host:b");
	ck_assert_str_eq(lim_shown(), "t:n 3 0 0; ");
	/* That one agrees by now. */
	ck_assert_str_eq(declare_n("host:a", 3, true), "same host:b");
	ck_assert_str_eq(lim_owners(), "host:b/; ");
	op_close();
}
END_TEST

START_TEST(a_declared_limit_holds_at_once)
{
	op_open(_i);
	lim_put("a", NULL, 0);
	lim_put("b", NULL, 0);
	lim_put("c", NULL, 0);
	lim_take(lim_worker(), 3);
	ck_assert_str_eq(declare_n("host:a", 4, false), "set ");
	lim_put("d", NULL, 0);
	lim_put("e", NULL, 0);
	lim_take(lim_worker(), 4);
	UNTIL(&op.stage, strcmp(lim_shown(), "t:n 4 4 1; ") == 0);
	/* More of them, and the one that waits is told of. */
	ck_assert_str_eq(declare_n("host:a", 5, true), "changed host:a");
	lim_take(lim_worker(), 5);
	op_close();
}
END_TEST

START_TEST(what_a_command_has_set_holds)
{
	op_open(_i);
	lim_set(LIMIT_TASK, "n", 7);
	ck_assert_str_eq(declare_n("host:a", 1, true), "kept ");
	ck_assert_str_eq(declare_n("host:a", 2, true), "kept host:a");
	ck_assert_str_eq(declare_n("host:a", 2, false), "kept host:a");
	ck_assert_str_eq(lim_shown(), "t:n 7 0 0; ");
	ck_assert_str_eq(lim_owners(), "/; ");
	ck_assert_str_eq(restore_n(), "set host:a");
	ck_assert_str_eq(lim_shown(), "t:n 2 0 0; ");
	ck_assert_str_eq(lim_owners(), "host:a/; ");
	/* Also one that is set to the same. */
	lim_set(LIMIT_TASK, "n", 2);
	ck_assert_str_eq(declare_n("host:a", 3, true), "kept host:a");
	ck_assert_str_eq(lim_shown(), "t:n 2 0 0; ");
	op_close();
}
END_TEST

/* Nobody's word is in force that another one could dispute. */
START_TEST(what_workers_disagreed_on_is_settled_by_a_command)
{
	op_open(_i);
	declare_n("host:a", 2, true);
	declare_n("host:b", 3, true);
	ck_assert_str_eq(lim_owners(), "host:b/host:a; ");
	lim_set(LIMIT_TASK, "n", 7);
	ck_assert_str_eq(lim_owners(), "/; ");
	op_close();
}
END_TEST

START_TEST(what_a_command_has_taken_away_does_not_come_back)
{
	op_open(_i);
	ck_assert_str_eq(restore_n(), "none ");
	ck_assert_str_eq(declare_n("host:a", 1, true), "set ");
	ck_assert(lim_unset(LIMIT_TASK, "n"));
	ck_assert_str_eq(declare_n("host:a", 1, true), "gone host:a");
	ck_assert_str_eq(declare_n("host:b", 1, false), "gone host:a");
	ck_assert_str_eq(declare_n("host:b", 5, true), "gone host:a");
	ck_assert_str_eq(lim_shown(), "");
	lim_put("a", NULL, 0);
	lim_put("b", NULL, 0);
	lim_take(lim_worker(), 2);
	ck_assert_str_eq(restore_n(), "set host:b");
	UNTIL(&op.stage, strcmp(lim_shown(), "t:n 5 2 0; ") == 0);
	op_close();
}
END_TEST

START_TEST(a_declared_path_gives_way_to_that_of_a_command)
{
	op_open(_i);
	ck_assert_str_eq(declare_groups("host:a", 1, "kwargs.x"), "set ");
	ck_assert_str_eq(lim_shown(), "g 1 0 0; by kwargs.x");
	ck_assert_str_eq(declare_groups("host:a", 1, "kwargs.y"),
			 "changed host:a");
	ck_assert_str_eq(lim_shown(), "g 1 0 0; by kwargs.y");
	lim_set_by(LIMIT_GROUP, "k", 3, "args.0");
	ck_assert_str_eq(declare_groups("host:a", 2, "kwargs.z"),
			 "changed host:a");
	ck_assert_str_eq(lim_shown(), "g:k 3 0 0; g 2 0 0; by args.0");
	op_close();
}
END_TEST

START_TEST(a_limit_too_many_is_refused)
{
	char key[16], full[16];
	int i;

	op_open(_i);
	for (i = 0; i < LIMIT_RULES_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		lim_set(LIMIT_GROUP, key, 1);
	}
	snprintf(full, sizeof(full), "%d", ERR_FULL);
	ck_assert_str_eq(declare_n("host:a", 1, true), full);
	lim_unset(LIMIT_GROUP, "k0");
	ck_assert_str_eq(declare_n("host:a", 1, true), "set ");
	snprintf(full, sizeof(full), "%d", ERR_DATA);
	ck_assert_str_eq(declare_n("host:a", 0, true), full);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(the_first_worker_declares_and_a_later_start_changes, kind)           \
	X(a_declared_limit_holds_at_once, kind)                                \
	X(what_a_command_has_set_holds, kind)                                  \
	X(what_workers_disagreed_on_is_settled_by_a_command, kind)             \
	X(what_a_command_has_taken_away_does_not_come_back, kind)              \
	X(a_declared_path_gives_way_to_that_of_a_command, kind)                \
	X(a_limit_too_many_is_refused, kind)

LIMITS_SUITES("declare")
