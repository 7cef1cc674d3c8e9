/* SPDX-License-Identifier: MIT */
/* The frame's parts: masks, repeated requests, jobs, threads, routes, files. */
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "web/audit.h"
#include "web/desk.h"
#include "web/jobs.h"
#include "web/mask.h"
#include "web/pool.h"
#include "web/replay.h"
#include "web/static.h"

/* --- masks ------------------------------------------------------------------ */

static const struct {
	const char *text, *masked;
} texts[] = {
    {"nothing to hide", "nothing to hide"},
    {"password=sesame", "password=•••"},
    {"PASSWORD: sesame next", "PASSWORD: ••• next"},
    {"{\"password\": \"a\\\"b\", \"x\": 1}", "{\"password\": •••, \"x\": 1}"},
    {"{\\\"password\\\": \\\"sesame\\\"}", "{\\\"password\\\": •••}"},
    {"my_secret_key='x y' z", "my_secret_key=••• z"},
    {"https://h/?password=sesame&x=1", "https://h/?password=•••&x=1"},
    {"the password is long", "the password is long"},
    {"passwords=x", "passwords=x"},
    {"password=", "password="},
    {"password", "password"},
    {"password=\"open", "password=•••"},
    {"", ""},
    /* Commands, paths of names, Python, headers, text within text. */
    {"run --password=sesame x", "run --password=••• x"},
    {"run --password sesame x", "run --password ••• x"},
    {"run --password --x", "run --password --x"},
    {"db.password: sesame", "db.password: •••"},
    {"--db.password=sesame", "--db.password=•••"},
    {"{'password': b'a b', 'x': 1}", "{'password': •••, 'x': 1}"},
    {"d['password'] = 'a b'", "d['password'] = •••"},
    {"password => a b", "password => ••• b"},
    {"{\"a_secret\": [\"a\", \"b]\"], \"x\": 1}",
     "{\"a_secret\": •••, \"x\": 1}"},
    {"secret={'a': {'b': 1}} x", "secret=••• x"},
    {"{\\\"password\\\": \\\"a\\\\\\\"b\\\", x}", "{\\\"password\\\": •••, x}"},
    {"x-secret: Bearer abc.def x", "x-secret: ••• x"},
    {"secret=[open", "secret=•••"},
};

START_TEST(a_text_is_masked_behind_the_names_that_are_hidden)
{
	struct err err;
	struct web_mask *mask = mask_new("password, *secret*", &err);
	struct buf out = BUF_INIT;

	mask_text(mask, texts[_i].text, &out);
	ck_assert_str_eq(out.data != NULL ? out.data : "", texts[_i].masked);
	buf_done(&out);
	mask_free(mask);
}
END_TEST

START_TEST(a_value_behind_an_option_and_bytes_in_base64_are_masked)
{
	struct err err;
	struct web_mask *mask = mask_new("password", &err);
	json_t *value = json_loads(
	    "{\"args\":[\"--password\",\"x\",\"y\"],\"bytes_base64\":\"cA==\"}",
	    0, NULL);
	json_t *wanted = json_loads("{\"args\":[\"--password\",\"•••\",\"y\"],"
				    "\"bytes_base64\":\"•••\"}",
				    0, NULL);

	mask_json(mask, value);
	ck_assert(json_equal(value, wanted));
	json_decref(value);
	json_decref(wanted);
	mask_free(mask);
}
END_TEST

START_TEST(members_are_masked_at_any_depth_and_in_any_type)
{
	struct err err;
	struct web_mask *mask = mask_new("password *secret*", &err);
	json_t *value = json_loads(
	    "{\"args\":[{\"Password\":\"x\",\"deep\":[[{\"a_secret\":{\"y\":1}}"
	    "]]"
	    "}],\"error\":\"password=x\",\"n\":1,\"list\":[\"password: x\"]}",
	    0, NULL);
	json_t *wanted = json_loads("{\"args\":[{\"Password\":\"•••\",\"deep\":"
				    "[[{\"a_secret\":\"•••\"}]]"
				    "}],\"error\":\"password=•••\",\"n\":1,"
				    "\"list\":[\"password: •••\"]}",
				    0, NULL);

	mask_json(mask, value);
	ck_assert(json_equal(value, wanted));
	mask_free(mask);
	/* Nothing is hidden by nothing. */
	mask = mask_new("", &err);
	json_decref(value);
	value = json_loads("{\"password\":\"x\"}", 0, NULL);
	mask_json(mask, value);
	ck_assert_str_eq(json_string_value(json_object_get(value, "password")),
			 "x");
	json_decref(value);
	json_decref(wanted);
	mask_free(mask);
}
END_TEST

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

/* --- threads -------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static int n_done;

struct test_work {
	struct pool_work work;
	bool ran;
};

static void
run_blocked(struct pool_work *work, struct web_worker *worker)
{
	((struct test_work *)work)->ran = true;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}

static void
run_at_once(struct pool_work *work, struct web_worker *worker)
{
	((struct test_work *)work)->ran = true;
}

static void
on_test_done(struct pool_work *work)
{
	n_done++;
}

START_TEST(what_does_not_fit_is_refused_at_once_and_all_else_is_done)
{
	struct event_base *base = event_base_new();
	struct web_shared shared = {.conf = NULL};
	const struct pool_options options = {
	    .base = base, .shared = &shared, .threads = 2, .queue = 3};
	struct err err;
	struct pool_threads *pool = pool_threads_new(&options, &err);
	struct test_work work[6] = {{.ran = false}};
	const int64_t deadline = clock_mono_us() + 10000000;
	size_t i;

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 6; i++) {
		work[i].work.run = i < 2 ? run_blocked : run_at_once;
		work[i].work.on_done = on_test_done;
		ck_assert_int_eq(pool_put(pool, &work[i].work), i < 5 ? 0 : -1);
	}
	pthread_barrier_wait(&barrier);
	ck_assert(!work[2].ran);
	pthread_barrier_wait(&barrier);
	while (n_done < 5) {
		ck_assert_int_lt(clock_mono_us(), deadline);
		event_base_loop(base, EVLOOP_ONCE);
	}
	for (i = 0; i < 5; i++)
		ck_assert(work[i].ran);
	pool_threads_free(pool);
	event_base_free(base);
}
END_TEST

START_TEST(what_still_waits_when_a_pool_ends_is_told_so)
{
	struct event_base *base = event_base_new();
	struct web_shared shared = {.conf = NULL};
	const struct pool_options options = {
	    .base = base, .shared = &shared, .threads = 1, .queue = 8};
	struct err err;
	struct pool_threads *pool = pool_threads_new(&options, &err);
	struct test_work work[4] = {{.ran = false}};
	size_t i;

	for (i = 0; i < 4; i++) {
		work[i].work.run = run_at_once;
		work[i].work.on_done = on_test_done;
		ck_assert_int_eq(pool_put(pool, &work[i].work), 0);
	}
	pool_threads_free(pool);
	ck_assert_int_eq(n_done, 4);
	event_base_free(base);
}
END_TEST

/* --- routes and files --------------------------------------------------------------
 */

static const struct web_route found_routes[] = {
    {.method = HTTP_GET, .path = "/api/v1/dead"},
    {.method = HTTP_GET, .path = "/api/v1/dead/{id}"},
    {.method = HTTP_GET, .path = "/api/v1/dead/groups"},
    {.method = HTTP_POST, .path = "/api/v1/{kind}/retry"},
    {.method = HTTP_GET, .path = "/api/stats", .flags = WEB_SEED},
    {.method = HTTP_GET, .path = "/"},
    WEB_ROUTES_END};

static const struct {
	enum http_method method;
	const char *path, *route, *value;
	unsigned int methods;
} paths[] = {
    {HTTP_GET, "/api/v1/dead", "/api/v1/dead", NULL, 1u << HTTP_GET},
    {HTTP_GET, "/api/v1/dead/groups", "/api/v1/dead/groups", NULL,
     1u << HTTP_GET},
    {HTTP_GET, "/api/v1/dead/x y", "/api/v1/dead/{id}", "x y", 1u << HTTP_GET},
    {HTTP_GET, "/api/v1/dead/", NULL, NULL, 0},
    {HTTP_GET, "/api/v1/dead//", NULL, NULL, 0},
    {HTTP_GET, "/api/v1/dead/x/y", NULL, NULL, 0},
    {HTTP_GET, "/api/v1/de", NULL, NULL, 0},
    {HTTP_POST, "/api/v1/dead/retry", "/api/v1/{kind}/retry", "dead",
     1u << HTTP_GET | 1u << HTTP_POST},
    {HTTP_PUT, "/api/v1/dead", NULL, NULL, 1u << HTTP_GET},
    {HTTP_OTHER, "/api/v1/dead", NULL, NULL, 1u << HTTP_GET},
    {HTTP_GET, "/api/stats", "/api/stats", NULL, 1u << HTTP_GET},
    {HTTP_GET, "/api/stats/", "/api/stats", NULL, 1u << HTTP_GET},
    {HTTP_GET, "/api/stats//", NULL, NULL, 0},
    {HTTP_GET, "/", "/", NULL, 1u << HTTP_GET},
};

START_TEST(a_path_finds_its_route_the_literal_one_first)
{
	static const struct web_route *const tables[] = {found_routes, NULL};
	char path[64];
	struct web_match match;

	snprintf(path, sizeof(path), "%s", paths[_i].path);
	routes_find(tables, paths[_i].method, path, &match);
	ck_assert_uint_eq(match.methods, paths[_i].methods);
	if (paths[_i].route == NULL) {
		ck_assert_ptr_null(match.route);
		return;
	}
	ck_assert_ptr_nonnull(match.route);
	ck_assert_str_eq(match.route->path, paths[_i].route);
	if (paths[_i].value != NULL)
		ck_assert_str_eq(match.values[0].value, paths[_i].value);
}
END_TEST

START_TEST(pages_are_those_of_the_contract)
{
	static const char *const pages[] = {"/",
					    "/queues",
					    "/queues/io",
					    "/tasks",
					    "/tasks/x",
					    "/dead",
					    "/health",
					    "/schedules/new",
					    "/schedules/x",
					    "/login",
					    "/calendar",
					    "/schedules/x/edit",
					    "/workers/h:1",
					    "/tasks/"};
	static const char *const others[] = {
	    "/x", "/queues/io/x", "/api", "", "/tasks/x/y", "//", "/tasksx"};
	size_t i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		ck_assert_msg(static_is_page(pages[i]), "%s", pages[i]);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!static_is_page(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(files_are_there_as_they_are_and_packed)
{
	const struct static_file *file = static_find("index.html");

	ck_assert_ptr_nonnull(file);
	ck_assert(file->bytes.len > 0 && file->bytes.p[0] == '<');
	ck_assert_int_eq((unsigned char)file->packed.p[0], 0x1f);
	ck_assert_int_eq((unsigned char)file->packed.p[1], 0x8b);
	ck_assert_ptr_null(static_find("nothing"));
	ck_assert_uint_eq(strlen(static_digest()), 16);
	ck_assert(static_takes_gzip("br, gzip;q=0.5"));
	ck_assert(!static_takes_gzip("gzip;q=0"));
	ck_assert(!static_takes_gzip("br"));
	ck_assert(!static_takes_gzip(NULL));
}
END_TEST

START_TEST(viewers_see_masked_answers_and_operators_see_all)
{
	static const char *const hide[] = {"web.hide=password", NULL};
	struct desk *d = desk_open_with(DESK_SQLITE, hide);
	char *id = desk_submit(d, "add", "[{\"password\":\"sesame\"}]", "io");
	char target[80];

	snprintf(target, sizeof(target), "/api/v1/tasks/%s", id);
	desk_get(d, target);
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "sesame"));
	d->who.role = WEB_VIEWER;
	desk_get(d, target);
	ck_assert_ptr_null(strstr(d->bytes.data, "sesame"));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "•••"));
	free(id);
	desk_close(d);
}
END_TEST

START_TEST(the_audit_keeps_the_last_thousand)
{
	struct err err;
	struct web_audit *audit = audit_new(&err);
	struct audit_record record = {.user = "u",
				      .role = "operator",
				      .peer = "p",
				      .action = "a",
				      .target = "\xff",
				      .outcome = "done",
				      .request_id = "r"};
	json_t *value, *items;

	for (record.count = 0; record.count < AUDIT_MAX + 5; record.count++)
		audit_add(audit, &record);
	value = audit_json(audit, AUDIT_MAX);
	items = json_object_get(value, "items");
	ck_assert_uint_eq(json_array_size(items), AUDIT_MAX);
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_array_get(items, 0), "count")),
			 AUDIT_MAX + 4);
	json_decref(value);
	audit_free(audit);
}
END_TEST

#define N(table) (sizeof(table) / sizeof((table)[0]))

SUITE("web-frame")
{
	TEST_LOOP(a_text_is_masked_behind_the_names_that_are_hidden, 0,
		  N(texts));
	TEST(a_value_behind_an_option_and_bytes_in_base64_are_masked);
	TEST(members_are_masked_at_any_depth_and_in_any_type);
	TEST(a_request_with_a_key_is_run_once_for_each_user);
	TEST(a_failure_that_may_pass_is_not_repeated);
	TEST(a_second_request_while_the_first_is_under_way_is_refused);
	TEST(a_key_that_is_no_key_is_refused);
	TEST(the_id_of_a_task_is_made_of_user_and_key);
	TEST(a_job_tells_how_far_it_is_and_what_came_of_it);
	TEST(a_job_can_be_stopped_and_is_when_the_daemon_ends);
	TEST(no_more_than_eight_jobs_run_at_the_same_time);
	TEST(what_does_not_fit_is_refused_at_once_and_all_else_is_done);
	TEST(what_still_waits_when_a_pool_ends_is_told_so);
	TEST_LOOP(a_path_finds_its_route_the_literal_one_first, 0, N(paths));
	TEST(pages_are_those_of_the_contract);
	TEST(files_are_there_as_they_are_and_packed);
	TEST(viewers_see_masked_answers_and_operators_see_all);
	TEST(the_audit_keeps_the_last_thousand);
}
