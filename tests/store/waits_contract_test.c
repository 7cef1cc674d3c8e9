/* SPDX-License-Identifier: MIT */
/* Tasks that wait for others: when they go on, and when they are skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"

#define N_MANY 1200 /* more than one transaction does */

static struct stage w;
static struct party *worker;
static struct backend *results;

static void
begin(void)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	worker = party_open(&w, "host:a");
	results = backend_open(&w);
	broker_want(worker->broker, 0, 4000);
}

static void
end(void)
{
	backend_close(results);
	party_close(worker);
	stage_close(&w);
}

static const char *
bytes_of(const char *id)
{
	static char text[4][128];
	static unsigned int turn;
	char *p = text[turn++ % 4];

	snprintf(p, 128, "{\"id\":\"%s\",\"name\":\"n\"}", id);
	return p;
}

static enum err_code
submit_task(const char *id, const struct broker_after *after, size_t n,
	    int64_t delay_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(bytes_of(id)),
				     .record = SLICE("pending"),
				     .derived = true,
				     .exclusive = true,
				     .delay_ms = delay_ms,
				     .after = after,
				     .n_after = n};

	return party_submit_with(worker, &task);
}

/* Behind one, or with `other` behind two. */
static void
submit_after(const char *id, const char *after, const char *other,
	     enum broker_after_how how)
{
	const struct broker_after list[] = {
	    {slice_of(after), how},
	    {slice_of(other != NULL ? other : ""), how}};

	ck_assert_int_eq(submit_task(id, list, other != NULL ? 2 : 1, 0),
			 ERR_NONE);
}

static void
submit_plain(const char *id)
{
	ck_assert_int_eq(submit_task(id, NULL, 0, 0), ERR_NONE);
}

/* The claim of a task; 4096: it has none. */
static size_t
claim_of(const char *id)
{
	size_t i;

	for (i = 0; i < worker->n_claims; i++)
		if (worker->claims[i] != NULL &&
		    slice_eq(worker->claims[i]->bytes, slice_of(bytes_of(id))))
			return i;
	return 4096;
}

#define UNTIL_CLAIMED(id) UNTIL(&w, claim_of(id) < 4096)

/* Its worker ends it: the record, then the claim. */
static void
finish(const char *id, const char *status)
{
	char record[200];
	size_t i;

	UNTIL_CLAIMED(id);
	i = claim_of(id);
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"%s\"}", id, status);
	backend_put_of(&w, results, id, record, true, worker->claims[i]);
	party_settle(worker, i, BROKER_ACK);
	worker->claims[i] = NULL;
}

static void
ck_skipped(const char *id, const char *why)
{
	const char *record = backend_get(&w, results, id);

	ck_assert_msg(record != NULL, "no record of %s", id);
	ck_assert_msg(strstr(record, "\"status\":\"failed\"") != NULL &&
			  strstr(record, "\"reason\":\"skipped\"") != NULL &&
			  strstr(record, why) != NULL,
		      "%s", record);
	ck_assert_uint_eq(claim_of(id), 4096);
}

/* Whatever has become of them, nothing of it is left. */
static void
ck_nothing_waits(void)
{
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM waits"), 0);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM delayed"), 0);
	ck_assert_int_eq(stage_sql(&w, "SELECT size FROM queues"), 0);
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT count(*) FROM tasks WHERE number NOT IN "
			  "(SELECT number FROM inflight)"),
	    0);
}

/* --- going on ------------------------------------------------------------- */

static const struct {
	enum broker_after_how how;
	const char *status;
	bool runs;
} ways[] = {{BROKER_AFTER_SUCCESS, "success", true},
	    {BROKER_AFTER_SUCCESS, "failed", false},
	    {BROKER_AFTER_FAILURE, "success", false},
	    {BROKER_AFTER_FAILURE, "failed", true},
	    {BROKER_AFTER_COMPLETE, "success", true},
	    {BROKER_AFTER_COMPLETE, "failed", true}};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static void
ck_way(size_t i, const char *id)
{
	if (ways[i].runs)
		finish(id, "success");
	else
		ck_skipped(id, strcmp(ways[i].status, "failed") == 0
				   ? "task a failed, and this one runs after "
				     "its success"
				   : "task a succeeded, and this one runs "
				     "after its failure");
}

START_TEST(a_task_runs_after_the_end_that_it_waits_for)
{
	begin();
	submit_plain("a");
	submit_after("b", "a", NULL, ways[_i].how);
	submit_plain("c");
	/* It is nobody's until then. */
	UNTIL_CLAIMED("c");
	ck_assert_uint_eq(claim_of("b"), 4096);
	finish("a", ways[_i].status);
	ck_way((size_t)_i, "b");
	/* Of one that has ended already, it is known at once. */
	submit_after("d", "a", NULL, ways[_i].how);
	ck_way((size_t)_i, "d");
	ck_nothing_waits();
	end();
}
END_TEST

START_TEST(a_task_waits_for_all_and_then_for_its_delay)
{
	const struct broker_after after[] = {
	    {SLICE("a"), BROKER_AFTER_SUCCESS},
	    {SLICE("b"), BROKER_AFTER_COMPLETE}};

	begin();
	submit_plain("a");
	submit_plain("b");
	submit_after("c", "a", "b", BROKER_AFTER_SUCCESS);
	ck_assert_int_eq(submit_task("d", after, 2, 3600000), ERR_NONE);
	finish("a", "success");
	submit_plain("last");
	UNTIL_CLAIMED("last");
	ck_assert_uint_eq(claim_of("c"), 4096);
	finish("b", "success");
	finish("c", "success");
	/* An hour later: it is delayed now as others are. */
	ck_assert_int_eq(stage_sql(&w, "SELECT due < 253402300799999 FROM "
				       "delayed"),
			 1);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM waits"), 0);
	end();
}
END_TEST

/* --- not going on ---------------------------------------------------------- */

START_TEST(what_waits_for_a_skipped_one_is_skipped)
{
	char id[16], before[16] = "a";
	int i;

	begin();
	submit_plain("a");
	for (i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		submit_after(id, before, NULL, BROKER_AFTER_SUCCESS);
		memcpy(before, id, sizeof(id));
	}
	submit_after("f", before, NULL, BROKER_AFTER_FAILURE);
	submit_after("e", before, NULL, BROKER_AFTER_COMPLETE);
	finish("a", "failed");
	ck_skipped("c0", "task a failed");
	ck_skipped("c299", "task c298 was skipped");
	ck_skipped("f", "task c299 was skipped");
	finish("e", "success");
	ck_nothing_waits();
	end();
}
END_TEST

/* What is skipped counts as failed, and is where those are. */
START_TEST(those_who_wait_for_a_skipped_one_are_told)
{
	struct results_watch *watch;
	struct err err;

	begin();
	submit_plain("a");
	submit_after("b", "a", NULL, BROKER_AFTER_SUCCESS);
	results->answered = false;
	watch = results_watch(results->results, SLICE("b"), backend_on_record,
			      results, &err);
	ck_assert_ptr_nonnull(watch);
	UNTIL(&w, results->answered);
	finish("a", "failed");
	UNTIL(&w, strstr(results->record, "skipped") != NULL);
	results_unwatch(watch);
	ck_assert_int_eq(stage_sql(&w, "SELECT failed FROM totals"), 2);
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT count(*) FROM results WHERE expires > 0"), 2);
	end();
}
END_TEST

START_TEST(a_task_that_would_wait_for_nothing_is_refused)
{
	const struct broker_after after = {SLICE("nobody"),
					   BROKER_AFTER_SUCCESS},
				  own = {SLICE("b"), BROKER_AFTER_SUCCESS};

	begin();
	ck_assert_int_eq(submit_task("b", &after, 1, 0), ERR_NOT_FOUND);
	ck_assert_str_eq(worker->err.msg,
			 "no record of task nobody, which it is to wait for");
	ck_assert_int_eq(submit_task("b", &own, 1, 0), ERR_NOT_FOUND);
	ck_assert_ptr_null(backend_get(&w, results, "b"));
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM tasks"), 0);
	w.options.with_results = false;
	party_close(worker);
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(submit_task("b", &after, 1, 0), ERR_CONFIG);
	end();
}
END_TEST

START_TEST(redis_has_no_such_thing)
{
	const struct broker_after after = {SLICE("a"), BROKER_AFTER_SUCCESS};

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, NULL);
	ck_assert_int_eq(submit_task("b", &after, 1, 0), ERR_CONFIG);
	ck_assert_ptr_nonnull(
	    strstr(worker->err.msg, "only steps of a workflow wait"));
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* --- those who run it ------------------------------------------------------- */

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct party *p = arg;

	ck_assert_ptr_null(err);
	p->value[0] = '\0';
	if (page->n > 0)
		snprintf(p->value, sizeof(p->value), "%zu %d %.*s", page->n,
			 page->items[0].time_ms == BROKER_HELD_MS,
			 (int)page->items[0].info.len, page->items[0].info.p);
	p->answered = true;
}

START_TEST(what_a_task_waits_for_is_shown)
{
	const struct broker_view view = {
	    .queue = SLICE("io"), .place = BROKER_DELAYED, .n = 10};

	begin();
	submit_plain("a");
	submit_plain("b");
	submit_after("c", "b", "a", BROKER_AFTER_COMPLETE);
	worker->answered = false;
	broker_view(worker->broker, &view, on_page, worker);
	UNTIL(&w, worker->answered);
	ck_assert_str_eq(
	    worker->value,
	    "1 1 [{\"id\":\"a\",\"how\":2},{\"id\":\"b\",\"how\":2}]");
	/* It is due at no time. */
	worker->answered = false;
	broker_queues(worker->broker, SLICE("io"), party_on_queues, worker);
	UNTIL(&w, worker->answered);
	ck_assert_int_eq(worker->stats.delayed, 1);
	ck_assert_int_eq(worker->stats.next_due_us, 0);
	end();
}
END_TEST

/* Taken out, it leaves no row behind; and those behind it are skipped when its record
 * says what has become of it. */
START_TEST(one_that_is_taken_out_is_not_waited_for)
{
	begin();
	submit_plain("a");
	submit_after("b", "a", NULL, BROKER_AFTER_SUCCESS);
	submit_after("c", "b", NULL, BROKER_AFTER_SUCCESS);
	submit_after("h", "a", NULL, BROKER_AFTER_SUCCESS);
	worker->answered = false;
	broker_remove(worker->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, worker);
	UNTIL(&w, worker->answered);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM waits"), 2);
	backend_put(&w, results, "b",
		    "{\"task_id\":\"b\",\"status\":\"failed\"}", true, 0);
	ck_skipped("c", "task b failed");
	/* A person has it run at once. */
	worker->answered = false;
	broker_hasten(worker->broker, SLICE("io"), SLICE("h"),
		      (struct slice){NULL, 0}, on_page, worker);
	UNTIL(&w, worker->answered);
	finish("h", "success");
	finish("a", "success");
	ck_nothing_waits();
	end();
}
END_TEST

/* --- housekeeping ----------------------------------------------------------- */

static void
tidy(void)
{
	static const struct broker_limits limits = {.record_ttl_s = 60};

	broker_tidy(worker->broker, &limits);
}

#define TIDY_UNTIL(condition)                                                  \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			tidy();                                                \
			ck_assert_msg(stage_turn(&w, until_),                  \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)

/* What flowrractl doctor says. */
static void
ck_untold(bool told)
{
	worker->answered = false;
	broker_examine(worker->broker, party_on_report, worker);
	UNTIL(&w, worker->answered);
	ck_assert_int_eq(strstr(worker->value, "tasks wait for others") != NULL,
			 told);
}

START_TEST(what_waits_for_a_record_that_is_gone_is_skipped)
{
	begin();
	submit_plain("x");
	submit_after("y", "x", NULL, BROKER_AFTER_SUCCESS);
	submit_plain("a");
	submit_after("b", "a", NULL, BROKER_AFTER_COMPLETE);
	submit_after("c", "b", NULL, BROKER_AFTER_COMPLETE);
	ck_untold(false);
	stage_sql(&w, "DELETE FROM ids WHERE id = 'a'");
	ck_untold(true);
	TIDY_UNTIL(stage_sql(&w, "SELECT count(*) FROM waits") == 1);
	ck_skipped("b", "task a is gone, and its record with it");
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM results "
				       "WHERE id = 'b' AND expires > 0"),
			 1);
	finish("c", "success");
	/* The other one waits on. */
	ck_assert_uint_eq(claim_of("y"), 4096);
	finish("x", "success");
	finish("y", "success");
	ck_nothing_waits();
	end();
}
END_TEST

/* More than go on in one transaction: the rest follows at once. */
START_TEST(many_that_wait_for_one_all_go_on)
{
	const struct broker_after after = {SLICE("a"), ways[_i].how};
	struct broker_submit *tasks = calloc(N_MANY, sizeof(*tasks));
	char(*ids)[16] = calloc(N_MANY, 16), (*bytes)[64] = calloc(N_MANY, 64);
	size_t i;

	ck_assert(tasks != NULL && ids != NULL && bytes != NULL);
	begin();
	submit_plain("a");
	for (i = 0; i < N_MANY; i++) {
		snprintf(ids[i], 16, "t%zu", i);
		snprintf(bytes[i], 64, "{\"id\":\"t%zu\",\"name\":\"n\"}", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = slice_of(ids[i]),
						  .bytes = slice_of(bytes[i]),
						  .record = SLICE("pending"),
						  .derived = true,
						  .after = &after,
						  .n_after = 1};
	}
	party_submit_batch(worker, tasks, N_MANY);
	finish("a", ways[_i].status);
	if (ways[_i].runs)
		UNTIL(&w, worker->n_claims == N_MANY + 1);
	else
		UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM results "
					"WHERE final = 1") == N_MANY + 1);
	ck_nothing_waits();
	end();
	free(tasks);
	free(ids);
	free(bytes);
}
END_TEST

SUITE("waits")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_task_runs_after_the_end_that_it_waits_for, 0, N_WAYS);
	TEST(a_task_waits_for_all_and_then_for_its_delay);
	TEST(what_waits_for_a_skipped_one_is_skipped);
	TEST(those_who_wait_for_a_skipped_one_are_told);
	TEST(a_task_that_would_wait_for_nothing_is_refused);
	TEST(redis_has_no_such_thing);
	TEST(what_a_task_waits_for_is_shown);
	TEST(one_that_is_taken_out_is_not_waited_for);
	TEST(what_waits_for_a_record_that_is_gone_is_skipped);
	TEST_LOOP(many_that_wait_for_one_all_go_on, 0, 3);
}
