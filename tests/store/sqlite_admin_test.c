/* SPDX-License-Identifier: MIT */
/* What only the SQLite broker has to do right for those who run it. */
#include <event2/event.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"

#define HOUR_MS (3600 * 1000)

static struct stage w;
static struct party *producer, *worker;

static void
open_scene(void)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
}

static void
close_scene(void)
{
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}

/* --- withdrawing ------------------------------------------------------- */

/* Its bytes do not tell its id: only its record does. */
static void
submit(const char *id, int32_t priority, int64_t delay_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = SLICE("[]"),
				     .priority = priority,
				     .delay_ms = delay_ms,
				     .record = SLICE("{\"pending\":1}")};

	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
}

struct answer {
	bool told, more;
	size_t n;
};

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert_msg(page != NULL, "%s", err ? err->msg : "");
	*(struct answer *)arg = (struct answer){
	    .told = true, .more = page->next.len > 0, .n = page->n};
}

/* Whether it was found, which must be known at once. */
static bool
withdraw(const char *queue, const char *id)
{
	struct answer answer = {.told = false};

	broker_remove(producer->broker, slice_of(queue), slice_of(id),
		      SLICE(""), on_page, &answer);
	UNTIL(&w, answer.told);
	ck_assert(!answer.more);
	return answer.n == 1;
}

static void
pause_io(bool paused)
{
	producer->answered = false;
	broker_pause(producer->broker, SLICE("io"), paused, party_on_value,
		     producer);
	UNTIL(&w, producer->answered);
}

static void
take(unsigned int n)
{
	const size_t before = worker->n_claims;

	broker_want(worker->broker, 0, n);
	UNTIL(&w, worker->n_claims == before + n);
}

START_TEST(a_task_is_found_by_its_record_wherever_it_waits)
{
	open_scene();
	submit("waits", 0, 0);
	submit("prior", -7, 0);
	submit("later", 0, HOUR_MS);
	ck_assert(withdraw("io", "waits"));
	ck_assert(withdraw("io", "prior"));
	ck_assert(withdraw("io", "later"));
	ck_assert(!withdraw("io", "waits"));
	ck_assert_int_eq(stage_sql(&w, "SELECT sum(size) FROM queues"), 0);
	ck_assert_int_eq(stage_sql(&w, "SELECT sum(delayed) FROM queues"), 0);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM tasks"), 0);
	close_scene();
}
END_TEST

START_TEST(a_task_that_moved_is_found_by_its_record)
{
	open_scene();
	submit("first", 0, 0);
	submit("due", 0, 1);
	submit("back", 0, 0);
	take(2);
	party_settle(worker, 1, BROKER_RELEASE);
	party_retry(worker, 0, "[]", 0);
	pause_io(true);
	/* The delayed one is moved behind the others by this. */
	broker_want(worker->broker, 0, 5);
	UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM waiting") == 3);
	ck_assert(withdraw("io", "due"));
	ck_assert(withdraw("io", "back"));
	ck_assert(withdraw("io", "first"));
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM tasks"), 0);
	close_scene();
}
END_TEST

START_TEST(what_does_not_wait_is_known_at_once)
{
	open_scene();
	submit("taken", 0, 0);
	take(1);
	ck_assert(!withdraw("io", "taken"));
	submit("here", 0, 0);
	ck_assert(!withdraw("cpu", "here"));
	ck_assert(!withdraw("none", "here"));
	ck_assert(withdraw("io", "here"));
	close_scene();
}
END_TEST

static void
on_exhumed(struct broker_requeue *batch, size_t n, void *arg)
{
	ck_assert(batch[0].found);
	*(bool *)arg = true;
}

START_TEST(a_task_of_the_dead_list_that_runs_again_is_found_by_its_record)
{
	struct broker_requeue one = {
	    .key = SLICE("1"), .retry_bytes = SLICE("[2]"), .priority = 3};
	bool done = false;

	open_scene();
	submit("1", 0, 0);
	take(1);
	party_bury(worker, 0, "1", "{}");
	broker_requeue(producer->broker, SLICE("io"), &one, 1, on_exhumed,
		       &done);
	UNTIL(&w, done);
	ck_assert(withdraw("io", "1"));
	close_scene();
}
END_TEST

START_TEST(one_that_dies_again_is_in_the_dead_list_and_counted_once)
{
	open_scene();
	submit("1", 0, 0);
	submit("1", 0, 0);
	take(2);
	party_bury(worker, 0, "1", "{\"n\":1}");
	party_bury(worker, 1, "1", "{\"n\":2}");
	ck_assert_int_eq(stage_dead(&w), 1);
	ck_assert_int_eq(stage_sql(&w, "SELECT sum(dead) FROM queues"), 1);
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT json_extract(info, '$.n') FROM dead"), 2);
	close_scene();
}
END_TEST

/* --- workers ----------------------------------------------------------- */

START_TEST(a_worker_that_was_killed_is_known_to_be_dead_at_once)
{
	struct party *doomed;
	int ready[2], status;
	char scrap;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		doomed = party_open(&w, "host:doomed");
		broker_heartbeat(doomed->broker, SLICE("{}"));
		stage_linger(&w, 100);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &scrap, 1), 1);
	producer = party_open(&w, NULL);
	broker_workers(producer->broker, party_on_workers, producer);
	UNTIL(&w, producer->answered);
	ck_assert_ptr_nonnull(strstr(producer->value, "host:doomed alive"));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	producer->answered = false;
	broker_workers(producer->broker, party_on_workers, producer);
	UNTIL(&w, producer->answered);
	ck_assert_ptr_nonnull(strstr(producer->value, "host:doomed dead"));
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Other programs may write to the file, too. */
START_TEST(names_in_the_file_may_be_longer_than_any_of_ours)
{
	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	party_submit(producer, "1", "[1]", 0, 0);
	stage_sql(&w, "INSERT INTO sleepers (queue, port) "
		      "SELECT queue, printf('%.*c', 5000, 'p') FROM waiting");
	stage_sql(&w,
		  "INSERT INTO set_aside (queue, name, priority, seq, number) "
		  "SELECT queue, printf('%.*c', 5000, 'n'), priority, seq, "
		  "number FROM waiting");
	stage_sql(&w, "DELETE FROM waiting");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	broker_heartbeat(worker->broker, SLICE("{}"));
	UNTIL(&w, worker->n_claims == 1);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM sleepers "
				       "WHERE length(port) = 5000"),
			 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* --- examining --------------------------------------------------------- */

/* The text of all findings of a level. */
static const char *
findings(const char *level)
{
	static char all[sizeof(producer->value)];
	char *line, *saved;

	producer->answered = false;
	broker_examine(producer->broker, party_on_report, producer);
	UNTIL(&w, producer->answered);
	ck_assert_int_eq(producer->err.code, ERR_NONE);
	all[0] = '\0';
	line = strtok_r(producer->value, "\n", &saved);
	for (; line != NULL; line = strtok_r(NULL, "\n", &saved))
		if (strncmp(line, level, strlen(level)) == 0)
			strcat(all, line);
	return all;
}

static void
run(const char *command)
{
	setenv("FILE", stage_path(&w), 1);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(an_examination_finds_nothing_wrong_with_a_sound_file)
{
	open_scene();
	ck_assert_str_eq(findings("error"), "");
	submit("1", 0, 0);
	ck_assert_str_eq(findings("error"), "");
	stage_linger(&w, 1200); /* the log is moved into the file */
	ck_assert_str_eq(findings("error"), "");
	close_scene();
}
END_TEST

START_TEST(an_examination_finds_files_that_are_open_to_others)
{
	open_scene();
	run("chmod 644 \"$FILE\"");
	ck_assert_ptr_nonnull(strstr(findings("warning"), "chmod 600"));
	run("chmod 666 \"$FILE\"");
	ck_assert_ptr_nonnull(strstr(findings("error"), "chmod 600"));
	run("chmod 600 \"$FILE\"; chmod 777 \"${FILE%/*}\"");
	ck_assert_ptr_nonnull(strstr(findings("error"), "chmod go-w"));
	close_scene();
}
END_TEST

START_TEST(an_examination_finds_files_of_another_user)
{
	if (geteuid() != 0)
		return; /* only root can make them */
	open_scene();
	run("chown 65534 \"$FILE-wal\" \"$FILE-wake\"");
	ck_assert_ptr_nonnull(strstr(findings("error"), "-wal belongs to"));
	ck_assert_ptr_nonnull(strstr(findings("error"), "-wake belongs to"));
	ck_assert_ptr_nonnull(strstr(findings("error"), "chown -R 0"));
	close_scene();
}
END_TEST

START_TEST(an_examination_finds_a_file_that_is_damaged)
{
	open_scene();
	submit("1", 0, 0);
	/* By another process: to close it here would drop SQLite's locks. */
	run("printf Rubbish | dd of=\"$FILE\" conv=notrunc status=none");
	ck_assert_ptr_nonnull(strstr(findings("error"), "damaged"));
	close_scene();
}
END_TEST

/* What it would find is about a file that others no longer see. */
START_TEST(a_file_that_was_replaced_is_not_examined_but_named)
{
	open_scene();
	submit("1", 0, 0);
	run("cp \"$FILE\" \"$FILE.new\" && mv \"$FILE.new\" \"$FILE\"");
	producer->answered = false;
	broker_examine(producer->broker, party_on_report, producer);
	UNTIL(&w, producer->answered);
	ck_assert_int_eq(producer->err.code, ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "replaced"));
	close_scene();
}
END_TEST

/* A process of another name that has begun to write and does not go on. */
static pid_t
hold_lock(void)
{
	sqlite3 *db;
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "hol\033der");
		if (sqlite3_open(stage_path(&w), &db) == SQLITE_OK &&
		    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
			SQLITE_OK &&
		    write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_gt(pid, 0);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static enum err_code
try_store(void)
{
	producer->answered = false;
	broker_try(producer->broker, party_on_value, producer);
	UNTIL(&w, producer->answered);
	return producer->err.code;
}

START_TEST(who_holds_the_lock_is_named_and_questions_are_answered_meanwhile)
{
	char holder[64];
	pid_t pid;

	open_scene();
	submit("1", 0, 0);
	ck_assert_int_eq(try_store(), ERR_NONE);
	pid = hold_lock();
	ck_assert_int_eq(try_store(), ERR_UNAVAILABLE);
	snprintf(holder, sizeof(holder), "process %d (hol?der) has held",
		 (int)pid);
	ck_assert_msg(strstr(producer->err.msg, holder) != NULL, "%s",
		      producer->err.msg);
	ck_assert_str_eq(findings("error"), "");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(try_store(), ERR_NONE);
	close_scene();
}
END_TEST

START_TEST(an_examination_finds_a_clock_that_was_set_back)
{
	open_scene();
	broker_heartbeat(worker->broker, SLICE("{}"));
	stage_linger(&w, 50);
	ck_assert_ptr_null(strstr(findings("warning"), "set back"));
	stage_sql(&w, "UPDATE workers SET expires = expires + 60000");
	ck_assert_ptr_nonnull(strstr(findings("warning"), "set back"));
	close_scene();
}
END_TEST

SUITE("operate-sqlite-only")
{
	TEST(a_task_is_found_by_its_record_wherever_it_waits);
	TEST(a_task_that_moved_is_found_by_its_record);
	TEST(what_does_not_wait_is_known_at_once);
	TEST(a_task_of_the_dead_list_that_runs_again_is_found_by_its_record);
	TEST(one_that_dies_again_is_in_the_dead_list_and_counted_once);
	TEST(a_worker_that_was_killed_is_known_to_be_dead_at_once);
	TEST(names_in_the_file_may_be_longer_than_any_of_ours);
	TEST(an_examination_finds_nothing_wrong_with_a_sound_file);
	TEST(an_examination_finds_files_that_are_open_to_others);
	TEST(an_examination_finds_files_of_another_user);
	TEST(an_examination_finds_a_file_that_is_damaged);
	TEST(a_file_that_was_replaced_is_not_examined_but_named);
	TEST(who_holds_the_lock_is_named_and_questions_are_answered_meanwhile);
	TEST(an_examination_finds_a_clock_that_was_set_back);
}
