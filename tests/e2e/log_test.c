/* SPDX-License-Identifier: MIT */
/* What a worker logs: little by default, and for programs on demand. */
#include <signal.h>
#include <string.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

/* The line of the log in which `text` is. */
static const char *
line_with(struct world *w, struct worker *k, const char *text)
{
	const char *begin = worker_log(k);
	const char *p = strstr(begin, text);

	ck_assert_msg(p != NULL, "no \"%s\" in: %s", text, begin);
	while (p > begin && p[-1] != '\n')
		p--;
	return world_text(w, "%.*s", (int)strcspn(p, "\n"), p);
}

START_TEST(a_reader_of_the_log_that_stops_does_not_stop_the_worker)
{
	const struct world_options o = {
	    .modules = "noop",
	    .config = "[worker]\nlog_level = debug\n",
	    .command = "mkfifo pipe; " WORLD_COMMAND " 2<> pipe"};
	struct world *w = world_start(&o);

	/* Each of them is a line and more: several times what a pipe holds. */
	submit_many(w, 3000, "noop", "[]");
	wait_all_done(w, 3000);
	ctl_ok(w, "health");
	world_stop(w);
}
END_TEST

START_TEST(tasks_that_succeed_are_not_logged_by_default)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	ck_assert_str_eq(submit(w, "add 1 2 --id quiet --wait"), "3");
	ck_assert_int_eq(ctl(w, "submit fail why --id loud --max-retries 0 "
				"--wait")
			     ->status,
			 1);
	WAIT_UNTIL(worker_logged(k, "loud"));
	ck_assert(!worker_logged(k, "quiet"));
	world_stop(w);
}
END_TEST

START_TEST(a_line_of_json_says_what_it_is_about)
{
	const struct world_options o = {.command =
					    WORLD_COMMAND " --log-format json"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *line;

	ctl(w, "submit fail '\"why\"' --id loud --queue cpu --max-retries 0 "
	       "--wait");
	WAIT_UNTIL(worker_logged(k, "loud"));
	line = line_with(w, k, "loud");
	ck_assert_str_eq(json_field(w, line, "task_id"), "loud");
	ck_assert_str_eq(json_field(w, line, "task_name"), "fail");
	ck_assert_str_eq(json_field(w, line, "queue"), "cpu");
	ck_assert_str_eq(json_field(w, line, "attempt"), "1");
	ck_assert_str_eq(json_field(w, line, "worker"), "test:1");
	ck_assert_str_eq(json_field(w, line, "level"), "notice");
	world_stop(w);
}
END_TEST

START_TEST(a_reload_changes_what_a_line_is)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	world_configure(w, NULL, "log_format = json\nlog_level = info\n");
	worker_signal(k, SIGHUP);
	worker_notified(k, "READY=1");
	submit(w, "add 1 2 --id logged --wait");
	WAIT_UNTIL(worker_logged(k, "\"task_id\":\"logged\""));
	world_stop(w);
}
END_TEST

SUITE("logs")
{
	TEST(a_reader_of_the_log_that_stops_does_not_stop_the_worker);
	SUITE_TIMEOUT(60);
	TEST(tasks_that_succeed_are_not_logged_by_default);
	TEST(a_line_of_json_says_what_it_is_about);
	TEST(a_reload_changes_what_a_line_is);
}
