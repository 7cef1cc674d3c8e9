/* SPDX-License-Identifier: MIT */
/* What tasks in modules print and log, in files for those who ask later. */
#include "dispatch/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "codec/capture_read.h"
#include "suite.h"

static struct worker *
begin(const char *state_dir)
{
	static char dir[256];
	static const char *const settings[] = {"worker.keep_output=64k", dir,
					       NULL};
	const struct worker_setup setup = {.settings = settings};
	struct worker *w;

	snprintf(dir, sizeof(dir), "worker.state_dir=%s",
		 state_dir != NULL ? state_dir : suite_scratch());
	w = worker_open(&setup);
	worker_up(w);
	return w;
}

/* All that is kept of an attempt: "o:" and "e:" before what went to which. */
static void
ck_kept(const char *id, unsigned int attempt, const char *wanted)
{
	struct capture_reader *r = capture_reader_new("output", id, attempt);
	struct capture_record record;
	struct buf all = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_ptr_nonnull(r);
	while (capture_next(r, &record, &err) > 0) {
		buf_adds(&all, record.stream == CAPTURE_STDERR ? "e:" : "o:");
		buf_add(&all, record.bytes.p, record.bytes.len);
	}
	ck_assert_msg(err.code == ERR_NONE, "%s", err.msg);
	buf_addc(&all, '\0');
	ck_assert_str_eq(all.data, wanted);
	buf_done(&all);
	capture_reader_free(r);
}

START_TEST(what_is_printed_and_logged_is_kept_by_attempt)
{
	struct worker *w = begin(NULL);

	STEPS(w, "job", ",\"max_retries\":1", "started", "log=1:it smells",
	      "print=of burning", "failed=oh");
	WAIT_FOR(w, "retry; ");
	STEPS(w, "job", "", "started", "log=1:hello", "done=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "job", ",\"current_retry\":1", "started", "log=1:again",
	      "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	worker_end(w);
	ck_kept("t1", 1, "e:it smells\no:of burning\n");
	ck_kept("t2", 1, "e:hello\n");
	ck_kept("t3", 2, "e:again\n");
}
END_TEST

START_TEST(nothing_is_kept_unless_it_is_asked_for)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "print=hello", "done=1");
	WAIT_FOR(w, "ack");
	ck_assert_ptr_null(w->dispatch->keep);
	worker_end(w);
}
END_TEST

/* The task goes on, and the log says so once for each. */
START_TEST(what_cannot_be_kept_stops_no_task)
{
	struct worker *w = begin("/proc");

	worker_log_begin();
	STEPS(w, "job", "", "started", "log=1:hello", "log=1:again", "done=1");
	WAIT_FOR(w, "ack");
	FAKE_WAIT(&w->store,
		  strstr(worker_log(), "what task t1 prints") != NULL);
	worker_end(w);
	ck_assert_ptr_nonnull(
	    strstr(worker_log(), "what task t1 prints is not kept: "));
}
END_TEST

/* A thread that has its hands full: what is beyond the bound is lost. */
START_TEST(lines_beyond_the_bound_are_lost_and_nobody_waits)
{
	static const struct keep_limits limits = {1 << 30, 3600};
	static char line[65536];
	struct err err = ERR_INIT;
	struct keep *k = keep_new("output", &limits, &err);
	struct keep_file *f = keep_begin(k, "busy", 1, 4096);
	int64_t began = clock_mono_ms();
	size_t i;

	suite_scratch();
	worker_log_begin();
	memset(line, 'x', sizeof(line));
	for (i = 0; i < 20000; i++)
		keep_line(k, f, CAPTURE_STDOUT,
			  (struct slice){line, sizeof(line)});
	ck_assert_int_lt(clock_mono_ms() - began, SANITIZED ? 20000 : 5000);
	ck_assert_ptr_nonnull(strstr(worker_log(), "some lines are not"));
	keep_end(k, f);
	keep_free(k);
}
END_TEST

SUITE("dispatch-keep")
{
	TEST(what_is_printed_and_logged_is_kept_by_attempt);
	TEST(nothing_is_kept_unless_it_is_asked_for);
	TEST(what_cannot_be_kept_stops_no_task);
	TEST(lines_beyond_the_bound_are_lost_and_nobody_waits);
}
