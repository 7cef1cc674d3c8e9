/* SPDX-License-Identifier: MIT */
/* Repeated requests: which are run again, and which get the answer of the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"
#include "web/desk.h"
#include "web/replay.h"

static _Atomic int runs;

static int
answer_long(struct web_call *call, size_t n)
{
	struct buf bytes = BUF_INIT;

	while (bytes.len < n)
		buf_addc(&bytes, 'x');
	return web_answer_bytes(call, "text/plain", &bytes);
}

static int
run_counted(struct web_call *call, struct err *err)
{
	const int64_t wanted = web_int(call, "status", 200);

	runs++;
	if (web_int(call, "bytes", 0) > 0)
		return answer_long(call, (size_t)web_int(call, "bytes", 0));
	if (wanted >= 400) {
		web_status(call, (unsigned int)wanted);
		return err_set(err, ERR_DATA, "as wanted");
	}
	web_field(call, "Location", "/there");
	return web_answer(
	    call, json_pack("{s:i,s:s?}", "run", runs, "id", web_task_id(call)),
	    err);
}

static const struct web_param counted_params[] = {
    {"status", WEB_INT, WEB_QUERY, .help = "a status"},
    {"bytes", WEB_INT, WEB_QUERY, .help = "how long the answer is"},
    {"x", WEB_JSON, WEB_BODY, .help = "anything"},
    {.name = NULL}};
static const struct web_route counted = {HTTP_POST, "/test", WEB_OPERATOR,
					 .params = counted_params,
					 .run = run_counted};

/* The status and, in d->bytes, the answer. */
static unsigned int
post_run(struct desk *d, const char *query, const char *key, const char *body)
{
	struct web_call *call = desk_post(d, &counted, query, key, body);
	unsigned int status;

	web_call_run(call, &d->worker);
	buf_done(&d->bytes);
	d->bytes = call->bytes;
	call->bytes = (struct buf)BUF_INIT;
	status = call->status;
	web_call_free(call);
	return status;
}

START_TEST(a_request_with_a_key_is_run_once_for_each_user)
{
	struct desk *d = desk_open(DESK_SQLITE);
	char *first;

	runs = 0;
	ck_assert_uint_eq(post_run(d, "", "k", "{\"x\":1}"), 200);
	first = strdup(d->bytes.data);
	ck_assert_uint_eq(post_run(d, "", "k", "{\"x\":1}"), 200);
	ck_assert_str_eq(d->bytes.data, first);
	ck_assert_int_eq(runs, 1);
	ck_assert_uint_eq(post_run(d, "", "k", "{\"x\":2}"), 422);
	ck_assert_uint_eq(post_run(d, "status=200", "k", "{\"x\":1}"), 422);
	ck_assert_int_eq(runs, 1);
	snprintf(d->who.user, sizeof(d->who.user), "other");
	ck_assert_uint_eq(post_run(d, "", "k", "{\"x\":1}"), 200);
	ck_assert_int_eq(runs, 2);
	ck_assert_str_ne(d->bytes.data, first);
	/* A token of that name is another, and sees no answer of the user's. */
	free(first);
	first = strdup(d->bytes.data);
	d->who.kind = WEB_BY_USER;
	post_run(d, "", "k", "{\"x\":1}");
	ck_assert_int_eq(runs, 3);
	ck_assert_str_ne(d->bytes.data, first);
	/* And one whose role has changed may not see what that one saw. */
	d->who.role = WEB_VIEWER;
	post_run(d, "", "k", "{\"x\":1}");
	ck_assert_int_eq(runs, 4);
	/* Without a key, each is a request of its own. */
	post_run(d, "", NULL, "");
	post_run(d, "", NULL, "");
	ck_assert_int_eq(runs, 6);
	free(first);
	desk_close(d);
}
END_TEST

static const char *const passing[] = {"status=503", "status=409", "status=429"};

START_TEST(a_failure_that_may_pass_is_not_repeated)
{
	struct desk *d = desk_open(DESK_SQLITE);

	runs = 0;
	post_run(d, passing[_i], "a", "");
	post_run(d, passing[_i], "a", "");
	ck_assert_int_eq(runs, 2);
	post_run(d, "status=422", "b", "");
	post_run(d, "status=422", "b", "");
	ck_assert_int_eq(runs, 3);
	desk_close(d);
}
END_TEST

START_TEST(a_second_request_while_the_first_is_under_way_is_refused)
{
	struct desk *d = desk_open(DESK_SQLITE);
	struct web_call *call = desk_post(d, &counted, "", "k", "");
	struct replay_answer *answer;
	struct err err = ERR_INIT;

	runs = 0;
	ck_assert_int_eq(replay_begin(d->shared.replay, call, &answer, &err),
			 0);
	ck_assert_uint_eq(post_run(d, "", "k", ""), 409);
	ck_assert_int_eq(runs, 0);
	call->status = 500;
	replay_end(d->shared.replay, answer, call);
	ck_assert_uint_eq(post_run(d, "", "k", ""), 200);
	web_call_free(call);
	desk_close(d);
}
END_TEST

/* --- how long and how many ---------------------------------------------------- */

static int64_t now_us = 1000000000;

static int64_t
replay_now(void)
{
	return now_us;
}

static struct desk *
open_timed(void)
{
	static const struct clock_source clock = {.mono_us = replay_now};
	struct desk *d = desk_open(DESK_SQLITE);

	clock_replace(&clock);
	/* Each request is a line otherwise. */
	log_set_level(LOG_LEVEL_warning);
	runs = 0;
	return d;
}

START_TEST(an_answer_is_kept_for_a_day)
{
	struct desk *d = open_timed();

	post_run(d, "", "k", "");
	now_us += (int64_t)REPLAY_LIFE_S * 1000000 - 1;
	post_run(d, "", "k", "");
	ck_assert_int_eq(runs, 1);
	now_us += 1;
	post_run(d, "", "k", "");
	ck_assert_int_eq(runs, 2);
	clock_replace(NULL);
	desk_close(d);
}
END_TEST

START_TEST(a_request_that_runs_for_a_day_is_run_once_all_the_same)
{
	struct desk *d = open_timed();
	struct web_call *call = desk_post(d, &counted, "", "k", "");
	struct replay_answer *answer;
	struct err err = ERR_INIT;

	ck_assert_int_eq(replay_begin(d->shared.replay, call, &answer, &err),
			 0);
	now_us += (int64_t)REPLAY_LIFE_S * 1000000 + 1;
	ck_assert_uint_eq(post_run(d, "", "k", ""), 409);
	ck_assert_int_eq(runs, 0);
	call->status = 200;
	replay_end(d->shared.replay, answer, call);
	web_call_free(call);
	clock_replace(NULL);
	desk_close(d);
}
END_TEST

/* Asks n times, with a key for each, and then whether the first and the last of
 * them are still known. */
static void
ask_many(struct desk *d, const char *query, int n, bool *ret_first,
	 bool *ret_last)
{
	char key[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_uint_eq(post_run(d, query, key, ""), 200);
	}
	ck_assert_int_eq(runs, n);
	post_run(d, query, key, "");
	*ret_last = runs == n;
	post_run(d, query, "0", "");
	*ret_first = runs == n;
}

/* As many as there are, and one more each time: how much all are. */
static const struct {
	const char *query;
	int most;
} bounds[] = {
    {"", REPLAY_MAX},
    {"bytes=262144", REPLAY_BYTES_MAX / 262144},
};

START_TEST(the_oldest_answers_make_room)
{
	struct desk *d = open_timed();
	bool first, last;

	ask_many(d, bounds[_i].query, bounds[_i].most - 1, &first, &last);
	ck_assert(last && first);
	desk_close(d);
	d = open_timed();
	ask_many(d, bounds[_i].query, bounds[_i].most + 1, &first, &last);
	ck_assert(last && !first);
	clock_replace(NULL);
	desk_close(d);
}
END_TEST

START_TEST(a_key_that_is_no_key_is_refused)
{
	struct desk *d = desk_open(DESK_SQLITE);
	char longest[REPLAY_KEY_MAX + 2];

	memset(longest, 'k', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	runs = 0;
	ck_assert_uint_eq(post_run(d, "", "", ""), 400);
	ck_assert_uint_eq(post_run(d, "", "a b", ""), 400);
	ck_assert_uint_eq(post_run(d, "", longest, ""), 400);
	ck_assert_uint_eq(post_run(d, "", longest + 1, ""), 200);
	ck_assert_int_eq(runs, 1);
	desk_close(d);
}
END_TEST

START_TEST(the_id_of_a_task_is_made_of_user_and_key)
{
	char a[37], b[37];

	replay_task_id("u", "k", a);
	replay_task_id("u", "k", b);
	ck_assert_str_eq(a, b);
	ck_assert_uint_eq(strlen(a), 36);
	ck_assert_int_eq(a[14], '8');
	replay_task_id("uk", "", b);
	ck_assert_str_ne(a, b);
	replay_task_id("v", "k", b);
	ck_assert_str_ne(a, b);
}
END_TEST

SUITE("web-replay")
{
	TEST(a_request_with_a_key_is_run_once_for_each_user);
	TEST_LOOP(a_failure_that_may_pass_is_not_repeated, 0, 3);
	TEST(a_second_request_while_the_first_is_under_way_is_refused);
	TEST(an_answer_is_kept_for_a_day);
	TEST(a_request_that_runs_for_a_day_is_run_once_all_the_same);
	TEST_LOOP(the_oldest_answers_make_room, 0, 2);
	TEST(a_key_that_is_no_key_is_refused);
	TEST(the_id_of_a_task_is_made_of_user_and_key);
}
