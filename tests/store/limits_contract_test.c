/* SPDX-License-Identifier: MIT */
/* The contract of limits, on each broker: how many tasks are in flight at once,
 * and what becomes of those that are held. */
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin_scene.h"
#include "util/clock.h"

static struct party *
worker_a(void)
{
	return op.worker;
}

/* --- limits ---------------------------------------------------------------- */

static void
change(struct broker_limit_change *change)
{
	change->queue = SLICE("io");
	op_forget();
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, change, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_msg(op.producer->err.code == ERR_NONE, "%s",
		      op.producer->err.msg);
}

static void
limit_by(enum limit_kind kind, const char *key, int64_t n, const char *by)
{
	struct broker_limit_change c = {
	    .rule = {.kind = kind, .key = slice_of(key), .concurrency = n},
	    .by = slice_of(by)};

	change(&c);
}

static void
limit(enum limit_kind kind, const char *key, int64_t n)
{
	limit_by(kind, key, n, "");
}

static bool
unlimit(enum limit_kind kind, const char *key)
{
	struct broker_limit_change c = {
	    .rule = {.kind = kind, .key = slice_of(key)}, .unset = true};

	change(&c);
	return op.producer->value[0] != '\0';
}

/* "scope key concurrency running held; " of each, and "by PATH". */
static char shown[1024];

static void
on_limits(const struct broker_limit *limits, size_t n, struct slice by,
	  const struct err *err, void *arg)
{
	struct party *p = arg;
	struct buf text = BUF_INIT;
	size_t i;

	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	for (i = 0; i < n; i++) {
		limit_scope_write(&limits[i].rule, &text);
		buf_addf(&text, " %lld %lld %lld; ",
			 (long long)limits[i].rule.concurrency,
			 (long long)limits[i].running,
			 (long long)limits[i].held);
	}
	if (by.len > 0)
		buf_addf(&text, "by %.*s", (int)by.len, by.p);
	snprintf(shown, sizeof(shown), "%s", text.len > 0 ? text.data : "");
	buf_done(&text);
	p->answered = true;
}

static const char *
limits(void)
{
	op.producer->answered = false;
	broker_limits_get(op.producer->broker, SLICE("io"), on_limits,
			  op.producer);
	UNTIL(&op.stage, op.producer->answered);
	return shown;
}

/* --- tasks ----------------------------------------------------------------- */

/* A task as our programs write it. */
static void
put(const char *id, const char *group, int32_t priority)
{
	char bytes[256];

	if (group != NULL)
		snprintf(bytes, sizeof(bytes),
			 "{\"id\":\"%s\",\"name\":\"n\",\"group\":\"%s\","
			 "\"args\":[],\"kwargs\":{}}",
			 id, group);
	else
		snprintf(bytes, sizeof(bytes),
			 "{\"id\":\"%s\",\"name\":\"n\",\"args\":[],"
			 "\"kwargs\":{}}",
			 id);
	ck_assert_int_eq(party_submit(op.producer, id, bytes, priority, 0),
			 ERR_NONE);
}

/* Whether a claim of the party is this task. */
static bool
is_claim(const struct party *p, size_t i, const char *id)
{
	char text[64];
	const struct broker_claim *c = p->claims[i];

	snprintf(text, sizeof(text), "\"id\":\"%s\"", id);
	return memmem(c->bytes.p, c->bytes.len, text, strlen(text)) != NULL;
}

static bool
has_claim(const struct party *p, size_t from, const char *id)
{
	size_t i;

	for (i = from; i < p->n_claims; i++)
		if (is_claim(p, i, id))
			return true;
	return false;
}

/* Wants many, and waits until exactly `n` have come, in all. */
static void
take(struct party *p, size_t n)
{
	broker_want(p->broker, 0, 100);
	UNTIL(p->stage, p->n_claims >= n);
	stage_linger(p->stage, 30);
	ck_assert_uint_eq(p->n_claims, n);
}

START_TEST(no_more_tasks_of_a_queue_are_in_flight)
{
	op_open(_i);
	limit(LIMIT_QUEUE, "", 2);
	put("a", NULL, 0);
	put("b", NULL, 0);
	put("c", NULL, 0);
	put("d", NULL, 0);
	take(worker_a(), 2);
	ck_assert(is_claim(worker_a(), 0, "a") && is_claim(worker_a(), 1, "b"));
	party_settle(worker_a(), 0, BROKER_ACK);
	take(worker_a(), 3);
	ck_assert(is_claim(worker_a(), 2, "c"));
	ck_assert_str_eq(limits(), "q 2 2 0; ");
	limit(LIMIT_QUEUE, "", 5);
	take(worker_a(), 4);
	op_close();
}
END_TEST

START_TEST(a_full_group_is_not_in_the_way_of_others)
{
	op_open(_i);
	limit(LIMIT_EACH_GROUP, "", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("a3", "a", 0);
	put("b1", "b", 0);
	put("n1", NULL, 0);
	put("n2", NULL, 0);
	take(worker_a(), 4);
	ck_assert(has_claim(worker_a(), 0, "a1"));
	ck_assert(has_claim(worker_a(), 0, "b1"));
	ck_assert(has_claim(worker_a(), 0, "n2"));
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 2);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 2);
	ck_assert_str_eq(limits(), "g 1 0 2; ");
	op_close();
}
END_TEST

START_TEST(what_is_held_starts_in_its_order)
{
	size_t i, at = 0;

	op_open(_i);
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("a3", "a", 0);
	put("urgent", "a", -5);
	take(worker_a(), 1);
	ck_assert(is_claim(worker_a(), 0, "urgent"));
	for (i = 0; i < 3; i++) {
		char id[] = {'a', (char)('1' + i), '\0'};

		party_settle(worker_a(), at, BROKER_ACK);
		take(worker_a(), ++at + 1);
		ck_assert(is_claim(worker_a(), at, id));
	}
	ck_assert_str_eq(limits(), "g:a 1 1 0; ");
	op_close();
}
END_TEST

START_TEST(a_limit_of_a_name_and_one_of_a_group_both_count)
{
	op_open(_i);
	limit(LIMIT_TASK, "n", 2);
	limit(LIMIT_EACH_GROUP, "", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("b1", "b", 0);
	put("c1", "c", 0);
	take(worker_a(), 2);
	ck_assert(has_claim(worker_a(), 0, "a1"));
	ck_assert(has_claim(worker_a(), 0, "b1"));
	party_settle(worker_a(), is_claim(worker_a(), 0, "b1") ? 0 : 1,
		     BROKER_ACK);
	/* The name has room for one; the group a has none. */
	take(worker_a(), 3);
	ck_assert(is_claim(worker_a(), 2, "c1"));
	op_close();
}
END_TEST

START_TEST(a_group_is_found_where_the_limit_says)
{
	op_open(_i);
	limit_by(LIMIT_EACH_GROUP, "", 1, "kwargs.tenant");
	ck_assert_str_eq(limits(), "g 1 0 0; by kwargs.tenant");
	op_submit("{\"id\":\"1\",\"name\":\"n\",\"kwargs\":{\"tenant\":7}}", 0,
		  0);
	op_submit("{\"id\":\"2\",\"name\":\"n\",\"kwargs\":{\"tenant\":7}}", 0,
		  0);
	op_submit("{\"id\":\"3\",\"name\":\"n\",\"kwargs\":{\"tenant\":8}}", 0,
		  0);
	/* The field comes before the path. */
	op_submit("{\"id\":\"4\",\"name\":\"n\",\"group\":\"x\","
		  "\"kwargs\":{\"tenant\":8}}",
		  0, 0);
	take(worker_a(), 3);
	ck_assert(!has_claim(worker_a(), 0, "2"));
	op_close();
}
END_TEST

START_TEST(each_end_of_a_claim_frees_its_place)
{
	struct broker_settle release = {.disposition = BROKER_RELEASE};
	struct party *a;

	op_open(_i);
	a = worker_a();
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("a3", "a", 0);
	put("a4", "a", 0);
	take(a, 1);
	party_retry(a, 0, "{\"id\":\"a1\",\"name\":\"n\",\"group\":\"a\"}",
		    HOUR_MS);
	take(a, 2);
	ck_assert(is_claim(a, 1, "a2"));
	party_bury(a, 1, "a2", "{\"reason\":\"crashes\"}");
	take(a, 3);
	ck_assert(is_claim(a, 2, "a3"));
	/* Given back, it is among those that wait: behind what is held. */
	broker_want(a->broker, 0, 0);
	party_settle_with(a, 2, &release);
	take(a, 4);
	party_settle(a, 3, BROKER_ACK);
	take(a, 5);
	ck_assert_str_eq(limits(), "g:a 1 1 0; ");
	op_close();
}
END_TEST

START_TEST(held_tasks_are_shown_cancelled_and_purged)
{
	op_open(_i);
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 3);
	put("a3", "a", 3);
	put("a4", "a", 3);
	take(worker_a(), 1);
	op_view(op.producer, BROKER_WAITING, "", 10);
	while (op.told.n == 0 && op.told.next[0] != '\0') {
		char cursor[512];

		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
		op_view(op.producer, BROKER_WAITING, cursor, 10);
	}
	ck_assert_uint_eq(op.told.n, 3);
	ck_assert_int_eq(op.told.items[0].priority, 3);
	ck_assert(op_withdraw(op.producer, "a2"));
	party_settle(worker_a(), 0, BROKER_ACK);
	take(worker_a(), 2);
	ck_assert(is_claim(worker_a(), 1, "a3"));
	while (op_queue(op.producer, "io")->waiting > 0)
		op_purge(op.producer, 10);
	party_settle(worker_a(), 1, BROKER_ACK);
	put("a5", "a", 0);
	take(worker_a(), 3);
	ck_assert(is_claim(worker_a(), 2, "a5"));
	op_close();
}
END_TEST

START_TEST(a_limit_counts_what_is_in_flight_already)
{
	op_open(_i);
	put("a1", "a", 0);
	put("a2", "a", 0);
	take(worker_a(), 2);
	limit(LIMIT_EACH_GROUP, "", 2);
	put("a3", "a", 0);
	put("b1", "b", 0);
	take(worker_a(), 3);
	ck_assert(is_claim(worker_a(), 2, "b1"));
	party_settle(worker_a(), 0, BROKER_ACK);
	take(worker_a(), 4);
	op_close();
}
END_TEST

/* The worker does not want anything when the limit comes, so that it does not look;
 * what it ends then has to be counted all the same. */
START_TEST(a_worker_that_is_full_learns_of_a_limit)
{
	op_open(_i);
	put("a1", "a", 0);
	op_take(worker_a(), 1);
	limit(LIMIT_EACH_GROUP, "", 1);
	put("a2", "a", 0);
	party_settle(worker_a(), 0, BROKER_ACK);
	take(worker_a(), 2);
	ck_assert(is_claim(worker_a(), 1, "a2"));
	op_close();
}
END_TEST

START_TEST(without_a_limit_what_it_held_starts)
{
	op_open(_i);
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("a3", "a", 0);
	take(worker_a(), 1);
	ck_assert(!unlimit(LIMIT_GROUP, "b"));
	ck_assert(unlimit(LIMIT_GROUP, "a"));
	take(worker_a(), 3);
	ck_assert_str_eq(limits(), "");
	/* It is a queue like others again. */
	put("a4", "a", 0);
	take(worker_a(), 4);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 0);
	op_close();
}
END_TEST

START_TEST(a_paused_queue_starts_nothing_that_is_held)
{
	op_open(_i);
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	take(worker_a(), 1);
	op_pause(op.producer, "io", true);
	party_settle(worker_a(), 0, BROKER_ACK);
	op_nothing_comes(worker_a());
	op_pause(op.producer, "io", false);
	take(worker_a(), 2);
	op_close();
}
END_TEST

/* Each frees what the other one waits for. */
START_TEST(workers_share_a_limit)
{
	struct party *b;

	op_open(_i);
	b = party_open(&op.stage, "host:b");
	limit(LIMIT_GROUP, "a", 1);
	broker_want(b->broker, 0, 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	UNTIL(&op.stage, b->n_claims == 1);
	broker_want(b->broker, 0, 0);
	broker_want(worker_a()->broker, 0, 1);
	stage_linger(&op.stage, 50);
	ck_assert_uint_eq(worker_a()->n_claims, 0);
	party_settle(b, 0, BROKER_ACK);
	UNTIL(&op.stage, worker_a()->n_claims == 1);
	ck_assert(is_claim(worker_a(), 0, "a2"));
	party_close(b);
	op_close();
}
END_TEST

/* A worker that dies leaves its tasks in flight: they count until another one has
 * them, and then with that. */
START_TEST(what_a_worker_has_counts_when_it_is_gone)
{
	struct party *b;

	op_open(_i);
	limit(LIMIT_GROUP, "a", 1);
	put("a1", "a", 0);
	put("a2", "a", 0);
	take(worker_a(), 1);
	party_close(op.worker);
	b = party_open(&op.stage, "host:b");
	broker_want(b->broker, 0, 5);
	stage_linger(&op.stage, 100);
	ck_assert_uint_eq(b->n_claims, 0);
	op.worker = party_open(&op.stage, "host:a");
	UNTIL(&op.stage, worker_a()->n_claims == 1);
	ck_assert(is_claim(worker_a(), 0, "a1"));
	party_settle(worker_a(), 0, BROKER_ACK);
	UNTIL(&op.stage, b->n_claims == 1);
	ck_assert(is_claim(b, 0, "a2"));
	party_close(b);
	op_close();
}
END_TEST

/* A tenant with many tasks takes no turn of those with few. */
START_TEST(groups_take_turns)
{
	char id[16];
	size_t i;

	op_open(_i);
	limit(LIMIT_QUEUE, "", 1);
	limit(LIMIT_EACH_GROUP, "", 1);
	for (i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "g%zu", i);
		put(id, "greedy", 0);
	}
	limit(LIMIT_QUEUE, "", 2);
	take(worker_a(), 1);
	put("b1", "b", 0);
	put("b2", "b", 0);
	take(worker_a(), 2);
	ck_assert(is_claim(worker_a(), 1, "b1"));
	party_settle(worker_a(), 1, BROKER_ACK);
	take(worker_a(), 3);
	ck_assert(is_claim(worker_a(), 2, "b2"));
	op_close();
}
END_TEST

/* Those of the store are counted, each group by itself. */
START_TEST(many_groups_are_held_and_released)
{
	enum { GROUPS = 300 };
	char id[16], group[16];
	size_t i;

	op_open(_i);
	limit(LIMIT_EACH_GROUP, "", 1);
	for (i = 0; i < 2 * GROUPS; i++) {
		snprintf(id, sizeof(id), "t%zu", i);
		snprintf(group, sizeof(group), "%zu", i % GROUPS);
		put(id, group, 0);
	}
	broker_want(worker_a()->broker, 0, 1000);
	UNTIL(&op.stage, worker_a()->n_claims == GROUPS);
	stage_linger(&op.stage, 50);
	ck_assert_uint_eq(worker_a()->n_claims, GROUPS);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, GROUPS);
	for (i = 0; i < GROUPS; i++)
		party_settle(worker_a(), i, BROKER_ACK);
	UNTIL(&op.stage, worker_a()->n_claims == 2 * GROUPS);
	op_close();
}
END_TEST

/* --- rates ----------------------------------------------------------------- */

static void
limit_rate(enum limit_kind kind, const char *key, int64_t n, int64_t burst)
{
	struct broker_limit_change c = {.rule = {.kind = kind,
						 .key = slice_of(key),
						 .rate = n,
						 .period_ms = 1000,
						 .burst = burst}};

	change(&c);
}

/* At 10 a second, two come at once, and each of the others 100 ms later: not sooner,
 * by the store's clock, which is exact to a millisecond. */
static void
ck_rate(enum limit_kind kind, const char *key)
{
	const int64_t begin_us = clock_mono_us();
	size_t i;

	limit_rate(kind, key, 10, 2);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("a3", "a", 0);
	put("a4", "a", 0);
	broker_want(worker_a()->broker, 0, 100);
	UNTIL(&op.stage, worker_a()->n_claims == 4);
	ck_assert_int_ge(clock_mono_us() - begin_us, 198000);
	for (i = 0; i < 4; i++) {
		char id[] = {'a', (char)('1' + i), '\0'};

		ck_assert(is_claim(worker_a(), i, id));
	}
}

START_TEST(tasks_of_a_group_start_at_its_rate)
{
	op_open(_i);
	ck_rate(LIMIT_EACH_GROUP, "");
	/* What has no rate is not in their way. */
	put("b1", NULL, 0);
	UNTIL(&op.stage, worker_a()->n_claims == 5);
	op_close();
}
END_TEST

START_TEST(tasks_of_a_queue_start_at_its_rate)
{
	op_open(_i);
	ck_rate(LIMIT_QUEUE, "");
	op_close();
}
END_TEST

START_TEST(a_rate_that_has_no_room_holds_tasks_until_it_is_unset)
{
	struct broker_limit_change c = {.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("a"),
						 .rate = 1,
						 .period_ms = HOUR_MS,
						 .burst = 1}};

	op_open(_i);
	change(&c);
	put("a1", "a", 0);
	put("a2", "a", 0);
	put("b1", "b", 0);
	take(worker_a(), 2);
	party_settle(worker_a(), 0, BROKER_ACK);
	op_nothing_comes(worker_a());
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 1);
	ck_assert(unlimit(LIMIT_GROUP, "a"));
	take(worker_a(), 3);
	op_close();
}
END_TEST

/* As if the clock had been set back by a year. */
START_TEST(a_clock_that_was_set_back_stops_no_rate)
{
	op_open(_i);
	limit_rate(LIMIT_GROUP, "a", 10, 1);
	put("a1", "a", 0);
	take(worker_a(), 1);
	if (op.stage.kind == KIND_REDIS)
		redis_server_run(op.stage.server, "ZADD %s 9e15 g:a",
				 "{flowrra:queue:io}:tats");
	else
		stage_sql(&op.stage, "INSERT OR REPLACE INTO tats SELECT id, "
				     "'g:a', 9000000000000000 FROM queues");
	put("a2", "a", 0);
	UNTIL(&op.stage, worker_a()->n_claims == 2);
	op_close();
}
END_TEST

START_TEST(a_rate_and_a_concurrency_both_hold)
{
	struct broker_limit_change c = {.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("a"),
						 .concurrency = 1,
						 .rate = 20,
						 .period_ms = 1000,
						 .burst = 1}};

	op_open(_i);
	change(&c);
	put("a1", "a", 0);
	put("a2", "a", 0);
	take(worker_a(), 1);
	stage_linger(&op.stage, 120);
	ck_assert_uint_eq(worker_a()->n_claims, 1);
	party_settle(worker_a(), 0, BROKER_ACK);
	UNTIL(&op.stage, worker_a()->n_claims == 2);
	/* Settled at once, it has to wait for the rate. */
	put("a3", "a", 0);
	party_settle(worker_a(), 1, BROKER_ACK);
	UNTIL(&op.stage, worker_a()->n_claims == 3);
	op_close();
}
END_TEST

START_TEST(what_cannot_be_a_limit_is_refused)
{
	struct broker_limit_change c = {.queue = SLICE("io"),
					.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("\x01"),
						 .concurrency = 1}};

	op_open(_i);
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	c.rule = (struct limit_rule){.kind = LIMIT_QUEUE, .concurrency = 0};
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	c.rule.concurrency = 1;
	c.by = SLICE("tenant");
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	ck_assert_str_eq(limits(), "");
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(no_more_tasks_of_a_queue_are_in_flight, kind)                        \
	X(a_full_group_is_not_in_the_way_of_others, kind)                      \
	X(what_is_held_starts_in_its_order, kind)                              \
	X(a_limit_of_a_name_and_one_of_a_group_both_count, kind)               \
	X(a_group_is_found_where_the_limit_says, kind)                         \
	X(each_end_of_a_claim_frees_its_place, kind)                           \
	X(held_tasks_are_shown_cancelled_and_purged, kind)                     \
	X(a_limit_counts_what_is_in_flight_already, kind)                      \
	X(a_worker_that_is_full_learns_of_a_limit, kind)                       \
	X(without_a_limit_what_it_held_starts, kind)                           \
	X(a_paused_queue_starts_nothing_that_is_held, kind)                    \
	X(workers_share_a_limit, kind)                                         \
	X(what_a_worker_has_counts_when_it_is_gone, kind)                      \
	X(groups_take_turns, kind)                                             \
	X(many_groups_are_held_and_released, kind)                             \
	X(tasks_of_a_group_start_at_its_rate, kind)                            \
	X(tasks_of_a_queue_start_at_its_rate, kind)                            \
	X(a_rate_that_has_no_room_holds_tasks_until_it_is_unset, kind)         \
	X(a_clock_that_was_set_back_stops_no_rate, kind)                       \
	X(a_rate_and_a_concurrency_both_hold, kind)                            \
	X(what_cannot_be_a_limit_is_refused, kind)

static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
}

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("limits-redis", fill_redis);
	suite_register("limits-sqlite", fill_sqlite);
}
