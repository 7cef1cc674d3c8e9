/* SPDX-License-Identifier: MIT */
/* Repeated requests and jobs of the frame. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "web/desk.h"
#include "web/jobs.h"
#include "web/replay.h"

/* --- repeated requests ------------------------------------------------------- */

static _Atomic int runs;

static int
run_counted(struct web_call *call, struct err *err)
{
	const int64_t wanted = web_int(call, "status", 200);

	runs++;
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
    {"x", WEB_JSON, WEB_BODY, .help = "anything"},
    {NULL}};
static json_t *run_job(struct web_job *job, struct flowrra_client *client,
		       void *arg, struct err *err);
static int
run_begin_job(struct web_call *call, struct err *err)
{
	web_audit(call, "test", "all", 0);
	return web_job_begin(call, "test.job", run_job, NULL, NULL, err);
}

static const struct web_route test_routes[] = {
    {HTTP_POST, "/test", WEB_OPERATOR, .params = counted_params,
     .run = run_counted},
    {HTTP_POST, "/job", WEB_OPERATOR, .run = run_begin_job},
    WEB_ROUTES_END};

static struct web_call *
post(struct desk *d, const char *path, const char *query, const char *key,
     const char *body)
{
	static const struct web_route *const tables[] = {test_routes, NULL};
	struct web_pairs headers = {.n = 0};
	struct web_ask ask = {.method = HTTP_POST,
			      .path = path,
			      .query = query,
			      .body = slice_of(body),
			      .headers = &headers,
			      .who = d->who,
			      .peer = ""};
	char copy[32];
	struct web_match match;
	struct web_call *call;
	struct err err;

	d->shared.tables = tables;
	if (key != NULL)
		web_pairs_add(&headers, "Idempotency-Key", key, &err);
	snprintf(copy, sizeof(copy), "%s", path);
	routes_find(tables, HTTP_POST, copy, &match);
	ck_assert_ptr_nonnull(match.route);
	call = web_call_new(&d->shared, match.route, &ask, &err);
	ck_assert_ptr_nonnull(call);
	web_pairs_done(&headers);
	return call;
}

/* The status and, in d->bytes, the answer. */
static unsigned int
post_run(struct desk *d, const char *query, const char *key, const char *body)
{
	struct web_call *call = post(d, "/test", query, key, body);
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
	/* Without a key, each is a request of its own. */
	post_run(d, "", NULL, "");
	post_run(d, "", NULL, "");
	ck_assert_int_eq(runs, 5);
	free(first);
	desk_close(d);
}
END_TEST

START_TEST(a_failure_that_may_pass_is_not_repeated)
{
	struct desk *d = desk_open(DESK_SQLITE);

	runs = 0;
	post_run(d, "status=503", "a", "");
	post_run(d, "status=503", "a", "");
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
	struct web_call *call = post(d, "/test", "", "k", "");
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

/* --- jobs --------------------------------------------------------------------- */

static pthread_mutex_t job_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t job_changed = PTHREAD_COND_INITIALIZER;
static int job_may_end;
static _Atomic int jobs_seen_stop;

static json_t *
run_job(struct web_job *job, struct flowrra_client *client, void *arg,
	struct err *err)
{
	struct timespec until;
	int64_t n = 1;
	bool go_on = web_job_progress(job, n);

	pthread_mutex_lock(&job_lock);
	while (!job_may_end && go_on && (go_on = web_job_progress(job, ++n))) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&job_changed, &job_lock, &until);
	}
	pthread_mutex_unlock(&job_lock);
	jobs_seen_stop += !go_on;
	return json_pack("{s:I}", "turns", (json_int_t)n);
}

static char *
begin_job(struct desk *d, unsigned int *ret_status)
{
	struct web_call *call = post(d, "/job", "", NULL, "");
	json_t *answer;
	char *id = NULL;

	web_call_run(call, &d->worker);
	*ret_status = call->status;
	answer = json_loadb(call->bytes.data, call->bytes.len, 0, NULL);
	if (json_object_get(answer, "job") != NULL)
		id = strdup(json_string_value(json_object_get(answer, "job")));
	json_decref(answer);
	web_call_free(call);
	d->shared.tables = web_routes;
	return id;
}

/* Waits until a job is in this state. */
static void
await_state(struct desk *d, const char *id, const char *state)
{
	const int64_t deadline = clock_mono_us() + 10000000;
	char target[80];

	snprintf(target, sizeof(target), "/api/v1/jobs/%s", id);
	do
		ck_assert_int_lt(clock_mono_us(), deadline);
	while (strcmp(json_string_value(
			  json_object_get(desk_get(d, target), "state")),
		      state) != 0);
}

START_TEST(a_job_tells_how_far_it_is_and_what_came_of_it)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	char *id = begin_job(d, &status);

	ck_assert_uint_eq(status, 202);
	await_state(d, id, "running");
	pthread_mutex_lock(&job_lock);
	job_may_end = 1;
	pthread_cond_broadcast(&job_changed);
	pthread_mutex_unlock(&job_lock);
	await_state(d, id, "done");
	ck_assert(json_is_integer(desk_at(d, "result", "turns", NULL)));
	ck_assert_int_gt(json_integer_value(desk_at(d, "done", NULL)), 0);
	free(id);
	desk_close(d);
}
END_TEST

START_TEST(a_job_can_be_stopped_and_is_when_the_daemon_ends)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	char *id = begin_job(d, &status), target[80];

	free(begin_job(d, &status));
	snprintf(target, sizeof(target), "/api/v1/jobs/%s", id);
	ck_assert_uint_eq(desk_ask(d, "DELETE", target, NULL), 200);
	await_state(d, id, "stopped");
	ck_assert_uint_eq(desk_ask(d, "DELETE", target, NULL), 409);
	free(id);
	desk_close(d);
	ck_assert_int_eq(jobs_seen_stop, 2);
}
END_TEST

START_TEST(no_more_than_eight_jobs_run_at_the_same_time)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	int i;

	for (i = 0; i < JOBS_RUNNING_MAX; i++) {
		free(begin_job(d, &status));
		ck_assert_uint_eq(status, 202);
	}
	ck_assert_ptr_null(begin_job(d, &status));
	ck_assert_uint_eq(status, 409);
	desk_close(d);
}
END_TEST

SUITE("web-replay")
{
	TEST(a_request_with_a_key_is_run_once_for_each_user);
	TEST(a_failure_that_may_pass_is_not_repeated);
	TEST(a_second_request_while_the_first_is_under_way_is_refused);
	TEST(a_key_that_is_no_key_is_refused);
	TEST(the_id_of_a_task_is_made_of_user_and_key);
	TEST(a_job_tells_how_far_it_is_and_what_came_of_it);
	TEST(a_job_can_be_stopped_and_is_when_the_daemon_ends);
	TEST(no_more_than_eight_jobs_run_at_the_same_time);
}
