/* SPDX-License-Identifier: MIT */
/*
 * Ends of steps at Redis: those of one turn of the loop are told in one call, and what
 * they release goes straight to the queue of their claims, if it needs no more than to
 * be pushed.
 */
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/flow_scene.h"
#include "store/redis/broker.h"
#include "store/script_case.h"

#define HOME(suffix) "{flowrra:queue:flow:f}:" suffix
#define UNIQUE(step) K("unique:flow:f:" step)

static void
open_flow(void)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
}

static long long
number(const char *command)
{
	redisReply *reply = redis_server_command(fs.stage.server, command);
	const long long n = reply->integer;

	ck_assert_msg(reply->type == REDIS_REPLY_INTEGER, "%s", command);
	freeReplyObject(reply);
	return n;
}

/* --- what a worker sends ------------------------------------------------------ */

static size_t n_settled;

static void
on_settled(struct broker_settle *settle)
{
	n_settled++;
}

/* Ends them with success, in one turn. */
static void
end_together(const char *const *ids, size_t n)
{
	static struct broker_settle settles[8];
	size_t i, k;

	for (i = 0; i < n; i++)
		flow_record(ids[i], "success");
	n_settled = 0;
	for (i = 0; i < n; i++)
		for (k = 0; k < fs.worker->n_claims; k++)
			if (flow_is_claim_of(k, ids[i])) {
				settles[i] = (struct broker_settle){
				    .disposition = BROKER_ACK,
				    .claim = fs.worker->claims[k],
				    .id = slice_of(ids[i]),
				    .flow = SLICE("f"),
				    .on_done = on_settled};
				broker_settle(fs.worker->broker, &settles[i]);
				fs.worker->claims[k] = NULL;
			}
	UNTIL(&fs.stage, n_settled == n);
}

/* Scripts that were called with the home of the workflow. */
static size_t
count_calls(void)
{
	redisReply *log =
	    redis_server_command(fs.stage.server, "SLOWLOG GET 1000");
	size_t i, n = 0;

	for (i = 0; i < log->elements; i++) {
		const redisReply *argv = log->element[i]->element[3];

		n += argv->elements > 3 &&
		     strcmp(argv->element[0]->str, "EVALSHA") == 0 &&
		     strcmp(argv->element[3]->str, HOME("meta")) == 0;
	}
	freeReplyObject(log);
	return n;
}

START_TEST(steps_that_end_in_one_turn_are_told_in_one_call)
{
	static const char *const ids[] = {"a", "b", "c"};

	open_flow();
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", NULL);
	flow_add("d", "a:success b:success c:success");
	UNTIL(&fs.stage, flow_is_claimed("a") && flow_is_claimed("b") &&
			     flow_is_claimed("c"));
	redis_server_run(fs.stage.server, "CONFIG SET slowlog-max-len 1000");
	redis_server_run(fs.stage.server,
			 "CONFIG SET slowlog-log-slower-than 0");
	end_together(ids, 3);
	ck_assert_uint_eq(count_calls(), 1);
	CK_COUNTS("4 0 1 3 0 0");
	flow_run("d", "success");
	ck_assert_str_eq(flow_seal_one(), "succeeded");
	flow_close();
}
END_TEST

START_TEST(a_step_of_the_same_queue_goes_there_in_the_call_that_releases_it)
{
	open_flow();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	ck_assert_int_eq(number("EXISTS " UNIQUE("a")), 1);
	flow_run("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("b"));
	ck_assert_int_eq(number("EXISTS " UNIQUE("b")), 0);
	ck_assert_int_eq(number("EXISTS " HOME("out")), 0);
	flow_close();
}
END_TEST

/* One that is not plain, or is for another queue. */
static void
add_other(const char *id, const char *queue, int32_t priority, int64_t delay_ms,
	  const char *after)
{
	struct broker_submit task = {.id = slice_of(id),
				     .flow = SLICE("f"),
				     .queue = (char *)queue,
				     .priority = priority,
				     .delay_ms = delay_ms};

	ck_assert_int_eq(flow_add_with(&task, after), ERR_NONE);
}

START_TEST(a_step_that_is_not_plain_goes_by_way_of_its_submission)
{
	open_flow();
	flow_add("a", NULL);
	add_other("urgent", "io", -5, 0, "a:success");
	add_other("late", "io", 0, 3600000, "a:success");
	add_other("other", "cpu", 0, 0, "a:success");
	flow_run("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("urgent"));
	UNTIL(&fs.stage, number("LLEN flowrra:queue:cpu") == 1);
	UNTIL(&fs.stage, number("ZCARD " K("delayed")) == 1);
	ck_assert_int_eq(number("EXISTS " UNIQUE("urgent")), 1);
	ck_assert_int_eq(
	    number("EXISTS {flowrra:queue:cpu}:unique:flow:f:other"), 1);
	ck_assert_int_eq(number("EXISTS " UNIQUE("late")), 1);
	flow_close();
}
END_TEST

START_TEST(a_step_that_is_skipped_says_why_where_it_is_run)
{
	open_flow();
	flow_add("a", NULL);
	flow_add("b", "a:failure");
	flow_run("a", "success");
	flow_wait_skipped("b", "task a succeeded");
	ck_assert_int_eq(number("EXISTS " UNIQUE("b")), 1);
	flow_close();
}
END_TEST

/* All but those of the first call of the seal. */
START_TEST(many_steps_that_a_seal_releases_go_straight_to_their_queue)
{
	const struct flow_begin begin = {
	    .id = SLICE("f"), .whole = true, .life_s = 1000};
	char name[16];
	int i;

	flow_open(KIND_REDIS);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%03d", i);
		flow_add(name, NULL);
	}
	add_other("urgent", "io", -5, 0, NULL);
	ck_assert_str_eq(flow_seal_one(), "running");
	UNTIL(&fs.stage, fs.worker->n_claims == FLOW_MANY + 1);
	ck_assert_int_eq(number("EXISTS " UNIQUE("m000")), 1);
	ck_assert_int_eq(number("EXISTS " UNIQUE("m349")), 0);
	ck_assert_int_eq(number("EXISTS " UNIQUE("urgent")), 1);
	ck_assert_int_eq(number("EXISTS " HOME("out")), 0);
	flow_close();
}
END_TEST

static bool
is_together(const char *url, const char *info)
{
	struct rbroker b = {.url = {.cluster = strstr(url, "cluster") != NULL}};

	rbroker_take_version(&b, slice_of(info));
	return b.flow.together;
}

START_TEST(only_a_server_of_all_slots_is_given_keys_of_several)
{
	ck_assert(is_together("redis:", "redis_version:7.0.15\r\n"
					"redis_mode:standalone\r\n"));
	ck_assert(!is_together("redis:", "redis_version:7.0.15\r\n"
					 "redis_mode:cluster\r\n"));
	ck_assert(!is_together("redis+cluster:", "redis_version:7.0.15\r\n"
						 "redis_mode:standalone\r\n"));
	ck_assert(!is_together("redis:", ""));
}
END_TEST

/* --- the script by itself ---------------------------------------------------- */

#define KEYS                                                                   \
	HOME("meta"), HOME("steps"), HOME("open"), HOME("info"),               \
	    HOME("waits"), HOME("next"), HOME("held"), HOME("out"),            \
	    HOME("ended"), HOME("on")
/* b and c wait for a; the tabs are blanks within a word. */
#define WORLD                                                                  \
	"HSET " HOME("meta") " state running policy continue life 60",         \
	    "ZADD " HOME("steps") " 0 a 0 b 0 c",                              \
	    "ZADD " HOME("open") " 0 a 0 b 0 c",                               \
	    "ZADD " HOME("held") " 0 b 0 c",                                   \
	    "EVAL for\t_,s\tin\tipairs({'b','c'})\tdo\t"                       \
	    "redis.call('ZADD',KEYS[1],0,'a\\32'..s..'\\32s')\t"               \
	    "redis.call('ZADD',KEYS[2],0,s..'\\32a')\t"                        \
	    "redis.call('HSET',KEYS[3],s,'io\\0320\\0320\\0320\\032-\\0320"    \
	    "\\na\\32s\\n'..s)\tend 3 " HOME("next") " " HOME(                 \
		"waits") " " HOME("info")

static redisReply *
call(const struct script_case *t)
{
	redisReply *reply;

	script_server_open();
	script_make_world(t);
	reply = script_call(t);
	ck_assert_msg(reply->type == REDIS_REPLY_ARRAY, "%s", reply->str);
	ck_assert_uint_eq(reply->elements, 4);
	return reply;
}

static void
ck_world(const char *question, const char *wanted)
{
	redisReply *reply = script_command(question);
	char number[24];

	snprintf(number, sizeof(number), "%lld", reply->integer);
	ck_assert_str_eq(
	    reply->type == REDIS_REPLY_INTEGER ? number : reply->str, wanted);
	freeReplyObject(reply);
}

START_TEST(an_end_that_is_told_twice_in_a_call_counts_once)
{
	static const struct script_case t = {
	    SCRIPT_FLOW_ADVANCE,
	    {KEYS, Q},
	    {"io", "a", "s", "a", "f", "x", "s", ""},
	    {WORLD}};
	redisReply *reply = call(&t);

	ck_assert_str_eq(reply->element[0]->str, "");
	ck_assert_int_eq(reply->element[2]->integer, 1);
	ck_assert_uint_eq(reply->element[3]->elements, 0);
	ck_world("HGET " HOME("meta") " s", "1");
	ck_world("HEXISTS " HOME("meta") " f", "0");
	ck_world("HLEN " HOME("ended"), "1");
	ck_world("LINDEX " Q " -1", "b");
	ck_world("LINDEX " Q " 0", "c");
	freeReplyObject(reply);
	/* And once more. */
	freeReplyObject(script_call(&t));
	ck_world("LLEN " Q, "2");
	ck_world("HGET " HOME("meta") " s", "1");
	redis_server_stop(script_server);
}
END_TEST

/* One that waited was cancelled in the same turn. */
START_TEST(what_ends_in_a_call_is_not_released_by_it)
{
	static const struct script_case t = {SCRIPT_FLOW_ADVANCE,
					     {KEYS, Q},
					     {"io", "a", "s", "b", "k", ""},
					     {WORLD}};
	redisReply *reply = call(&t);

	ck_assert_uint_eq(reply->element[3]->elements, 0);
	ck_world("LLEN " Q, "1");
	ck_world("LINDEX " Q " 0", "c");
	ck_world("HGET " HOME("ended") " b", "k");
	ck_world("ZCARD " HOME("held"), "0");
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(without_a_queue_all_is_told)
{
	static const struct script_case t = {
	    SCRIPT_FLOW_ADVANCE, {KEYS}, {"", "a", "s", ""}, {WORLD}};
	redisReply *reply = call(&t);

	ck_assert_uint_eq(reply->element[3]->elements, 4);
	ck_assert_str_eq(reply->element[3]->element[0]->str, "b");
	ck_assert_str_eq(reply->element[3]->element[1]->str,
			 "\nio 0 0 0 - 0\na s\nb");
	ck_world("HLEN " HOME("out"), "2");
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* Three steps have ended, and so many wait for each. */
#define MANY(successors, task)                                                 \
	"HSET " HOME("meta") " state running policy continue life 60",         \
	    "ZADD " HOME("open") " 0 a1 0 a2 0 a3 0 last",                     \
	    "EVAL for\ti=1,3\tdo\tfor\tk=1," successors "\tdo\t"               \
	    "local\ts='s'..i*1000+k\t"                                         \
	    "redis.call('ZADD',KEYS[1],0,'a'..i..'\\32'..s..'\\32s')\t"        \
	    "redis.call('ZADD',KEYS[2],0,s)\t"                                 \
	    "redis.call('HSET',KEYS[3],s,'io\\0320\\0320\\0320\\032-"          \
	    "\\0320\\n\\n'"                                                    \
	    ".." task                                                          \
	    ")\tend\tend 3 " HOME("next") " " HOME("held") " " HOME("info")

/* It waits for one more. */
START_TEST(a_step_that_many_ends_lead_to_is_looked_at_once_a_call)
{
	static const struct script_case t = {
	    SCRIPT_FLOW_ADVANCE,
	    {KEYS, Q},
	    {"io", "a1", "s", "a2", "s", "a3", "s", ""},
	    {"HSET " HOME("meta") " state running policy continue life 60",
	     "ZADD " HOME("open") " 0 a1 0 a2 0 a3 0 a4 0 j",
	     "ZADD " HOME("held") " 0 j",
	     "EVAL for\ti=1,4\tdo\t"
	     "redis.call('ZADD',KEYS[1],0,'a'..i..'\\32j\\32s')\t"
	     "redis.call('ZADD',KEYS[2],0,'j\\32a'..i)\tend 2 " HOME(
		 "next") " " HOME("waits")}};
	redisReply *reply;

	script_server_open();
	script_make_world(&t);
	redis_server_run(script_server, "CONFIG RESETSTAT");
	freeReplyObject(script_call(&t));
	reply = script_command("INFO commandstats");
	/* For what comes after each of the three, and for what it waits for. */
	ck_assert_ptr_nonnull(
	    strstr(reply->str, "cmdstat_zrangebylex:calls=4,"));
	freeReplyObject(reply);
	ck_world("ZCARD " HOME("held"), "1");
	ck_world("ZCARD " HOME("waits"), "1");
	redis_server_stop(script_server);
}
END_TEST

/* Until it says that this was all; returns what was told in all. */
static size_t
call_on(struct script_case *t, size_t *ret_calls)
{
	static char cursor[200];
	size_t told = 0;
	redisReply *reply;

	cursor[0] = '\0';
	t->args[7] = cursor;
	*ret_calls = 0;
	do {
		reply = script_call(t);
		ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
		told += reply->element[3]->elements / 2;
		snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
		freeReplyObject(reply);
		++*ret_calls;
	} while (cursor[0] != '\0');
	return told;
}

START_TEST(many_steps_that_several_ends_release_take_several_calls)
{
	struct script_case t = {SCRIPT_FLOW_ADVANCE,
				{KEYS, Q},
				{"io", "a1", "s", "a2", "s", "a3", "s"},
				{MANY("150", "s")}};
	size_t calls;

	script_server_open();
	script_make_world(&t);
	ck_assert_uint_eq(call_on(&t, &calls), 0);
	ck_assert_uint_eq(calls, 3);
	ck_world("LLEN " Q, "450");
	ck_world("ZCARD " HOME("held"), "0");
	ck_world("HGET " HOME("meta") " s", "3");
	redis_server_stop(script_server);
}
END_TEST

START_TEST(large_steps_that_several_ends_release_take_several_calls)
{
	struct script_case t = {SCRIPT_FLOW_ADVANCE,
				{KEYS},
				{"", "a1", "s", "a2", "s", "a3", "s"},
				{MANY("2", "string.rep('x',200000)")}};
	size_t calls;

	script_server_open();
	script_make_world(&t);
	ck_assert_uint_eq(call_on(&t, &calls), 6);
	ck_assert_uint_eq(calls, 3);
	ck_world("HLEN " HOME("out"), "6");
	redis_server_stop(script_server);
}
END_TEST

SUITE("flow-advance")
{
	TEST(steps_that_end_in_one_turn_are_told_in_one_call);
	TEST(a_step_of_the_same_queue_goes_there_in_the_call_that_releases_it);
	TEST(a_step_that_is_not_plain_goes_by_way_of_its_submission);
	TEST(a_step_that_is_skipped_says_why_where_it_is_run);
	TEST(many_steps_that_a_seal_releases_go_straight_to_their_queue);
	TEST(only_a_server_of_all_slots_is_given_keys_of_several);
	TEST(an_end_that_is_told_twice_in_a_call_counts_once);
	TEST(what_ends_in_a_call_is_not_released_by_it);
	TEST(without_a_queue_all_is_told);
	TEST(a_step_that_many_ends_lead_to_is_looked_at_once_a_call);
	TEST(many_steps_that_several_ends_release_take_several_calls);
	TEST(large_steps_that_several_ends_release_take_several_calls);
}
