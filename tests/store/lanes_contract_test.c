/* SPDX-License-Identifier: MIT */
/* The contract of lanes, on each broker: tasks that a worker cannot run wait
 * for those that can. */
#include <stdio.h>
#include <string.h>

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;
/* A producer, a worker that can run the tasks, and one that cannot. */
static struct party *producer, *can, *cannot;

static void
begin(int kind)
{
	stage_open(&w, kind);
	producer = party_open(&w, NULL);
	can = party_open(&w, "host:a");
	cannot = party_open(&w, "host:b");
}

static void
end(void)
{
	party_close(cannot);
	party_close(can);
	party_close(producer);
	stage_close(&w);
}

/* Says that a worker can run tasks of these names, and waits until others see
 * it. */
static void
serve(struct party *worker, const char *const *names, size_t n)
{
	struct slice slices[4], texts[4];
	size_t i;

	for (i = 0; i < n; i++) {
		slices[i] = slice_of(names[i]);
		texts[i] = SLICE("{}");
	}
	broker_heartbeat(worker->broker, SLICE("{}"));
	broker_register(worker->broker, slices, texts, n);
	stage_linger(worker->stage, 50);
}

static const char *
served(struct party *p, const char *name)
{
	const struct broker_served question = {.queue = SLICE("io"),
					       .name = slice_of(name)};

	p->answered = false;
	broker_served(p->broker, &question, party_on_value, p);
	UNTIL(p->stage, p->answered);
	ck_assert_msg(p->err.code == ERR_NONE, "%s", p->err.msg);
	return p->value;
}

static void
set_aside(struct party *p, size_t i, const char *name, const char *retry)
{
	struct broker_settle s = {.disposition = BROKER_SET_ASIDE,
				  .lane = slice_of(name),
				  .retry_bytes = slice_of(retry),
				  .delay_ms = 200};

	party_settle_with(p, i, &s);
}

/* The first name that nobody has, or "". */
static char unknown[256];

static void
on_queue(const struct queue_stats *queues, size_t n, const struct err *err,
	 void *arg)
{
	party_on_queues(queues, n, err, arg);
	snprintf(unknown, sizeof(unknown), "%s",
		 n > 0 && queues[0].unknown.len > 0 ? queues[0].unknown.p : "");
}

static const struct queue_stats *
queue(struct party *p)
{
	p->answered = false;
	broker_queues(p->broker, SLICE("io"), on_queue, p);
	UNTIL(p->stage, p->answered);
	return &p->stats;
}

START_TEST(what_living_workers_can_run_is_told)
{
	static const char *const two[] = {"a.one", "b.two"};
	static const char *const none[] = {NULL};
	struct party *worker, *other;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	other = party_open(&w, "host:b");
	ck_assert_str_eq(served(producer, "a.one"), "");
	serve(other, none, 0);
	ck_assert_str_eq(served(producer, "a.one"), "unknown");
	worker = party_open(&w, "host:a");
	serve(worker, two, 2);
	ck_assert_str_eq(served(producer, "a.one"), "known");
	ck_assert_str_eq(served(producer, "b.two"), "known");
	ck_assert_str_eq(served(producer, "c"), "unknown");
	party_close(other);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_is_set_aside_comes_to_a_worker_that_can_run_it)
{
	static const char *const name[] = {"n"};

	begin(_i);
	serve(can, name, 1);
	serve(cannot, name, 0);
	broker_want(cannot->broker, 0, 3);
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	UNTIL(&w, cannot->n_claims == 2);
	broker_want(cannot->broker, 0, 0);
	set_aside(cannot, 0, "n", "[91]");
	set_aside(cannot, 1, "n", "[92]");
	ck_assert_int_eq(queue(producer)->set_aside, 2);
	ck_assert_int_eq(queue(producer)->waiting, 2);
	/* It is idle: the order wakes it. */
	broker_want(can->broker, 0, 3);
	UNTIL(&w, can->n_claims == 2);
	ck_assert(party_has(can, 0, "[1]") && party_has(can, 1, "[2]"));
	party_settle(can, 0, BROKER_ACK);
	party_settle(can, 1, BROKER_ACK);
	ck_assert_int_eq(queue(producer)->set_aside, 0);
	ck_assert_int_eq(queue(producer)->in_flight, 0);
	end();
}
END_TEST

START_TEST(an_idle_worker_has_what_is_set_aside_for_it_at_once)
{
	static const char *const name[] = {"n"};
	int64_t began;
	size_t i;

	begin(_i);
	serve(can, name, 1);
	broker_want(cannot->broker, 0, 1);
	for (i = 0; i < 5; i++) {
		broker_want(can->broker, 0, 0);
		UNTIL(&w, broker_idle(can->broker));
		broker_want(cannot->broker, 0, 1);
		party_submit(producer, "1", "[1]", 0, 0);
		UNTIL(&w, cannot->n_claims == i + 1);
		broker_want(can->broker, 0, 1);
		stage_linger(&w, 50);
		began = clock_mono_ms();
		set_aside(cannot, i, "n", "[91]");
		UNTIL(&w, can->n_claims == i + 1);
		ck_assert_int_lt(clock_mono_ms() - began, 100);
		party_settle(can, i, BROKER_ACK);
	}
	end();
}
END_TEST

START_TEST(what_nobody_can_run_comes_again_and_its_name_is_told)
{
	static const char *const name[] = {"n"};

	begin(_i);
	serve(cannot, name, 1);
	broker_want(cannot->broker, 0, 5);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, cannot->n_claims == 1);
	set_aside(cannot, 0, "m", "[91]");
	queue(producer);
	ck_assert_str_eq(unknown, "m");
	ck_assert_int_eq(queue(producer)->set_aside, 0);
	UNTIL(&w, cannot->n_claims == 2);
	ck_assert(party_has(cannot, 1, "[91]"));
	end();
}
END_TEST

START_TEST(what_is_set_aside_keeps_its_priority)
{
	static const char *const name[] = {"n", "m"};
	static const struct {
		const char *bytes, *lane;
		int32_t priority;
	} tasks[] = {{"[0]", "n", 5},  {"[1]", "m", -3}, {"[2]", "n", 0},
		     {"[3]", "n", -3}, {"[4]", "m", 0},	 {"[5]", NULL, 2},
		     {"[6]", NULL, -3}};
	static const char *const wanted[] = {"[1]", "[3]", "[6]", "[2]",
					     "[4]", "[5]", "[0]"};
	struct broker_settle s;
	size_t i;

	begin(_i);
	serve(can, name, 2);
	for (i = 0; i < 7; i++) {
		party_submit(producer, "1", tasks[i].bytes, tasks[i].priority,
			     0);
		if (tasks[i].lane == NULL)
			continue;
		broker_want(cannot->broker, 0, 1);
		UNTIL(&w, cannot->n_claims == i + 1);
		s = (struct broker_settle){.disposition = BROKER_SET_ASIDE,
					   .lane = slice_of(tasks[i].lane),
					   .priority = tasks[i].priority,
					   .retry_bytes = SLICE("[9]"),
					   .delay_ms = 1};
		party_settle_with(cannot, i, &s);
	}
	broker_want(can->broker, 0, 7);
	UNTIL(&w, can->n_claims == 7);
	for (i = 0; i < 7; i++)
		ck_assert_msg(party_has(can, i, wanted[i]), "%zu", i);
	end();
}
END_TEST

START_TEST(a_worker_that_learns_a_name_has_its_lane_at_once)
{
	static const char *const name[] = {"n"};
	struct party *busy, *learner;
	int64_t began;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	busy = party_open(&w, "host:a");
	learner = party_open(&w, "host:b");
	serve(busy, name, 1);
	serve(learner, name, 0);
	broker_want(learner->broker, 0, 1);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, learner->n_claims == 1);
	set_aside(learner, 0, "n", "[91]");
	broker_want(learner->broker, 0, 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(learner->n_claims, 1);
	/* As after a reload. It would look by itself in five seconds. */
	began = clock_mono_ms();
	serve(learner, name, 1);
	UNTIL(&w, learner->n_claims == 2);
	ck_assert_int_lt(clock_mono_ms() - began, 3000);
	ck_assert(party_has(learner, 1, "[1]"));
	party_close(learner);
	party_close(busy);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_lane_goes_back_to_its_queue_when_nobody_can_run_it_any_more)
{
	static const char *const name[] = {"n"};
	size_t i;

	begin(_i);
	serve(can, name, 1);
	serve(cannot, name, 0);
	broker_want(cannot->broker, 0, 3);
	for (i = 0; i < 3; i++)
		party_submit(producer, "1",
			     i == 0   ? "[1]"
			     : i == 1 ? "[2]"
				      : "[3]",
			     0, 0);
	UNTIL(&w, cannot->n_claims == 3);
	for (i = 0; i < 3; i++)
		set_aside(cannot, i, "n", "[9]");
	ck_assert_int_eq(queue(producer)->set_aside, 3);
	/* A reload without the module. */
	serve(can, name, 0);
	broker_want(cannot->broker, 0, 3);
	/* The name lapses, and a heartbeat finds its lane. */
	for (i = 0; cannot->n_claims < 6; i++) {
		ck_assert_uint_lt(i, 30);
		broker_heartbeat(can->broker, SLICE("{}"));
		broker_heartbeat(cannot->broker, SLICE("{}"));
		stage_linger(&w, 500);
	}
	ck_assert(party_has(cannot, 3, "[1]"));
	ck_assert(party_has(cannot, 4, "[2]"));
	ck_assert(party_has(cannot, 5, "[3]"));
	ck_assert_int_eq(queue(producer)->set_aside, 0);
	end();
}
END_TEST

START_TEST(a_name_that_one_worker_gives_up_is_known_while_another_has_it)
{
	static const char *const name[] = {"n"};
	struct party *one, *other;
	int i;

	stage_open(&w, _i);
	producer = party_open(&w, NULL);
	one = party_open(&w, "host:a");
	other = party_open(&w, "host:b");
	serve(one, name, 1);
	serve(other, name, 1);
	serve(one, name, 0);
	for (i = 0; i < 6; i++) {
		ck_assert_str_eq(served(producer, "n"), "known");
		stage_linger(&w, 1000);
		if (i % 3 != 2)
			continue;
		broker_heartbeat(one->broker, SLICE("{}"));
		broker_heartbeat(other->broker, SLICE("{}"));
	}
	serve(other, name, 0);
	for (i = 0; strcmp(served(producer, "n"), "unknown") != 0; i++) {
		ck_assert_int_lt(i, 30);
		broker_heartbeat(one->broker, SLICE("{}"));
		stage_linger(&w, 500);
	}
	party_close(one);
	party_close(other);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_is_set_aside_counts_for_the_limit_of_its_queue)
{
	static const char *const name[] = {"n"};

	stage_open(&w, _i);
	w.options.max_queue_size = 2;
	producer = party_open(&w, NULL);
	can = party_open(&w, "host:a");
	cannot = party_open(&w, "host:b");
	serve(can, name, 1);
	broker_want(cannot->broker, 0, 1);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, cannot->n_claims == 1);
	set_aside(cannot, 0, "n", "[9]");
	ck_assert_int_eq(party_submit(producer, "2", "[2]", 0, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(producer, "3", "[3]", 0, 0), ERR_FULL);
	end();
}
END_TEST

START_TEST(a_paused_queue_keeps_what_is_set_aside)
{
	static const char *const name[] = {"n"};

	begin(_i);
	serve(can, name, 1);
	broker_want(cannot->broker, 0, 1);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, cannot->n_claims == 1);
	producer->answered = false;
	broker_pause(producer->broker, SLICE("io"), true, party_on_value,
		     producer);
	UNTIL(&w, producer->answered);
	set_aside(cannot, 0, "n", "[9]");
	broker_want(can->broker, 0, 1);
	stage_linger(&w, 200);
	ck_assert_uint_eq(can->n_claims, 0);
	producer->answered = false;
	broker_pause(producer->broker, SLICE("io"), false, party_on_value,
		     producer);
	UNTIL(&w, can->n_claims == 1);
	end();
}
END_TEST

#define CASES(kind)                                                            \
	X(what_living_workers_can_run_is_told, kind)                           \
	X(what_is_set_aside_comes_to_a_worker_that_can_run_it, kind)           \
	X(an_idle_worker_has_what_is_set_aside_for_it_at_once, kind)           \
	X(what_nobody_can_run_comes_again_and_its_name_is_told, kind)          \
	X(what_is_set_aside_keeps_its_priority, kind)                          \
	X(a_worker_that_learns_a_name_has_its_lane_at_once, kind)              \
	X(a_lane_goes_back_to_its_queue_when_nobody_can_run_it_any_more, kind) \
	X(a_name_that_one_worker_gives_up_is_known_while_another_has_it, kind) \
	X(what_is_set_aside_counts_for_the_limit_of_its_queue, kind)           \
	X(a_paused_queue_keeps_what_is_set_aside, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
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
	suite_register("lanes-redis", fill_redis);
	suite_register("lanes-sqlite", fill_sqlite);
	suite_register("lanes-cluster", fill_cluster);
}
