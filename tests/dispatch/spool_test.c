/* SPDX-License-Identifier: MIT */
/* Finished work that the backend cannot take: in memory, and on disk. */
#include "dispatch/spool_file.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dispatch/worker.h"
#include "suite.h"

/* Records that a spool had when it was opened: "id=record; " of each. */
static struct buf found;

static bool
on_found(struct slice id, struct slice record, void *arg)
{
	buf_addf(&found, "%.*s=%.*s; ", (int)id.len, id.p, (int)record.len,
		 record.p);
	return true;
}

static const char *
spool_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/spool-%d", (int)getpid());
	return path;
}

static struct spool_file *
open_at(const char *path)
{
	struct spool_file *s;
	struct err err;

	buf_done(&found);
	s = spool_file_open(path, on_found, NULL, &err);
	ck_assert_msg(s != NULL, "%s", err.msg);
	buf_addc(&found, '\0');
	return s;
}

/* What the file at `path` holds. */
static const char *
content_of(const char *path)
{
	spool_file_close(open_at(path));
	return found.data;
}

static void
put(struct spool_file *s, const char *id, const char *record)
{
	spool_file_put(s, slice_of(id), slice_of(record));
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* The spool's thread has its turn. An assertion in a loop would fill the file
 * that Check writes each of them to. */
static void
wait_on(int64_t until)
{
	if (clock_mono_ms() > until)
		ck_abort_msg("not within 10 s; the log: %s", worker_log());
	sched_yield();
}

/* Waits until what was put, or cleared, has come to the disk. */
static void
wait_for_size(const char *path, bool empty)
{
	const int64_t until = clock_mono_ms() + 10000;

	while ((size_of(path) == 0) != empty)
		wait_on(until);
}

/* A spool with two records of ten bytes each behind their frames. */
static off_t
make_two(void)
{
	struct spool_file *s = open_at(spool_path());

	put(s, "id1", "record1");
	put(s, "id2", "record2");
	spool_file_close(s);
	return size_of(spool_path()) / 2;
}

/* --- the file ---------------------------------------------------------- */

START_TEST(records_are_there_when_the_file_is_opened_again)
{
	make_two();
	ck_assert_str_eq(content_of(spool_path()),
			 "id1=record1; id2=record2; ");
	unlink(spool_path());
}
END_TEST

START_TEST(records_are_added_behind_those_of_before)
{
	struct spool_file *s;

	make_two();
	s = open_at(spool_path());
	ck_assert(spool_file_used(s));
	put(s, "id3", "");
	spool_file_close(s);
	ck_assert_str_eq(content_of(spool_path()),
			 "id1=record1; id2=record2; id3=; ");
	unlink(spool_path());
}
END_TEST

START_TEST(a_file_that_was_cleared_is_empty)
{
	struct spool_file *s;

	make_two();
	s = open_at(spool_path());
	spool_file_clear(s);
	ck_assert(!spool_file_used(s));
	wait_for_size(spool_path(), true);
	put(s, "id3", "record3");
	ck_assert(spool_file_used(s));
	spool_file_close(s);
	ck_assert_str_eq(content_of(spool_path()), "id3=record3; ");
	unlink(spool_path());
}
END_TEST

START_TEST(a_file_without_records_is_not_used)
{
	struct spool_file *s = open_at(spool_path());
	struct stat st;

	ck_assert(!spool_file_used(s));
	ck_assert_int_eq(stat(spool_path(), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	spool_file_close(s);
	spool_file_close(NULL);
	unlink(spool_path());
}
END_TEST

START_TEST(a_last_record_that_is_cut_short_is_left_out)
{
	const off_t size = make_two();

	ck_assert_int_eq(truncate(spool_path(), 2 * size - 1), 0);
	ck_assert_str_eq(content_of(spool_path()), "id1=record1; ");
	/* Not even its frame is whole. */
	unlink(spool_path());
	make_two();
	ck_assert_int_eq(truncate(spool_path(), size + 3), 0);
	ck_assert_str_eq(content_of(spool_path()), "id1=record1; ");
	unlink(spool_path());
}
END_TEST

START_TEST(new_records_take_the_place_of_one_that_was_cut_short)
{
	const off_t size = make_two();
	struct spool_file *s;

	ck_assert_int_eq(truncate(spool_path(), 2 * size - 1), 0);
	s = open_at(spool_path());
	put(s, "id3", "record3");
	spool_file_close(s);
	ck_assert_str_eq(content_of(spool_path()),
			 "id1=record1; id3=record3; ");
	unlink(spool_path());
}
END_TEST

START_TEST(a_spool_is_not_read_through_a_link)
{
	char link[80];
	struct err err;

	make_two();
	snprintf(link, sizeof(link), "%s.link", spool_path());
	ck_assert_int_eq(symlink(spool_path(), link), 0);
	ck_assert_ptr_null(spool_file_open(link, on_found, NULL, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	unlink(link);
	unlink(spool_path());
}
END_TEST

/* One worker's spool becomes a part of another's. */
START_TEST(the_whole_records_of_another_spool_are_added)
{
	char other[80];
	struct spool_file *s;
	struct err err;

	snprintf(other, sizeof(other), "%s-other", spool_path());
	s = open_at(other);
	put(s, "a", "1");
	put(s, "b", "22");
	spool_file_close(s);
	/* The last one is cut short in both. */
	ck_assert_int_eq(truncate(other, size_of(other) - 1), 0);
	s = open_at(spool_path());
	put(s, "c", "333");
	put(s, "d", "4444");
	spool_file_close(s);
	ck_assert_int_eq(truncate(spool_path(), size_of(spool_path()) - 2), 0);
	ck_assert_int_eq(spool_file_adopt(spool_path(), other, &err), 0);
	ck_assert_str_eq(content_of(spool_path()), "c=333; a=1; ");
	ck_assert_str_eq(content_of(other), "a=1; ");
	/* Once more says too much, and no less. */
	ck_assert_int_eq(spool_file_adopt(spool_path(), other, &err), 0);
	ck_assert_str_eq(content_of(spool_path()), "c=333; a=1; a=1; ");
	unlink(other);
	ck_assert_int_eq(spool_file_adopt(spool_path(), other, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, other));
	unlink(spool_path());
}
END_TEST

START_TEST(a_directory_is_not_a_spool)
{
	struct err err;

	ck_assert_ptr_null(spool_file_open("/tmp", on_found, NULL, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
}
END_TEST

/* --- a disk that is full ----------------------------------------------- */

/* Files may not be longer than this: writes fail as on a full disk. To be
 * lifted before the test ends, since Check writes to a file as well. */
static void
limit_files(rlim_t bytes)
{
	const struct rlimit limit = {.rlim_cur = bytes,
				     .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
wait_for_log(const char *text)
{
	const int64_t until = clock_mono_ms() + 10000;

	while (strstr(worker_log(), text) == NULL)
		wait_on(until);
}

/* A record that is larger than FILE_MAX, which the log is not. */
#define FILE_MAX (256 << 10)
static void
put_large(struct spool_file *s, const char *id)
{
	static char record[2 * FILE_MAX];

	memset(record, 'x', sizeof(record));
	spool_file_put(s, slice_of(id), (struct slice){record, sizeof(record)});
}

START_TEST(records_wait_in_memory_until_the_disk_has_space)
{
	struct spool_file *s = open_at(spool_path());

	worker_log_begin();
	put(s, "id1", "record1");
	wait_for_size(spool_path(), false);
	limit_files(FILE_MAX);
	put_large(s, "id2");
	wait_for_log("results wait in memory until there is space");
	put(s, "id3", "record3");
	limit_files(RLIM_INFINITY);
	spool_file_close(s);
	content_of(spool_path());
	ck_in(found, "id1=record1; id2=xxx");
	ck_in(found, "xxx; id3=record3; ");
	unlink(spool_path());
}
END_TEST

START_TEST(a_full_disk_is_complained_about_once)
{
	struct spool_file *s = open_at(spool_path());

	worker_log_begin();
	limit_files(FILE_MAX);
	put_large(s, "id1");
	wait_for_log("results wait");
	/* It tries once more before it ends. */
	spool_file_close(s);
	ck_assert_ptr_null(
	    strstr(strstr(worker_log(), "results wait") + 1, "results wait"));
	limit_files(RLIM_INFINITY);
	ck_assert_str_eq(content_of(spool_path()), "");
	unlink(spool_path());
}
END_TEST

START_TEST(what_the_backend_has_need_not_wait_for_the_disk)
{
	struct spool_file *s = open_at(spool_path());

	worker_log_begin();
	limit_files(FILE_MAX);
	put_large(s, "id1");
	wait_for_log("results wait");
	spool_file_clear(s);
	wait_for_size(spool_path(), true);
	put(s, "id2", "record2");
	limit_files(RLIM_INFINITY);
	spool_file_close(s);
	ck_assert_str_eq(content_of(spool_path()), "id2=record2; ");
	unlink(spool_path());
}
END_TEST

/* --- of a worker ------------------------------------------------------- */

/* A worker whose backend has been out of reach for long, with one record. */
static struct worker *
begin_outage(void)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	fake_results_reach(&w->store, false);
	ck_assert(evtimer_pending(w->dispatch->outage, NULL));
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	ck_assert_int_eq(size_of(w->spool), 0);
	worker_due(w, w->dispatch->outage);
	wait_for_size(w->spool, false);
	return w;
}

START_TEST(a_final_record_is_on_disk_when_the_backend_is_away_for_long)
{
	struct worker *w = begin_outage();

	content_of(w->spool);
	ck_in(found, "t1={");
	ck_in(found, "\"status\":\"success\"");
	worker_end(w);
}
END_TEST

START_TEST(a_record_that_comes_during_an_outage_goes_to_the_disk_as_well)
{
	struct worker *w = begin_outage();
	const off_t size = size_of(w->spool);

	STEPS(w, "job", ",\"max_retries\":0", "failed=oh");
	WAIT_FOR(w, "failed");
	FAKE_WAIT(&w->store, size_of(w->spool) > size);
	content_of(w->spool);
	ck_in(found, "t2={");
	worker_end(w);
}
END_TEST

START_TEST(what_is_not_final_is_not_worth_the_disk)
{
	struct worker *w = begin_outage();
	const off_t size = size_of(w->spool);

	STEPS(w, "job", ",\"max_retries\":1", "failed=oh");
	WAIT_FOR(w, "retrying");
	STEPS(w, "job", "", "done=3");
	FAKE_WAIT(&w->store, worker_count(w, "success") == 2);
	/* To read it while it is written would cut what is half there. */
	FAKE_WAIT(&w->store, size_of(w->spool) > size);
	content_of(w->spool);
	ck_in(found, "t3={");
	ck_not_in(found, "t2=");
	worker_end(w);
}
END_TEST

START_TEST(the_spool_is_emptied_when_the_backend_has_all)
{
	struct worker *w = begin_outage();

	fake_results_reach(&w->store, false); /* still */
	fake_results_reach(&w->store, true);
	worker_settle(w);
	ck_assert(spool_file_used(w->dispatch->spool));
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	FAKE_WAIT(&w->store, size_of(w->spool) == 0);
	worker_end(w);
}
END_TEST

START_TEST(a_short_outage_is_not_worth_the_disk)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	fake_results_reach(&w->store, false);
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	fake_results_reach(&w->store, true);
	ck_assert(!evtimer_pending(w->dispatch->outage, NULL));
	ck_assert(!spool_file_used(w->dispatch->spool));
	worker_end(w);
}
END_TEST

START_TEST(all_goes_to_the_disk_when_the_backend_refuses)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	fake_results_refuse(&w->store);
	fake_results_refuse(&w->store);
	FAKE_WAIT(&w->store, w->stopped);
	dispatch_free(w->dispatch);
	w->dispatch = NULL;
	content_of(w->spool);
	ck_in(found, "t1={");
	worker_end(w);
}
END_TEST

/* Leaves records at the path that the next worker will use. */
static void
leave_records(void)
{
	char path[64];
	struct spool_file *s;

	snprintf(path, sizeof(path), "/tmp/dispatch-%d.spool", (int)getpid());
	s = open_at(path);
	put(s, "a", "{\"task_id\":\"a\",\"status\":\"success\"}");
	put(s, "b", "{\"task_id\":\"b\",\"status\":\"failed\"}");
	spool_file_close(s);
}

START_TEST(what_an_earlier_process_left_is_delivered_first)
{
	struct worker *w;

	leave_records();
	w = worker_open(&(struct worker_setup){0});
	ck_journal(w, "success; failed; ");
	ck_assert(w->store.last_put.final && w->store.last_put.failed);
	ck_assert_int_gt(w->store.last_put.ttl_s, 0);
	worker_up(w);
	FAKE_WAIT(&w->store, size_of(w->spool) == 0);
	worker_end(w);
}
END_TEST

START_TEST(what_an_earlier_process_left_stays_until_the_backend_has_it)
{
	struct worker *w;

	leave_records();
	w = worker_open(&(struct worker_setup){0});
	w->store.hold_records = true;
	worker_up(w);
	STEPS(w, "job", "", "started");
	FAKE_WAIT(&w->store, worker_job(w)->started_us != 0);
	ck_assert(spool_file_used(w->dispatch->spool));
	ck_assert_int_gt(size_of(w->spool), 0);
	w->store.hold_records = false;
	FAKE_WAIT(&w->store, size_of(w->spool) == 0);
	worker_end(w);
}
END_TEST

SUITE("dispatch-spool")
{
	TEST(records_are_there_when_the_file_is_opened_again);
	TEST(records_are_added_behind_those_of_before);
	TEST(a_file_that_was_cleared_is_empty);
	TEST(a_file_without_records_is_not_used);
	TEST(a_last_record_that_is_cut_short_is_left_out);
	TEST(new_records_take_the_place_of_one_that_was_cut_short);
	TEST(a_spool_is_not_read_through_a_link);
	TEST(the_whole_records_of_another_spool_are_added);
	TEST(a_directory_is_not_a_spool);
	TEST(records_wait_in_memory_until_the_disk_has_space);
	TEST(a_full_disk_is_complained_about_once);
	TEST(what_the_backend_has_need_not_wait_for_the_disk);
	TEST(a_final_record_is_on_disk_when_the_backend_is_away_for_long);
	TEST(a_record_that_comes_during_an_outage_goes_to_the_disk_as_well);
	TEST(what_is_not_final_is_not_worth_the_disk);
	TEST(the_spool_is_emptied_when_the_backend_has_all);
	TEST(a_short_outage_is_not_worth_the_disk);
	TEST(all_goes_to_the_disk_when_the_backend_refuses);
	TEST(what_an_earlier_process_left_is_delivered_first);
	TEST(what_an_earlier_process_left_stays_until_the_backend_has_it);
}
