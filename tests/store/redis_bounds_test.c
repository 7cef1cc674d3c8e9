/* SPDX-License-Identifier: MIT */
/*
 * No command holds up Redis: how many levels, tasks and bytes a script looks at in
 * one call. All is counted, nothing is timed.
 */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/script_case.h"
#include "util/buf.h"

#define LEVELS 1000
#define WINDOW 64
#define LARGE 262144
#define N_LARGE 60
/* As the brokers ask: bytes of a page. */
#define PAGE 1048576

/* KEYS 1 levels; a level for each of ARGV[1] numbers, with a task in each. */
#define MAKE_LEVELS                                                            \
	"for i = 1, tonumber(ARGV[1]) do "                                     \
	"redis.call('ZADD', '" K(                                              \
	    "levels") "', i, i) "                                              \
		      "redis.call('LPUSH', '" K(                               \
			  "p:") "' .. i, '{\"id\":\"l' .. i .. '\"}') "        \
				"end"
/* Small ones first out, then large ones: ARGV[1] and ARGV[2] of them. */
#define MAKE_LIST                                                              \
	"for i = 1, tonumber(ARGV[1]) do "                                     \
	"redis.call('LPUSH', KEYS[1], '{\"id\":\"s' .. i .. '\"}') end "       \
	"for i = 1, tonumber(ARGV[2]) do "                                     \
	"redis.call('LPUSH', KEYS[1], '{\"id\":\"x' .. i .. '\",\"a\":\"' .. " \
	"string.rep('x', 262144) .. '\"}') end"
/* The same, the first ones first. */
#define MAKE_SET                                                               \
	"for i = 1, tonumber(ARGV[1]) do redis.call('ZADD', KEYS[1], i, "      \
	"string.format('%016d', i) .. '{\"id\":\"s' .. i .. '\"}') end "       \
	"for i = 1, tonumber(ARGV[2]) do redis.call('ZADD', KEYS[1], "         \
	"1000 + i, string.format('%016d', i) .. '{\"id\":\"x' .. i .. "        \
	"'\",\"a\":\"' .. string.rep('x', 262144) .. '\"}') end"

/* How often a command was carried out since the statistics were reset. */
static int
calls(const char *command)
{
	redisReply *reply = redis_server_command(script_server, "INFO "
								"commandstats");
	char label[64];
	const char *found;
	int n = 0;

	snprintf(label, sizeof(label), "cmdstat_%s:calls=", command);
	found = strstr(reply->str, label);
	if (found != NULL)
		n = atoi(found + strlen(label));
	freeReplyObject(reply);
	return n;
}

static size_t
bytes_of(const redisReply *reply)
{
	size_t n = reply->type == REDIS_REPLY_STRING ? reply->len : 0, i;

	for (i = 0; i < reply->elements; i++)
		n += bytes_of(reply->element[i]);
	return n;
}

static redisReply *
call(const struct script_case *t)
{
	redisReply *reply;

	redis_server_run(script_server, "CONFIG RESETSTAT");
	reply = script_call(t);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
	return reply;
}

static void
bounds_open(void)
{
	script_server_open();
	redis_server_run(script_server, "FLUSHALL");
}

/* --- levels -------------------------------------------------------------- */

/* Each is told of a window of levels, and has looked at no others. */
static const struct {
	struct script_case call;
	size_t told; /* how many */
} walks[] = {
    {{SCRIPT_VIEW_WAITING,
      {Q, K("levels")},
      {"", "0", "500", "1048576", TOMB},
      {NULL}},
     WINDOW},
    {{SCRIPT_REMOVE,
      {Q, K("levels"), K("delayed"), K("withdrawn"), K("leaving"),
       K("uniques")},
      {"none", "1000", "0", "2000", TOMB, "", "", ""},
      {NULL}},
     WINDOW},
    {{SCRIPT_PURGE,
      {Q, K("levels"), K("delayed"), K("withdrawn"), K("uniques")},
      {"500", "1048576", TOMB},
      {NULL}},
     WINDOW},
    {{SCRIPT_QUEUE,
      {Q, K("levels"), K("delayed"), K("dead"), K("paused"), K("withdrawn"),
       K("lanes"), K("served"), K("unknown")},
      {TOMB, "=held"},
      {NULL}},
     256},
    {{SCRIPT_CLAIM,
      {Q, K("levels"), K("inflight:w"), K("paused"), K("withdrawn"), K("lanes"),
       K("limits"), K("lane:=held"), K("uniques")},
      {"10", "1000", "100000", TOMB, "4"},
      {NULL}},
     WINDOW},
};

START_TEST(a_script_names_a_window_of_the_levels)
{
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 0 %d", MAKE_LEVELS, LEVELS);
	reply = call(&walks[_i].call);
	ck_assert_uint_eq(reply->elements, 1);
	ck_assert_uint_eq(reply->element[0]->elements, walks[_i].told);
	ck_assert_int_le(calls("llen") + calls("lrange") + calls("lindex"), 12);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(lengths_names_a_window_of_the_levels)
{
	static const struct script_case t = {
	    SCRIPT_LENGTHS, {K("levels"), K("p:1"), K("p:2")}, {"2"}, {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 0 %d", MAKE_LEVELS, LEVELS);
	reply = call(&t);
	ck_assert_uint_eq(reply->elements, 1 + 256);
	ck_assert_int_eq(reply->element[0]->integer, 2);
	ck_assert_str_eq(reply->element[1]->str, "3");
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* What a submission to a queue of too many levels is told, which has that limit of
 * its length. */
static redisReply *
submit_beside_levels(const char *limit)
{
	const struct script_case t = {
	    SCRIPT_SUBMIT,
	    {Q, K("levels"), K("delayed"), K("withdrawn"), K("lanes"),
	     K("uniques"), K("p:5")},
	    {limit, "flowrra:control", "wake", "1", "256", "7", "5", "0", "0",
	     TASK, "t", "0", "0", ""},
	    {NULL}};

	bounds_open();
	redis_server_run(script_server, "EVAL %s 0 %d", MAKE_LEVELS, LEVELS);
	return call(&t);
}

/* Of a queue without a limit nothing is counted. */
START_TEST(a_submission_reads_levels_only_where_the_length_is_limited)
{
	redisReply *reply = submit_beside_levels("0");

	ck_assert_int_eq(reply->element[0]->integer, 1);
	ck_assert_int_eq(calls("zrange"), 0);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(a_limited_queue_with_too_many_levels_takes_none_and_counts_none)
{
	redisReply *reply = submit_beside_levels("9999");

	ck_assert_uint_eq(reply->elements, 1);
	ck_assert_int_eq(reply->element[0]->integer, 3);
	ck_assert_int_le(calls("llen"), 2);
	ck_assert_int_eq(calls("lpush"), 0);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* --- bytes --------------------------------------------------------------- */

/* A page of small ones, behind which large ones lie, has few of these. */
static const struct {
	const char *make;
	struct script_case call;
} pages[] = {
    {MAKE_LIST,
     {SCRIPT_PURGE,
      {Q, K("levels"), K("delayed"), K("withdrawn"), K("uniques")},
      {"500", "1048576", TOMB},
      {NULL}}},
    {MAKE_LIST,
     {SCRIPT_VIEW_WAITING,
      {Q, K("levels")},
      {"", "0", "500", "1048576", TOMB},
      {NULL}}},
    {MAKE_LIST,
     {SCRIPT_VIEW_IN_FLIGHT,
      {Q},
      {"1", "0", "0", "500", "1048576", TOMB},
      {NULL}}},
    {MAKE_LIST,
     {SCRIPT_INFLIGHT,
      {Q, K("dead"), K("dead:tasks"), K("dead:info"), K("withdrawn"),
       K("running")},
      {"9999999", "\"w\"", TOMB, "1", "1048576", "0", ""},
      {NULL}}},
    {MAKE_LIST,
     {SCRIPT_CLAIM,
      {Q, K("levels"), K("inflight:w"), K("paused"), K("withdrawn"), K("lanes"),
       K("limits"), K("lane:=held"), K("uniques")},
      {"500", "9999999", "1048576", TOMB, "128"},
      {NULL}}},
    {MAKE_SET,
     {SCRIPT_PURGE_LANE,
      {Q, K("lanes"), K("uniques")},
      {"n", "500", "1048576"},
      {NULL}}},
    {MAKE_SET,
     {SCRIPT_VIEW_SORTED, {Q}, {"0", "500", "1048576", "", ""}, {NULL}}},
};

/* At every number of small ones: somewhere the stretch of the script that reads
 * many at once ends among the large ones. */
START_TEST(a_page_has_bytes_for_one_look_more_than_it_may)
{
	static const int small[] = {0, 1, 5, 9, 20, 63, 73, 100, 200};
	redisReply *reply;
	size_t i;

	bounds_open();
	for (i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		redis_server_run(script_server, "FLUSHALL");
		redis_server_run(script_server, "EVAL %s 1 %s %d %d",
				 pages[_i].make, Q, small[i], N_LARGE);
		reply = call(&pages[_i].call);
		ck_assert_msg(bytes_of(reply) <= 4 * PAGE,
			      "%d small ones: %zu bytes", small[i],
			      bytes_of(reply));
		ck_assert_uint_gt(bytes_of(reply), 0);
		freeReplyObject(reply);
	}
	redis_server_stop(script_server);
}
END_TEST

/* What a search has passed over, it tells. */
START_TEST(a_search_passes_over_few_that_are_large)
{
	static const struct script_case search[] = {
	    {SCRIPT_REMOVE,
	     {Q, K("levels"), K("delayed"), K("withdrawn"), K("leaving"),
	      K("uniques")},
	     {"none", "0", "0", "2000", TOMB, "", "", ""},
	     {NULL}},
	    {SCRIPT_REMOVE_LANE,
	     {Q, K("lanes"), K("uniques"), K("leaving")},
	     {"none", "n", "0", "2000", ""},
	     {NULL}}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s 0 %d",
			 _i == 0 ? MAKE_LIST : MAKE_SET, Q, N_LARGE);
	reply = call(&search[_i]);
	/* The place to go on, in its own place in each. */
	ck_assert_int_gt(reply->element[_i == 0]->integer, 0);
	ck_assert_int_le(reply->element[_i == 0]->integer, 16);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(a_lane_goes_back_a_few_large_ones_at_a_time)
{
	static const struct script_case t = {
	    SCRIPT_UNLANE,
	    {Q, K("lanes"), K("served"), K("delayed")},
	    {"n", "200", "524288"},
	    {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s 9 %d", MAKE_SET, Q,
			 N_LARGE);
	reply = call(&t);
	ck_assert_int_eq(reply->integer, 1);
	ck_assert_int_le(calls("zadd"), 2 + 9 + 8);
	ck_assert_int_ge(calls("zadd"), 9);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* Of what is due within a day: small ones and large ones, and a name that a worker
 * has. */
#define MAKE_DELAYED                                                           \
	"local now = redis.call('TIME')[1] * 1000 "                            \
	"redis.call('ZADD', KEYS[3], 9e12, 'n') "                              \
	"redis.call('ZADD', KEYS[2], 1000, 'n') "                              \
	"for i = 1, tonumber(ARGV[1]) do redis.call('ZADD', KEYS[1], "         \
	"now + 10000 + i, '{\"id\":\"s' .. i .. '\"}') end "                   \
	"for i = 1, tonumber(ARGV[2]) do redis.call('ZADD', KEYS[1], "         \
	"now + 1e6 + i, '{\"id\":\"x' .. i .. '\",\"name\":\"n\",\"a\":\"' "   \
	".. string.rep('x', 262144) .. '\",\"unknown\":1}') end"

START_TEST(what_is_recalled_is_looked_for_a_few_large_ones_at_a_time)
{
	static const struct script_case t = {
	    SCRIPT_RECALL,
	    {K("delayed"), K("unknown"), K("served")},
	    {"", "", "0", "86400000", "250", "262144", "n"},
	    {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 3 %s %s %s 9 %d", MAKE_DELAYED,
			 K("delayed"), K("unknown"), K("served"), N_LARGE);
	reply = call(&t);
	/* Not the end: the place is told. */
	ck_assert_uint_eq(reply->elements, 4);
	ck_assert_int_ge(reply->element[0]->integer, 1);
	ck_assert_int_le(reply->element[0]->integer, 8);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(what_is_recalled_is_looked_for_some_hundreds_at_a_time)
{
	static const struct script_case t = {
	    SCRIPT_RECALL,
	    {K("delayed"), K("unknown"), K("served")},
	    {"", "", "0", "86400000", "250", "262144", "n"},
	    {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 3 %s %s %s 2000 0",
			 MAKE_DELAYED, K("delayed"), K("unknown"), K("served"));
	reply = call(&t);
	ck_assert_uint_eq(reply->elements, 4);
	ck_assert_int_eq(reply->element[0]->integer, 0);
	ck_assert_int_le(calls("zrange"), 20);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* --- one that is too large ------------------------------------------------ */

#define BURY_KEYS                                                              \
	{                                                                      \
		Q, K("dead"), K("dead:tasks"), K("dead:info"), K("limits"),    \
		    K("running"), K("held"), K("ready"), K("counting"),        \
		    K("idlers"), K("uniques")                                  \
	}

static redisReply *
bury(const char *whole, const char *place)
{
	const struct script_case t = {
	    SCRIPT_BURY,
	    BURY_KEYS,
	    {"{\"id\":\"x7\",\"a\":\"xxxxxxxxxxxxxxxx\"}", "x7", "{}", "0",
	     whole, place, "w", "flowrra:control", "wake"},
	    {NULL}};

	return call(&t);
}

START_TEST(one_that_is_too_large_is_looked_for_near_its_place)
{
	char whole[24];
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s 0 %d", MAKE_LIST, Q,
			 N_LARGE);
	snprintf(whole, sizeof(whole), "%d",
		 LARGE + (int)strlen("{\"id\":\"x7\",\"a\":\"\"}"));
	/* Far from there: not found, after a few looks. */
	reply = bury(whole, "40");
	ck_assert_int_eq(reply->integer, 0);
	ck_assert_int_le(calls("lindex"), 10);
	ck_assert_int_eq(calls("lrange"), 0);
	freeReplyObject(reply);
	/* Some that lay before it are gone. */
	reply = bury(whole, _i == 0 ? "6" : "8");
	ck_assert_int_eq(reply->integer, 1);
	freeReplyObject(reply);
	reply = redis_server_command(script_server, "LLEN %s", Q);
	ck_assert_int_eq(reply->integer, N_LARGE - 1);
	freeReplyObject(reply);
	reply = redis_server_command(script_server, "HSTRLEN %s x7",
				     K("dead:tasks"));
	ck_assert_int_eq(reply->integer, atoi(whole));
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

/* --- one task ------------------------------------------------------------- */

/* The first claim of a worker does not know yet how large they are. */
START_TEST(a_first_claim_takes_few_large_ones)
{
	static const struct script_case t = {
	    SCRIPT_CLAIM,
	    {Q, K("levels"), K("inflight:w"), K("paused"), K("withdrawn"),
	     K("lanes"), K("limits"), K("lane:=held"), K("uniques")},
	    {"500", "9999999", "300000", TOMB, "4"},
	    {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s 0 9", MAKE_LIST, Q);
	reply = call(&t);
	ck_assert_uint_le(bytes_of(reply), 2 * LARGE + 100);
	ck_assert_uint_gt(bytes_of(reply), LARGE);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

#define MAKE_IDS                                                               \
	"redis.call('LPUSH', KEYS[1], '{\"args\":[' .. "                       \
	"string.rep(ARGV[1], tonumber(ARGV[2])) .. '1]}')"

static const struct {
	const char *part;
	int n;
	bool read;
} lost_ones[] = {
    {"{\"id\":\"a\"},", 1000, true},
    {"{\"id\":\"a\"},", 20000, false}, /* to take out each one takes time */
    {"123456789012,", 20000, true},
    {"123456789012,", 60000, false},
    {"\"\\u0041\",", 3000, true},
    {"\"\\u0041\",", 5400, false}, /* decoding takes ten times as long */
};

START_TEST(what_looks_for_lost_tasks_reads_no_more_than_it_may)
{
	static const struct script_case t = {SCRIPT_LOST,
					     {Q, K("levels"), K("delayed"),
					      K("dead"), K("lanes"),
					      "flowrra:workers", K("leaving")},
					     {"3000", "524288", "t"},
					     {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s %s %d", MAKE_IDS, Q,
			 lost_ones[_i].part, lost_ones[_i].n);
	reply = call(&t);
	ck_assert_int_eq(reply->type == REDIS_REPLY_ARRAY, lost_ones[_i].read);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(what_looks_for_lost_tasks_names_no_more_lists_than_tasks)
{
	static const struct script_case t = {SCRIPT_LOST,
					     {Q, K("levels"), K("delayed"),
					      K("dead"), K("lanes"),
					      "flowrra:workers", K("leaving")},
					     {"999", "524288", "t"},
					     {NULL}};
	redisReply *reply;

	bounds_open();
	redis_server_run(script_server, "EVAL %s 1 %s %d", MAKE_LEVELS,
			 K("levels"), LEVELS);
	reply = call(&t);
	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	ck_assert_int_eq(calls("zrange"), 0);
	freeReplyObject(reply);
	redis_server_stop(script_server);
}
END_TEST

SUITE("redis-bounds")
{
	TEST(a_first_claim_takes_few_large_ones);
	TEST_LOOP(what_looks_for_lost_tasks_reads_no_more_than_it_may, 0,
		  sizeof(lost_ones) / sizeof(lost_ones[0]));
	TEST(what_looks_for_lost_tasks_names_no_more_lists_than_tasks);
	TEST_LOOP(a_script_names_a_window_of_the_levels, 0,
		  (int)(sizeof(walks) / sizeof(walks[0])));
	TEST(lengths_names_a_window_of_the_levels);
	TEST(a_submission_reads_levels_only_where_the_length_is_limited);
	TEST(a_limited_queue_with_too_many_levels_takes_none_and_counts_none);
	TEST_LOOP(a_page_has_bytes_for_one_look_more_than_it_may, 0,
		  (int)(sizeof(pages) / sizeof(pages[0])));
	TEST_LOOP(a_search_passes_over_few_that_are_large, 0, 2);
	TEST(a_lane_goes_back_a_few_large_ones_at_a_time);
	TEST(what_is_recalled_is_looked_for_a_few_large_ones_at_a_time);
	TEST(what_is_recalled_is_looked_for_some_hundreds_at_a_time);
	TEST_LOOP(one_that_is_too_large_is_looked_for_near_its_place, 0, 2);
}
