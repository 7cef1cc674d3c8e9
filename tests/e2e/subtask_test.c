/* SPDX-License-Identifier: MIT */
/* Tasks that handlers submit, with all options, on both stores. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define ID "an-id-of-its-own-of-thirty-six-bytes"

START_TEST(a_handler_submits_with_all_options)
{
	const struct world_options o = {.embedded = _i == 1,
					.modules = "submit_options plain",
					.config = "[worker]\nqueues = io q\n"};
	struct world *w = world_start(&o);
	const char *json;

	ctl_ok(w, "queue pause q");
	ck_assert_str_eq(submit(w, "alone --wait"), "[0,36]");
	json = ctl_ok(w, "export");
	ck_assert_msg(strstr(json, ID) != NULL &&
			  strstr(json, "retry_jitter\\\":0.5") != NULL &&
			  strstr(json, "retry_backoff\\\":1.25") != NULL &&
			  strstr(json, "retry_delay_max\\\":8.5") != NULL &&
			  strstr(json, "2030-03-17T17:46:40") != NULL,
		      "%s", json);
	/* Both give the same id, that of the first. */
	ck_assert_str_eq(submit(w, "at --wait"), "[0,36]");
	ck_assert_str_eq(submit(w, "at --wait"), "[0,36]");
	ck_assert_str_eq(
	    ctl_ok(w, "export | grep -c 'due_at\":\"2027-01-15T08:00:00'"),
	    "1");
	world_stop(w);
}
END_TEST

static struct world *
start_waits(int store, const char *io_workers)
{
	static char config[64];
	const struct world_options o = {.embedded = store == 1,
					.modules = "waits plain demo",
					.config = config};

	snprintf(config, sizeof(config), "[executor]\nio_workers = %s\n",
		 io_workers);
	return world_start(&o);
}

START_TEST(a_handler_waits_for_a_task_of_its_own)
{
	struct world *w = start_waits(_i, "2");

	ck_assert_str_eq(submit(w, "parent plain --wait"), "\"success\"");
	ck_assert_str_eq(submit(w, "parent fail --wait"), "\"failed\"");
	ck_assert_str_eq(submit(w, "waiter nosuch 30 --wait"), "-1");
	submit(w, "sleep 60 --id long");
	ck_assert_str_eq(submit(w, "waiter long 0.1 --wait"), "-1");
	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

/* What they wait for needs a handler, too: the last one never waits. */
START_TEST(handlers_that_wait_leave_one_for_what_they_wait_for)
{
	struct world *w = start_waits(_i, "1");

	ck_assert_str_eq(submit(w, "parent plain --wait"), "\"refused\"");
	WAIT_UNTIL(worker_logged(worker_of(w), "io_workers"));
	world_stop(w);
}
END_TEST

START_TEST(many_that_wait_end_all)
{
	struct world *w = start_waits(_i, "4");
	const char *out =
	    ctl_ok(w, "submit --stdin <<'END' | flowrractl wait --stdin "
		      "--timeout 60 -c flowrra.conf | cut -f 2 | sort | "
		      "uniq -c\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "{\"name\":\"parent\",\"args\":[\"plain\"]}\n"
		      "END");
	ck_assert_msg(strstr(out, "success") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "failed") == NULL, "%s", out);
	world_stop(w);
}
END_TEST

START_TEST(a_handler_that_waits_is_cancelled_and_outlived)
{
	struct world *w = start_waits(_i, "4");
	struct worker *k = worker_of(w);

	submit(w, "sleep 60 --id long");
	submit(w, "waiter long -1 --id waits");
	WAIT_UNTIL(strstr(ctl_ok(w, "tasks running"), "waits") != NULL);
	ctl_ok(w, "cancel waits");
	ck_assert_int_eq(ctl(w, "wait waits --timeout 20")->status, 0);
	/* Its executor dies while it waits: it waits again in another one. */
	submit(w, "waiter long -1 --id waits2");
	WAIT_UNTIL(strstr(ctl_ok(w, "tasks running"), "waits2") != NULL);
	kill(worker_executor(k), SIGKILL);
	WAIT_UNTIL(worker_logged(k, "long"));
	ctl_ok(w, "cancel long");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "wait waits2 --timeout 30"), "cancelled"));
	world_stop(w);
}
END_TEST

SUITE("subtask")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_handler_submits_with_all_options, 0, 2);
	TEST_LOOP(a_handler_waits_for_a_task_of_its_own, 0, 2);
	TEST_LOOP(handlers_that_wait_leave_one_for_what_they_wait_for, 0, 2);
	TEST_LOOP(many_that_wait_end_all, 0, 2);
	TEST_LOOP(a_handler_that_waits_is_cancelled_and_outlived, 0, 2);
}
