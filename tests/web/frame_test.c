/* SPDX-License-Identifier: MIT */
/* The frame's parts: threads, routes, files and the audit. */
#include <event2/event.h>
#include <pthread.h>
#include <string.h>

#include "suite.h"
#include "util/clock.h"
#include "web/audit.h"
#include "web/pool.h"
#include "web/static.h"

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
	TEST(what_does_not_fit_is_refused_at_once_and_all_else_is_done);
	TEST(what_still_waits_when_a_pool_ends_is_told_so);
	TEST_LOOP(a_path_finds_its_route_the_literal_one_first, 0, N(paths));
	TEST(pages_are_those_of_the_contract);
	TEST(files_are_there_as_they_are_and_packed);
	TEST(the_audit_keeps_the_last_thousand);
}
