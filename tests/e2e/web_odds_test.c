/* SPDX-License-Identifier: MIT */
/* flowrra-web on machines that differ: short limits, files that go away. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

/* What nobody can get at any more is not shown as if it were so. */
START_TEST(a_database_that_was_deleted_is_not_shown_on)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct run *worker = run_start(w, WORLD_COMMAND);
	struct site *s;

	WAIT_UNTIL(ctl(w, "tasks info echo")->status == 0);
	s = site_start(w, "");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/workers", " "), 200);
	ck_run(run(w, "rm flowrra.db flowrra.db-wal flowrra.db-shm"), 0, "");
	ck_complains(run_end(w, worker), 69, "was deleted or replaced");
	/* Another one is in its place: with other workers, and other tasks. */
	worker = run_start(w, WORLD_COMMAND);
	WAIT_UNTIL(ctl(w, "tasks info echo")->status == 0);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/workers", " "), 503);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/health", " "), 200);
	ck_assert_ptr_nonnull(strstr(s->body, "\"healthy\":false"));
	ck_assert_ptr_nonnull(strstr(s->body, "was deleted or replaced"));
	site_stop(s);
	site_again(s);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/workers", " "), 200);
	ck_assert_ptr_nonnull(strstr(s->body, "\"state\":\"running\""));
	site_stop(s);
	ck_assert_int_eq(kill(worker->pid, SIGTERM), 0);
	ck_assert_int_eq(run_end(w, worker)->status, 0);
	world_stop(w);
}
END_TEST

/* The daemon's, which inherits it. */
static void
lower_limit(int what, rlim_t n)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(what, &limit), 0);
	limit.rlim_cur = limit.rlim_max = n;
	ck_assert_int_eq(setrlimit(what, &limit), 0);
}

START_TEST(few_descriptors_are_told_and_leave_some_for_requests)
{
	const struct world_options o = {.embedded = _i == 1};
	struct world *w = world_start(&o);
	struct site *s;
	int fds[20], i;

	lower_limit(RLIMIT_NOFILE, 64);
	s = site_start(w, "-o web.threads=4");
	/* As many as may come, and more: they hold what is left. */
	for (i = 0; i < 20; i++)
		fds[i] = site_connect(s);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/overview", " "), 200);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/health", " "), 200);
	ck_assert_ptr_eq(strstr(s->body, "open files"), NULL);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	site_stop(s);
	ck_assert_ptr_nonnull(strstr(s->daemon->err,
				     "at most 8 connections, not [web] "
				     "max_connections = 512: the limit on open "
				     "files is 64; raise LimitNOFILE="));
	world_stop(w);
}
END_TEST

START_TEST(memory_that_lacks_for_threads_is_named)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);

	ck_complains(
	    run(w,
		"ulimit -v 40000; exec flowrra-web --config flowrra.conf "
		"-o web.listen=unix:%s/web.sock -o web.runtime_dir=%s/run "
		"-o web.state_dir=%s/state",
		world_dir(w), world_dir(w), world_dir(w)),
	    71, "raise LimitAS= of the unit or ulimit -v");
	world_stop(w);
}
END_TEST

SUITE("web-odds")
{
	TEST(a_database_that_was_deleted_is_not_shown_on);
	TEST_LOOP(few_descriptors_are_told_and_leave_some_for_requests, 0, 2);
	TEST(memory_that_lacks_for_threads_is_named);
}
