/* SPDX-License-Identifier: MIT */
/*
 * A Redis server that answers what it likes: each question is answered once, is
 * not asked for ever, and what is told of it is in range.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "redis/fake.h"
#include "store/admin.h"
#include "store/results.h"
#include "suite.h"
#include "util/clock.h"

/* A hostile answer to the commands that contain a text; all others are as of a
 * server with a queue "io" and 100 workers. */
static struct hostile {
	struct event_base *base;
	struct fake *fake;
	struct broker *broker;
	const char *to, *answer;
	int times; /* that it is hostile */
	int asked, level;
	bool up, told;
	struct err err;
	struct queue_stats queue;
	size_t n;
} h;

/* The state of a queue: what queue.lua tells. */
#define QUEUE_TELLS "*7\r\n:1\r\n:2\r\n:3\r\n:0\r\n:-1\r\n:4\r\n:0\r\n"

static void
hostile_workers(struct fake_peer *peer)
{
	char text[32];
	int i;

	fake_say(peer, "*2\r\n$1\r\n0\r\n*200\r\n");
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "$4\r\nw%03d\r\n$1\r\n1\r\n", i);
		fake_say(peer, text);
	}
}

static void
hostile_good(struct fake_peer *peer, const char *words)
{
	if (strncmp(words, "INFO", 4) == 0)
		fake_say(peer, "$20\r\nredis_version:7.0.15\r\n");
	else if (strncmp(words, "SSCAN", 5) == 0)
		fake_say(peer,
			 "*2\r\n$1\r\n0\r\n*2\r\n$2\r\nio\r\n$2\r\nio\r\n");
	else if (strncmp(words, "ZSCAN flowrra:workers", 21) == 0)
		hostile_workers(peer);
	else if (strstr(words, ":fence:") != NULL)
		fake_say(peer, "*1\r\n:5\r\n");
	else if (strncmp(words, "EVALSHA", 7) == 0)
		fake_say(peer, QUEUE_TELLS);
	else
		fake_say(peer, "+OK\r\n");
}

static void
hostile_on_command(struct fake_peer *peer, const char *words, void *arg)
{
	char level[64];

	if (fake_login(peer, words))
		return;
	if (h.to == NULL || strstr(words, h.to) == NULL) {
		hostile_good(peer, words);
		return;
	}
	if (h.asked++ >= h.times) {
		hostile_good(peer, words);
	} else if (h.answer != NULL) {
		fake_say(peer, h.answer);
	} else {
		/* A level that nobody can have known. */
		snprintf(level, sizeof(level), "*1\r\n*1\r\n$3\r\n%d\r\n",
			 100 + h.level++);
		fake_say(peer, level);
	}
}

static void
hostile_on_state(bool up, bool final, const struct err *why, void *arg)
{
	h.up = h.up || up;
}

static void
hostile_until(const bool *condition)
{
	const int64_t until = clock_mono_ms() + 10000;
	const struct timeval tick = {.tv_usec = 50000};

	while (!*condition) {
		ck_assert_int_lt(clock_mono_ms(), until);
		event_base_loopexit(h.base, &tick);
		event_base_dispatch(h.base);
	}
}

static void
hostile_open(const char *to, const char *answer, int times)
{
	struct broker_options options = {.queue_key = "flowrra:queue",
					 .timeout_ms = 5000,
					 .max_connections = 10,
					 .on_state = hostile_on_state};
	struct err err;

	h = (struct hostile){.to = to, .answer = answer, .times = times};
	h.base = event_base_new();
	h.fake = fake_new(h.base, hostile_on_command, NULL);
	options.base = h.base;
	options.url = fake_url(h.fake);
	h.broker = broker_open(&options, &err);
	ck_assert_msg(h.broker != NULL, "%s", err.msg);
	hostile_until(&h.up);
}

static void
hostile_close(void)
{
	broker_close(h.broker);
	fake_free(h.fake);
	event_base_free(h.base);
}

static void
hostile_note(size_t n, const struct err *err)
{
	ck_assert(!h.told);
	h.told = true;
	h.n = n;
	if (err != NULL)
		h.err = *err;
}

static void
on_hostile_queues(const struct queue_stats *queues, size_t n,
		  const struct err *err, void *arg)
{
	hostile_note(n, err);
	if (n > 0)
		h.queue = queues[0];
}

static void
on_hostile_workers(const struct worker_info *workers, size_t n,
		   const struct err *err, void *arg)
{
	size_t i;

	hostile_note(n, err);
	for (i = 0; i < n; i++)
		ck_assert(workers[i].in_flight >= 0);
}

static void
on_hostile_report(const struct broker_report *report, const struct err *err,
		  void *arg)
{
	hostile_note(0, err);
	if (report != NULL)
		ck_assert(report->clock_us >= 0 &&
			  report->clock_us <= BROKER_TIME_MAX_MS * 1000);
}

/* --- NOSCRIPT ------------------------------------------------------------ */

START_TEST(a_command_that_is_told_noscript_is_not_asked_again)
{
	hostile_open("SSCAN", "-NOSCRIPT no\r\n", 1);
	broker_workers(h.broker, on_hostile_workers, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(h.err.msg, "NOSCRIPT"));
	ck_assert_int_eq(h.asked, 1);
	hostile_close();
}
END_TEST

/* Both scripts of the phase are called again, and counted once. */
START_TEST(a_phase_that_is_asked_again_begins_again)
{
	hostile_open(":fence:", "-NOSCRIPT no\r\n", 1);
	broker_queues(h.broker, SLICE(""), on_hostile_queues, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_NONE);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_int_eq(h.queue.waiting, 1 + 4);
	/* Two calls of 50 workers, of which the server tells one each. */
	ck_assert_int_eq(h.queue.in_flight, 10);
	hostile_close();
}
END_TEST

START_TEST(a_server_that_has_no_script_ever_is_left)
{
	hostile_open("EVALSHA", "-NOSCRIPT no\r\n", 1000);
	broker_queues(h.broker, SLICE(""), on_hostile_queues, NULL);
	hostile_until(&h.told);
	ck_assert_ptr_nonnull(strstr(h.err.msg, "NOSCRIPT"));
	ck_assert_int_lt(h.asked, 20);
	hostile_close();
}
END_TEST

START_TEST(a_server_that_always_has_another_level_is_left)
{
	hostile_open("}:p:", NULL, 1000);
	h.to = ":paused";
	broker_queues(h.broker, SLICE("io"), on_hostile_queues, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_UNAVAILABLE);
	ck_assert_int_lt(h.asked, 20);
	hostile_close();
}
END_TEST

static void
on_hostile_page(const struct broker_page *page, const struct err *err,
		void *arg)
{
	char *next = arg;

	hostile_note(page != NULL ? page->n : 0, err);
	if (page != NULL)
		snprintf(next, 32, "%.*s", (int)page->next.len, page->next.p);
}

static const char *const no_pages[] = {"+OK\r\n", "*1\r\n:0\r\n"};

START_TEST(a_server_whose_pages_never_end_is_left)
{
	struct broker_view view = {
	    .queue = SLICE("io"), .place = BROKER_DELAYED, .n = 10};
	char next[32] = "";
	int pages = 0;

	hostile_open(":delayed", no_pages[_i], 1000);
	do {
		h.told = false;
		view.cursor = slice_of(next);
		broker_view(h.broker, &view, on_hostile_page, next);
		hostile_until(&h.told);
	} while (h.err.code == ERR_NONE && next[0] != '\0' && ++pages < 10);
	ck_assert_int_eq(h.err.code, ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(h.err.msg, "the same place again"));
	hostile_close();
}
END_TEST

/* --- numbers ------------------------------------------------------------- */

#define MAX ":9223372036854775807\r\n"
#define MIN ":-9223372036854775808\r\n"
static const char *const counts[] = {
    "*7\r\n" MAX MAX MAX MAX MAX MAX MAX,
    "*7\r\n" MIN MIN MIN MIN MIN MIN MIN,
    "*8\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:-1\r\n$3\r\nadd\r\n",
    "*8\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n" MAX "$3\r\nadd\r\n",
    "*0\r\n",
    ":1\r\n",
    "*-1\r\n",
};

START_TEST(what_a_queue_is_said_to_hold_is_in_range)
{
	hostile_open(":paused", counts[_i], 1);
	broker_queues(h.broker, SLICE("io"), on_hostile_queues, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_NONE);
	ck_assert(h.queue.waiting >= 0 && h.queue.delayed >= 0 &&
		  h.queue.dead >= 0 && h.queue.set_aside >= 0);
	ck_assert(h.queue.next_due_us >= 0);
	hostile_close();
}
END_TEST

START_TEST(sums_of_what_workers_hold_do_not_overflow)
{
	hostile_open(":fence:", "*3\r\n" MAX MAX MAX, 2);
	broker_workers(h.broker, on_hostile_workers, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_NONE);
	ck_assert_uint_eq(h.n, 100);
	hostile_close();
}
END_TEST

static const char *const clocks[] = {"*2\r\n" MAX MAX, "*2\r\n" MIN MIN,
				     "*0\r\n"};

START_TEST(a_clock_beyond_all_times_is_cut)
{
	hostile_open("TIME", clocks[_i], 1);
	broker_examine(h.broker, on_hostile_report, NULL);
	hostile_until(&h.told);
	hostile_close();
}
END_TEST

/* Rights that there are not, and of queues, about which records ask nothing. */
static void
on_hostile_findings(const struct results_finding *findings, size_t n,
		    const struct err *err, void *arg)
{
	size_t i;

	hostile_note(n, err);
	for (i = 0; i < n; i++)
		ck_assert(findings[i].what[0] != '\0');
}

START_TEST(a_right_that_was_not_asked_about_is_not_told_of)
{
	struct results_options options = {.timeout_ms = 5000,
					  .max_connections = 10,
					  .on_state = hostile_on_state};
	char answer[2048] = "*102\r\n" MAX MIN;
	struct results *r;
	struct err err;
	int i;

	for (i = 0; i < 100; i++)
		sprintf(answer + strlen(answer), ":%d\r\n", i);
	hostile_open("EVALSHA", answer, 1);
	options.base = h.base;
	options.url = fake_url(h.fake);
	h.up = false;
	r = results_open(&options, &err);
	hostile_until(&h.up);
	results_examine(r, on_hostile_findings, NULL);
	hostile_until(&h.told);
	ck_assert_int_eq(h.err.code, ERR_NONE);
	results_close(r);
	hostile_close();
}
END_TEST

/* --- closing ------------------------------------------------------------- */

static void
on_hostile_created(struct err *errs, size_t n, void *arg)
{
	ck_abort_msg("a store that was closed has called back");
}

static void
on_hostile_list(const struct slice *records, size_t n, struct slice next,
		const struct err *err, void *arg)
{
	ck_abort_msg("a store that was closed has called back");
}

/* Of these, the list of IDs has come, and the records have not: the sanitizer
 * looks for what is left. */
START_TEST(a_store_that_is_closed_takes_its_questions_along)
{
	static const struct slice ids[] = {SLICE("t1"), SLICE("t2")};
	struct results_options options = {.timeout_ms = 5000,
					  .max_connections = 10,
					  .on_state = hostile_on_state};
	struct results *r;
	struct err errs[2], err;
	bool asked = false;
	const struct timeval tick = {.tv_usec = 1000};
	const int64_t until = clock_mono_ms() + 10000;

	hostile_open("flowrra:done",
		     "*4\r\n$0\r\n\r\n:0\r\n$2\r\nt1\r\n$2\r\n"
		     "t2\r\n",
		     1);
	options.base = h.base;
	options.url = fake_url(h.fake);
	h.up = false;
	r = results_open(&options, &err);
	hostile_until(&h.up);
	h.to = "EVALSHA";
	h.times = 1;
	results_list(r, false, SLICE(""), 2, on_hostile_list, NULL);
	while (!asked) {
		ck_assert_int_lt(clock_mono_ms(), until);
		event_base_loopexit(h.base, &tick);
		event_base_loop(h.base, EVLOOP_ONCE);
		/* The second script is on its way to a server that is silent. */
		if (h.asked == 1)
			h.answer = "";
		h.times = 1000;
		asked = h.asked == 2;
	}
	results_create(r, ids, ids, errs, 2, on_hostile_created, NULL);
	results_close(r);
	hostile_close();
}
END_TEST

SUITE("redis-hostile")
{
	TEST(a_command_that_is_told_noscript_is_not_asked_again);
	TEST(a_phase_that_is_asked_again_begins_again);
	TEST(a_server_that_has_no_script_ever_is_left);
	TEST(a_server_that_always_has_another_level_is_left);
	TEST_LOOP(a_server_whose_pages_never_end_is_left, 0, 2);
	TEST_LOOP(what_a_queue_is_said_to_hold_is_in_range, 0,
		  sizeof(counts) / sizeof(counts[0]));
	TEST(sums_of_what_workers_hold_do_not_overflow);
	TEST_LOOP(a_clock_beyond_all_times_is_cut, 0,
		  sizeof(clocks) / sizeof(clocks[0]));
	TEST(a_right_that_was_not_asked_about_is_not_told_of);
	TEST(a_store_that_is_closed_takes_its_questions_along);
}
