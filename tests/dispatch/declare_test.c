/* SPDX-License-Identifier: MIT */
/* Limits that the configuration has: when the store is told, and what waits for
 * that. */
#include <stdio.h>
#include <unistd.h>

#include "dispatch/worker.h"
#include "suite.h"

#define ONE                                                                    \
	"[task nap]\ncommand = sleep 1\nqueue = io\nconcurrency = 3\n"         \
	"[task free]\ncommand = sleep 1\nqueue = io\n"                         \
	"[task else]\ncommand = sleep 1\nqueue = other\nrate = 1/1s\n"

static struct worker *
begin(const char *text)
{
	static char path[64];
	FILE *file;
	struct worker *w;

	snprintf(path, sizeof(path), "/tmp/declare-%d.conf", (int)getpid());
	ck_assert_ptr_nonnull(file = fopen(path, "w"));
	fputs(text, file);
	fclose(file);
	w = worker_open(&(struct worker_setup){.file = path});
	unlink(path);
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->store.declarations > 0 && w->ready);
	return w;
}

static void
tell(struct worker *w, enum broker_declared_how how, const struct err *err)
{
	w->store.on_declared(how, SLICE("test:other"), err,
			     w->store.declared_arg);
}

START_TEST(nothing_is_asked_for_before_the_limits_are_declared)
{
	struct worker *w = begin(ONE);

	worker_settle(w);
	ck_assert_uint_eq(w->store.wanted[0] + w->store.wanted[1], 0);
	ck_assert_uint_eq(w->store.declarations, 1);
	ck_assert(w->store.declaration.anew);
	ck_assert_int_eq(w->store.declaration.rule.kind, LIMIT_TASK);
	ck_assert_int_eq(w->store.declaration.rule.concurrency, 3);
	ck_assert_str_eq(w->store.declaration.worker, "test:main");
	tell(w, BROKER_DECLARED_SET, NULL);
	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	worker_end(w);
}
END_TEST

START_TEST(a_store_that_is_back_is_told_but_not_waited_for)
{
	struct worker *w = begin(ONE);

	tell(w, BROKER_DECLARED_SAME, NULL);
	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	fake_store_reach(&w->store, false);
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->store.declarations == 2);
	ck_assert(!w->store.declaration.anew);
	w->store.wanted[0] = 0;
	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	worker_end(w);
}
END_TEST

START_TEST(a_store_that_went_is_told_as_at_the_start)
{
	const struct err gone = {.code = ERR_UNAVAILABLE, .msg = "gone"};
	struct worker *w = begin(ONE);

	fake_store_reach(&w->store, false);
	tell(w, BROKER_DECLARED_NONE, &gone);
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->store.declarations == 2);
	ck_assert(w->store.declaration.anew);
	worker_end(w);
}
END_TEST

/* Or a user without the rights would stop the worker. */
START_TEST(what_cannot_be_declared_is_logged_and_does_not_stop_the_worker)
{
	const struct err refused = {.code = ERR_REFUSED, .msg = "no rights"};
	struct worker *w;

	worker_log_begin();
	w = begin(ONE);
	tell(w, BROKER_DECLARED_NONE, &refused);
	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	ck_assert_ptr_nonnull(strstr(
	    worker_log(), "[task nap]: cannot declare its limit in queue io: "
			  "no rights"));
	worker_end(w);
}
END_TEST

START_TEST(the_first_of_two_limits_of_groups_is_declared)
{
	struct worker *w;

	worker_log_begin();
	w = begin("[task a]\ncommand = sleep 1\nqueue = io\nconcurrency = 3\n"
		  "group = args.0\n"
		  "[task b]\ncommand = sleep 1\nqueue = io\nconcurrency = 4\n"
		  "group = args.0\n");
	ck_assert_uint_eq(w->store.declarations, 1);
	ck_assert_int_eq(w->store.declaration.rule.kind, LIMIT_EACH_GROUP);
	ck_assert_int_eq(w->store.declaration.rule.concurrency, 3);
	ck_assert_ptr_nonnull(strstr(worker_log(),
				     "[task b]: its limit is not used, because "
				     "[task a] limits each group of queue io"));
	tell(w, BROKER_DECLARED_CHANGED, NULL);
	ck_assert_ptr_nonnull(strstr(worker_log(),
				     "[task a]: its limit is in force in queue "
				     "io, and replaces the one that worker "
				     "test:other declared"));
	worker_end(w);
}
END_TEST

SUITE("dispatch-declare")
{
	TEST(nothing_is_asked_for_before_the_limits_are_declared);
	TEST(a_store_that_is_back_is_told_but_not_waited_for);
	TEST(a_store_that_went_is_told_as_at_the_start);
	TEST(what_cannot_be_declared_is_logged_and_does_not_stop_the_worker);
	TEST(the_first_of_two_limits_of_groups_is_declared);
}
