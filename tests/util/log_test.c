/* SPDX-License-Identifier: MIT */
/* Tests of the log: what arrives on standard error. */
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "util/clock.h"
#include "util/err.h"

#include "suite.h"

#define HEAD "1970-01-01T00:00:01.000000+00:00 prog "

static int captured = -1;

static int64_t
second_one(void)
{
	return 1000000;
}

/* Leads standard error into a file without a name. */
static void
capture(void)
{
	static const struct clock_source fixed = {.wall_us = second_one};
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	captured = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3);
	fclose(file);
	ck_assert_int_ne(captured, -1);
	ck_assert_int_eq(dup2(captured, STDERR_FILENO), STDERR_FILENO);
	clock_replace(&fixed);
	unsetenv("JOURNAL_STREAM");
	log_init("prog");
}

static const char *
logged(void)
{
	static char text[1 << 20];
	ssize_t n = pread(captured, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

/* Says that standard error is the journal; `off` is added to the inode. */
static void
announce_journal(unsigned int off)
{
	char stream[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + off);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("prog");
}

START_TEST(a_line_has_time_program_and_level)
{
	capture();
	log_warning("%d things", 3);
	log_error("more");
	ck_assert_str_eq(logged(),
			 HEAD "warning: 3 things\n" HEAD "error: more\n");
}
END_TEST

START_TEST(under_systemd_a_line_has_its_priority)
{
	capture();
	announce_journal(0);
	log_error("e");
	log_warning("w");
	log_notice("n");
	log_set_level(LOG_LEVEL_debug);
	log_info("i");
	log_debug("d");
	ck_assert_str_eq(logged(), "<3>e\n<4>w\n<5>n\n<6>i\n<7>d\n");
}
END_TEST

START_TEST(a_redirected_stderr_is_not_the_journal)
{
	capture();
	announce_journal(1);
	log_notice("n");
	ck_assert_str_eq(logged(), HEAD "notice: n\n");
}
END_TEST

START_TEST(a_malformed_journal_stream_is_ignored)
{
	static const char *const streams[] = {"", "x", "1", "1:", "1:2x", ":"};
	size_t i;

	capture();
	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		setenv("JOURNAL_STREAM", streams[i], 1);
		log_init("prog");
		ck_assert_int_eq(ftruncate(captured, 0), 0);
		ck_assert_int_eq(lseek(captured, 0, SEEK_SET), 0);
		log_notice("n");
		ck_assert_str_eq(logged(), HEAD "notice: n\n");
	}
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
	capture();
	log_info("dropped by default");
	ck_assert(!log_enabled(LOG_LEVEL_info));
	ck_assert(log_enabled(LOG_LEVEL_notice));
	log_set_level(LOG_LEVEL_error);
	log_warning("dropped");
	log_error("printed");
	ck_assert_str_eq(logged(), HEAD "error: printed\n");
}
END_TEST

static int evaluated;

static int
evaluate(void)
{
	return ++evaluated;
}

START_TEST(a_dropped_debug_line_costs_nothing)
{
	capture();
	log_debug("%d", evaluate());
	ck_assert_int_eq(evaluated, 0);
}
END_TEST

START_TEST(control_characters_cannot_forge_a_line)
{
	capture();
	announce_journal(0);
	log_notice("a\n<0>b\r\t\x1b[2J\x7f\xc2\x85z\xe2\x80\xae.");
	log_notice("%s", "\xc3\xa9\xe2\x82\xac \\n");
	ck_assert_str_eq(logged(),
			 "<5>a\\x0a<0>b\\x0d\\x09\\x1b[2J\\x7f\\xc2\\x85z"
			 "\\xe2\\x80\\xae.\n"
			 "<5>\xc3\xa9\xe2\x82\xac \\n\n");
}
END_TEST

START_TEST(a_long_line_is_printed_whole)
{
	static char text[100001];

	memset(text, 'x', sizeof(text) - 1);
	capture();
	announce_journal(0);
	log_notice("%s", text);
	ck_assert_uint_eq(strlen(logged()), sizeof(text) - 1 + 4);
}
END_TEST

START_TEST(logging_leaves_errno_alone)
{
	capture();
	close(STDERR_FILENO);
	errno = ENOSPC;
	log_error("into the void");
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(bytes_that_are_no_character_are_told)
{
	capture();
	announce_journal(0);
	log_notice("%s", "a\xff\xc3\xa9\xe2\x82");
	ck_assert_str_eq(logged(), "<5>a\\xff\xc3\xa9\\xe2\\x82\n");
}
END_TEST

/* --- what a line is about ------------------------------------------------ */

static const struct log_subject about_a_task = {
    .task_id = "t-1", .task_name = "add", .queue = "io", .attempt = 2};

START_TEST(text_does_not_repeat_what_it_is_about)
{
	capture();
	log_set_worker("host:1");
	log_about(LOG_LEVEL_notice, &about_a_task, "task %s failed", "t-1");
	ck_assert_str_eq(logged(), HEAD "notice: task t-1 failed\n");
}
END_TEST

START_TEST(a_line_of_json_has_its_fields)
{
	capture();
	log_set_format(LOG_FORMAT_json);
	log_notice("plain");
	log_set_worker("host:1");
	log_about(LOG_LEVEL_warning, &about_a_task, "\"a\"\n\\ %d", 5);
	log_about(LOG_LEVEL_info, &about_a_task, "above the level");
	ck_assert_str_eq(
	    logged(),
	    "{\"time\":\"1970-01-01T00:00:01.000000+00:00\","
	    "\"level\":\"notice\",\"program\":\"prog\","
	    "\"message\":\"plain\"}\n"
	    "{\"time\":\"1970-01-01T00:00:01.000000+00:00\","
	    "\"level\":\"warning\",\"program\":\"prog\","
	    "\"message\":\"\\\"a\\\"\\\\x0a\\\\ 5\","
	    "\"worker\":\"host:1\",\"task_id\":\"t-1\","
	    "\"task_name\":\"add\",\"queue\":\"io\",\"attempt\":2}\n");
}
END_TEST

START_TEST(json_is_json_whatever_it_is_about)
{
	static const char nasty[] =
	    "\"\\\n\x01\xc2\x85\xff\xed\xa0\x80\xc3\xa9";
	const struct log_subject about = {.schedule = nasty};
	json_t *line;

	capture();
	log_set_format(LOG_FORMAT_json);
	log_about(LOG_LEVEL_error, &about, "%s", nasty);
	line = json_loads(logged(), 0, NULL);
	ck_assert_msg(line != NULL, "no JSON: %s", logged());
	ck_assert_str_eq(
	    json_string_value(json_object_get(line, "message")),
	    "\"\\\\x0a\\x01\\xc2\\x85\\xff\\xed\\xa0\\x80\xc3\xa9");
	ck_assert(json_equal(json_object_get(line, "message"),
			     json_object_get(line, "schedule")));
	json_decref(line);
}
END_TEST

START_TEST(json_in_the_journal_keeps_its_priority)
{
	capture();
	announce_journal(0);
	log_set_format(LOG_FORMAT_json);
	log_error("e");
	ck_assert_int_eq(strncmp(logged(), "<3>{\"time\":", 11), 0);
}
END_TEST

static struct log_entry sent;
static int n_sent, send_status;

static int
send_entry(const struct log_entry *entry)
{
	sent = *entry;
	n_sent++;
	ck_assert_str_eq(entry->message, "about");
	return send_status;
}

START_TEST(the_journal_gets_the_fields_of_lines_about_something)
{
	capture();
	announce_journal(0);
	log_set_journal(send_entry);
	log_about(LOG_LEVEL_warning, &about_a_task, "about");
	log_notice("about nothing");
	ck_assert_str_eq(logged(), "<5>about nothing\n");
	ck_assert_int_eq(n_sent, 1);
	ck_assert_int_eq(sent.priority, 4);
	ck_assert_str_eq(sent.program, "prog");
	ck_assert_ptr_null(sent.fields[LOG_FIELD_worker]);
	ck_assert_str_eq(sent.fields[LOG_FIELD_task_id], "t-1");
	ck_assert_str_eq(log_field_name(LOG_FIELD_task_id), "task_id");
}
END_TEST

START_TEST(what_the_journal_does_not_take_is_printed)
{
	capture();
	announce_journal(0);
	log_set_journal(send_entry);
	send_status = -1;
	log_about(LOG_LEVEL_warning, &about_a_task, "about");
	ck_assert_str_eq(logged(), "<4>about\n");
	/* Where standard error is not the journal, it is not asked. */
	announce_journal(1);
	log_about(LOG_LEVEL_warning, &about_a_task, "about");
	ck_assert_int_eq(n_sent, 1);
}
END_TEST

static void *
write_lines(void *letter)
{
	int i;

	for (i = 0; i < 200; i++)
		log_notice("%s%s%s%s", (char *)letter, (char *)letter,
			   (char *)letter, (char *)letter);
	return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
	static char letters[][10] = {"aaaaaaaaa", "bbbbbbbbb", "ccccccccc"};
	const char *line;
	pthread_t threads[3];
	size_t i, n;

	capture();
	announce_journal(0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, write_lines, letters[i]),
		    0);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	line = logged();
	for (n = 0; *line != '\0'; n++, line += 40) {
		char same[2] = {line[3], '\0'};

		ck_assert_int_eq(strncmp(line, "<5>", 3), 0);
		ck_assert_uint_eq(strspn(line + 3, same), 36);
		ck_assert_int_eq(line[39], '\n');
	}
	ck_assert_uint_eq(n, 600);
}
END_TEST

/* --- a reader that stops ------------------------------------------------- */

/* Leads standard error into a pipe that nobody reads; returns its other end. */
static int
capture_in_pipe(void)
{
	int ends[2];

	capture();
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

static void
start_log_thread(void)
{
	struct err err;

	ck_assert_msg(log_start_thread(&err) == 0, "%s", err.msg);
}

static void *
close_stderr_at_the_end(void *arg)
{
	log_stop_thread();
	close(STDERR_FILENO);
	return arg;
}

/* Counts the lines, and takes the last number of lost ones that is told. */
static unsigned long
count_lines(int fd, unsigned long *ret_lost)
{
	FILE *in = fdopen(fd, "r");
	unsigned long n = 0, lost;
	char *line = NULL;
	size_t size = 0;

	*ret_lost = 0;
	while (getline(&line, &size, in) > 0) {
		if (sscanf(line, HEAD "warning: %lu log lines are lost",
			   &lost) == 1)
			*ret_lost += lost;
		else
			n++;
	}
	free(line);
	fclose(in);
	return n;
}

START_TEST(a_reader_that_has_stopped_holds_nobody_up)
{
	const unsigned long total = 100000;
	const int fd = capture_in_pipe();
	unsigned long i, lost, n;
	pthread_t end;

	start_log_thread();
	/* More than the pipe and the queue hold: without a thread the first
	 * two thousand would never return. */
	for (i = 0; i < total; i++)
		log_notice("line %lu of a task that prints and prints", i);
	ck_assert_int_eq(
	    pthread_create(&end, NULL, close_stderr_at_the_end, NULL), 0);
	n = count_lines(fd, &lost);
	pthread_join(end, NULL);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_gt(n, 1000);
	ck_assert_uint_eq(n + lost, total);
}
END_TEST

START_TEST(an_end_does_not_wait_for_a_reader_for_ever)
{
	const int fd = capture_in_pipe();
	char page[4096];
	int i;

	memset(page, 'x', sizeof(page));
	start_log_thread();
	for (i = 0; i < 30; i++)
		log_notice("%.*s", (int)sizeof(page), page);
	log_stop_thread();
	close(fd);
}
END_TEST

START_TEST(a_thread_writes_all_lines_in_order)
{
	const char *line;
	int i;

	capture();
	announce_journal(0);
	start_log_thread();
	for (i = 100; i < 1000; i++)
		log_notice("%d", i);
	log_stop_thread();
	line = logged();
	for (i = 100; i < 1000; i++, line += 7)
		ck_assert_int_eq((int)strtol(line + 3, NULL, 10), i);
	ck_assert_str_eq(line, "");
	log_notice("after the thread");
	ck_assert_str_eq(strrchr(logged(), '<'), "<5>after the thread\n");
}
END_TEST

START_TEST(levels_are_found_by_name)
{
	enum log_level level = LOG_LEVEL_info;

	ck_assert_int_eq(log_level_parse("debug", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_debug);
	ck_assert_int_eq(log_level_parse("error", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_error);
	ck_assert_int_eq(log_level_parse("loud", &level), -1);
	ck_assert_int_eq(log_level_parse("", &level), -1);
	ck_assert_int_eq(level, LOG_LEVEL_error);
}
END_TEST

SUITE("log")
{
	TEST(a_line_has_time_program_and_level);
	TEST(under_systemd_a_line_has_its_priority);
	TEST(a_redirected_stderr_is_not_the_journal);
	TEST(a_malformed_journal_stream_is_ignored);
	TEST(lines_above_the_level_are_dropped);
	TEST(a_dropped_debug_line_costs_nothing);
	TEST(control_characters_cannot_forge_a_line);
	TEST(bytes_that_are_no_character_are_told);
	TEST(text_does_not_repeat_what_it_is_about);
	TEST(a_line_of_json_has_its_fields);
	TEST(json_is_json_whatever_it_is_about);
	TEST(json_in_the_journal_keeps_its_priority);
	TEST(the_journal_gets_the_fields_of_lines_about_something);
	TEST(what_the_journal_does_not_take_is_printed);
	TEST(a_long_line_is_printed_whole);
	TEST(logging_leaves_errno_alone);
	TEST(lines_of_threads_do_not_mix);
	TEST(a_reader_that_has_stopped_holds_nobody_up);
	TEST(an_end_does_not_wait_for_a_reader_for_ever);
	TEST(a_thread_writes_all_lines_in_order);
	TEST(levels_are_found_by_name);
}
