/* SPDX-License-Identifier: MIT */
/* What broker.h promises, of every implementation. `_i` is the kind. */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

START_TEST(a_task_is_claimed_and_acknowledged_once)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(party_submit(producer, "1", "{\"id\":\"1\"}", 0, 0),
			 ERR_NONE);
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "{\"id\":\"1\"}"));
	ck_assert(!worker->claims[0]->recovered);
	ck_assert_uint_eq(worker->claims[0]->queue, 0);
	party_settle(worker, 0, BROKER_ACK);
	ck_assert_uint_eq(broker_unsettled(worker->broker), 0);
	party_close(worker);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(an_idle_worker_is_woken_by_a_submission)
{
	static const int32_t priorities[] = {0, 5, -5};
	struct party *producer, *worker;
	size_t i;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	for (i = 0; i < 3; i++) {
		stage_linger(&w, 100);
		ck_assert_uint_eq(worker->n_claims, i);
		party_submit(producer, "1", "{}", priorities[i], 0);
		UNTIL(&w, worker->n_claims == i + 1);
	}
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(no_more_is_claimed_than_is_wanted)
{
	struct party *producer, *worker;
	char bytes[32];
	int i;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	for (i = 0; i < 10; i++) {
		snprintf(bytes, sizeof(bytes), "{\"id\":\"%d\"}", i);
		party_submit(producer, "x", bytes, 0, 0);
	}
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 3);
	broker_want(worker->broker, 0, 7);
	UNTIL(&w, worker->n_claims == 10);
	for (i = 0; i < 10; i++) {
		snprintf(bytes, sizeof(bytes), "{\"id\":\"%d\"}", i);
		ck_assert(party_has(worker, (size_t)i, bytes));
	}
	broker_want(worker->broker, 0, 0);
	UNTIL(&w, broker_idle(worker->broker));
	party_submit(producer, "y", "{}", 0, 0);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 10);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_lower_number_runs_first_and_equals_in_their_order)
{
	static const char *const order[] = {"[0]", "[1]", "[2]",
					    "[3]", "[4]", "[5]"};
	struct party *producer, *worker;
	size_t i;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	party_submit(producer, "2", "[2]", 0, 0);
	party_submit(producer, "4", "[4]", 7, 0);
	party_submit(producer, "0", "[0]", -3, 0);
	party_submit(producer, "3", "[3]", 0, 0);
	party_submit(producer, "1", "[1]", -3, 0);
	party_submit(producer, "5", "[5]", 2000000000, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	UNTIL(&w, worker->n_claims == 6);
	for (i = 0; i < 6; i++)
		ck_assert_msg(party_has(worker, i, order[i]), "%zu: %.*s", i,
			      (int)worker->claims[i]->bytes.len,
			      worker->claims[i]->bytes.p);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_delayed_task_comes_when_it_is_due)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	party_submit(producer, "late", "[\"late\"]", 0, 600);
	party_submit(producer, "later", "[\"later\"]", 0, 1200);
	party_submit(producer, "now", "[\"now\"]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "[\"now\"]"));
	stage_linger(&w, 200);
	ck_assert_uint_eq(worker->n_claims, 1);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 1, "[\"late\"]"));
	ck_assert(party_has(worker, 2, "[\"later\"]"));
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_is_put_back_is_first_again)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	party_settle(worker, 0, BROKER_RELEASE);
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 1, "[1]"));
	ck_assert(party_has(worker, 2, "[2]"));
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_retry_comes_in_its_new_form)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	party_retry(worker, 0, "[1,\"again\"]", 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert(party_has(worker, 1, "[1,\"again\"]"));
	party_retry(worker, 1, "[1,\"later\"]", 300);
	broker_want(worker->broker, 0, 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 2);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 2, "[1,\"later\"]"));
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_is_buried_lies_in_the_dead_list)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	party_settle(worker, 0, BROKER_BURY);
	ck_assert_int_eq(stage_dead(&w), 1);
	broker_want(worker->broker, 0, 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* The claim of that many bytes; the worker has both ends of it. */
static size_t
large_claim(const struct party *p, size_t whole)
{
	size_t i;

	for (i = 0; i < p->n_claims; i++)
		if (p->claims[i] != NULL && p->claims[i]->whole == whole)
			return i;
	ck_abort_msg("there is no claim of %zu bytes", whole);
	return 0;
}

START_TEST(of_a_task_that_is_too_large_both_ends_are_read)
{
	struct party *producer, *worker;
	char large[1200], huge[20001];
	const struct broker_claim *claim;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	memcpy(huge, "begin", 5);
	memcpy(huge + sizeof(huge) - 4, "end", 3);
	/* Two, so that the idle worker's own way is not the only one. */
	party_submit(producer, "1", huge, 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	party_submit(producer, "3", large, 1, 0);
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 3);
	claim = worker->claims[large_claim(worker, 1199)];
	ck_assert_uint_eq(claim->bytes.len, 1198);
	claim = worker->claims[large_claim(worker, 20000)];
	ck_assert_uint_eq(claim->bytes.len, 2 * (size_t)BROKER_SAMPLE);
	ck_assert(memcmp(claim->bytes.p, "beginxxx", 8) == 0);
	ck_assert(memcmp(claim->bytes.p + claim->bytes.len - 6, "xxxend", 6) ==
		  0);
	ck_assert_int_eq(stage_dead(&w), 0);
	party_close(worker); /* as if it had died */
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 3);
	party_bury(worker, large_claim(worker, 20000), "1", "{}");
	ck_assert_int_eq(stage_dead(&w), 1);
	party_bury(worker, large_claim(worker, 1199), "", "{}");
	ck_assert_int_eq(stage_dead(&w), 2);
	ck_assert_int_eq(stage_dead_bytes(&w), 20000 + 1199);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* What no task is may have the id of a task that failed. */
START_TEST(a_salvaged_id_replaces_no_dead_task)
{
	struct broker_settle settle = {.disposition = BROKER_BURY,
				       .id = SLICE("1"),
				       .salvaged = true,
				       .info = SLICE("{}")};
	struct party *producer, *worker;
	size_t i;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[22]", 0, 0);
	party_submit(producer, "3", "[333]", 0, 0);
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	for (i = 0; i < 3; i++)
		party_settle_with(worker, i, &settle);
	ck_assert_int_eq(stage_dead(&w), 3);
	ck_assert_int_eq(stage_dead_bytes(&w), 3 + 4 + 5);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_was_in_flight_is_given_again_as_recovered)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 2);
	party_settle(worker, 0, BROKER_ACK);
	party_close(worker); /* as if it had died */
	party_submit(producer, "3", "[3]", 0, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert(party_has(worker, 0, "[2]"));
	ck_assert(worker->claims[0]->recovered);
	ck_assert(party_has(worker, 1, "[3]"));
	ck_assert(!worker->claims[1]->recovered);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(two_workers_share_a_queue_and_no_task)
{
	struct party *producer, *a, *b;
	char bytes[32];
	size_t i, j;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	a = party_open(&w, "host:a");
	b = party_open(&w, "host:b");
	for (i = 0; i < 40; i++) {
		snprintf(bytes, sizeof(bytes), "[%zu]", i);
		party_submit(producer, "x", bytes, 0, 0);
		broker_want(i % 2 ? a->broker : b->broker, 0, 3);
	}
	broker_want(a->broker, 0, 40);
	UNTIL(&w, a->n_claims + b->n_claims == 40);
	for (i = 0; i < a->n_claims; i++)
		for (j = 0; j < b->n_claims; j++)
			ck_assert(!slice_eq(a->claims[i]->bytes,
					    b->claims[j]->bytes));
	party_close(a);
	party_close(b);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_full_queue_refuses_and_has_room_again)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	w.options.max_queue_size = 3;
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(party_submit(producer, "1", "[1]", 0, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(producer, "2", "[2]", 4, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(producer, "3", "[3]", 0, 60000),
			 ERR_NONE);
	ck_assert_int_eq(party_submit(producer, "4", "[4]", 0, 0), ERR_FULL);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "max_queue_size"));
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert_int_eq(party_submit(producer, "4", "[4]", 0, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(producer, "5", "[5]", 0, 0), ERR_FULL);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_chosen_id_is_taken_once)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("mine"),
				     .bytes = SLICE("[1]"),
				     .record =
					 SLICE("{\"status\":\"pending\"}"),
				     .exclusive = true};
	struct party *producer, *worker;
	struct backend *results;

	stage_open(&w, _i);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	results = backend_open(&w);
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert_str_eq(backend_get(&w, results, "mine"),
			 "{\"status\":\"pending\"}");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "mine"));
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 1);
	party_close(worker);
	backend_close(results);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_refused_submission_leaves_no_record)
{
	struct broker_submit task = {
	    .queue = "io", .bytes = SLICE("[1]"), .record = SLICE("{}")};
	struct party *producer;
	struct backend *results;

	stage_open(&w, _i);
	w.options.with_results = true;
	w.options.max_queue_size = 1;
	producer = party_open(&w, NULL);
	results = backend_open(&w);
	task.id = SLICE("first");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	task.id = SLICE("second");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_FULL);
	ck_assert_ptr_nonnull(backend_get(&w, results, "first"));
	UNTIL(&w, backend_get(&w, results, "second") == NULL);
	backend_close(results);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(of_tasks_with_one_key_only_the_first_is_queued)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("first"),
				     .bytes = SLICE("[1]"),
				     .record = SLICE("{}"),
				     .unique = SLICE("fire-7"),
				     .unique_s = 60};
	struct party *producer, *worker;
	struct backend *results;

	stage_open(&w, _i);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	results = backend_open(&w);
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert(!task.duplicate);
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert(task.duplicate);
	ck_assert_ptr_nonnull(backend_get(&w, results, "first"));
	task.id = SLICE("second");
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert(task.duplicate);
	UNTIL(&w, backend_get(&w, results, "second") == NULL);
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 1);
	party_close(worker);
	backend_close(results);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(the_registry_is_kept_and_told)
{
	const struct slice names[] = {SLICE("b.two"), SLICE("a.one")};
	const struct slice texts[] = {SLICE("{\"queue\":\"cpu\"}"),
				      SLICE("{\"queue\":\"io\"}")};
	struct party *producer, *worker;

	stage_open(&w, _i);
	worker = party_open(&w, "host:a");
	broker_register(worker->broker, names, texts, 2);
	producer = party_open(&w, NULL);
	do {
		producer->answered = false;
		broker_registered(producer->broker, SLICE("a.one"),
				  party_on_value, producer);
		UNTIL(&w, producer->answered);
	} while (producer->value[0] == '\0');
	ck_assert_str_eq(producer->value, "{\"queue\":\"io\"}");
	producer->answered = false;
	broker_registered_names(producer->broker, party_on_names, producer);
	UNTIL(&w, producer->answered);
	ck_assert_str_eq(producer->value, "a.one b.two ");
	producer->answered = false;
	broker_registry(producer->broker, party_on_entries, producer);
	UNTIL(&w, producer->answered);
	ck_assert_int_eq(producer->err.code, ERR_NONE);
	ck_assert_str_eq(producer->value,
			 "a.one={\"queue\":\"io\"} b.two={\"queue\":\"cpu\"} ");
	producer->answered = false;
	broker_registered(producer->broker, SLICE("none"), party_on_value,
			  producer);
	UNTIL(&w, producer->answered);
	ck_assert_int_eq(producer->err.code, ERR_NONE);
	ck_assert_str_eq(producer->value, "");
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(an_order_reaches_all_workers)
{
	struct party *producer, *a, *b;

	stage_open(&w, _i);
	a = party_open(&w, "host:a");
	b = party_open(&w, "host:b");
	producer = party_open(&w, NULL);
	stage_linger(&w, 100);
	broker_control(producer->broker,
		       SLICE("{\"order\":\"cancel\",\"id\":\"7\"}"),
		       party_on_value, producer);
	UNTIL(&w, producer->answered && a->orders == 1 && b->orders == 1);
	ck_assert_int_eq(producer->err.code, ERR_NONE);
	ck_assert_str_eq(a->order, "{\"order\":\"cancel\",\"id\":\"7\"}");
	ck_assert_str_eq(b->order, a->order);
	party_close(a);
	party_close(b);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(who_stops_is_told_when_nothing_can_come_any_more)
{
	struct party *producer, *worker;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 5);
	party_submit(producer, "1", "[1]", 0, 0);
	broker_want(worker->broker, 0, 0);
	broker_want(worker->broker, 1, 0);
	UNTIL(&w, broker_idle(worker->broker));
	broker_heartbeat(worker->broker, SLICE("{}"));
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

#define CASES(kind)                                                            \
	X(a_task_is_claimed_and_acknowledged_once, kind)                       \
	X(an_idle_worker_is_woken_by_a_submission, kind)                       \
	X(no_more_is_claimed_than_is_wanted, kind)                             \
	X(a_lower_number_runs_first_and_equals_in_their_order, kind)           \
	X(a_delayed_task_comes_when_it_is_due, kind)                           \
	X(what_is_put_back_is_first_again, kind)                               \
	X(a_retry_comes_in_its_new_form, kind)                                 \
	X(what_is_buried_lies_in_the_dead_list, kind)                          \
	X(of_a_task_that_is_too_large_both_ends_are_read, kind)                \
	X(a_salvaged_id_replaces_no_dead_task, kind)                           \
	X(what_was_in_flight_is_given_again_as_recovered, kind)                \
	X(two_workers_share_a_queue_and_no_task, kind)                         \
	X(a_full_queue_refuses_and_has_room_again, kind)                       \
	X(a_chosen_id_is_taken_once, kind)                                     \
	X(a_refused_submission_leaves_no_record, kind)                         \
	X(of_tasks_with_one_key_only_the_first_is_queued, kind)                \
	X(the_registry_is_kept_and_told, kind)                                 \
	X(an_order_reaches_all_workers, kind)                                  \
	X(who_stops_is_told_when_nothing_can_come_any_more, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
}

static void
fill_sentinel(TCase *suite_case_)
{
	tcase_add_checked_fixture(suite_case_, stage_use_sentinel, NULL);
	CASES(KIND_REDIS)
}

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
}
#undef X

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("broker-redis", fill_redis);
	suite_register("broker-sqlite", fill_sqlite);
	suite_register("broker-sentinel", fill_sentinel);
	suite_register("broker-cluster", fill_cluster);
}
