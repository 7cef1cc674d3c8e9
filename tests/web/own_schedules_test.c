/* SPDX-License-Identifier: MIT */
/* Submitters: their schedules are their own, and as bounded as their tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/crew.h"
#include "web/desk.h"
#include "web/quota.h"

#define SCHEDULES "/api/v1/schedules"
#define EVERY                                                                  \
	"{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"1h\","             \
	"\"args\":[1,2],\"queue\":\"io\""
#define ANNA 1000
#define BERT 1001

static void
become(struct desk *d, enum web_role role, int64_t uid, const char *name)
{
	d->who = (struct web_identity){
	    .kind = WEB_BY_PEER, .role = role, .uid = uid};
	snprintf(d->who.user, sizeof(d->who.user), "%s", name);
}

static struct desk *
begin(int store, const char *setting)
{
	const char *settings[] = {setting, NULL};
	struct desk *d = desk_open_with((enum desk_store)store, settings);
	struct crew crew = {.n = 0};

	crew_visit(d, &crew);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	return d;
}

static void
ck_asks(struct desk *d, const char *method, const char *path, const char *body,
	unsigned int status)
{
	ck_assert_msg(desk_ask(d, method, path, body) == status, "%s %s %s: %u",
		      method, path, body != NULL ? body : "", d->status);
}

/* The IDs of the list, each with a space behind. */
static const char *
ids(struct desk *d, const char *target)
{
	static char text[2000];
	size_t i;

	text[0] = '\0';
	desk_get(d, target);
	for (i = 0; i < desk_n_items(d); i++) {
		strcat(text, desk_item(d, i, "id"));
		strcat(text, " ");
	}
	return text;
}

START_TEST(a_submitter_has_its_own_schedules_alone)
{
	static const struct {
		const char *method, *below, *body;
	} asked[] = {{"GET", "", NULL},		{"GET", "/next", NULL},
		     {"GET", "/fires", NULL},	{"POST", "/disable", "{}"},
		     {"POST", "/enable", "{}"}, {"POST", "/run", "{}"},
		     {"DELETE", "", NULL}};
	struct desk *d = begin(_i, NULL);
	char path[200];
	size_t i;

	become(d, WEB_OPERATOR, 0, "root");
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"a\"}", 201);
	ck_asks(d, "POST", SCHEDULES,
		"{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"9h\","
		"\"id\":\"uid2000:z\"}",
		201);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	ck_assert_str_eq(ids(d, SCHEDULES), "");
	/* The same as the operator's, but another. */
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"mine\"}", 201);
	ck_assert_str_eq(desk_text(d, "id"), "uid1000:mine");
	ck_assert_str_eq(desk_text(d, "overlap"), "skip");
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"uid1000:mine\"}", 200);
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"mine\",\"priority\":3}",
		409);
	ck_assert_str_eq(ids(d, SCHEDULES), "uid1000:mine ");
	become(d, WEB_SUBMITTER, BERT, "bert");
	ck_assert_str_eq(ids(d, SCHEDULES), "");
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		snprintf(path, sizeof(path), SCHEDULES "/uid1000:mine%s",
			 asked[i].below);
		ck_asks(d, asked[i].method, path, asked[i].body, 404);
		snprintf(path, sizeof(path), SCHEDULES "/a%s", asked[i].below);
		ck_asks(d, asked[i].method, path, asked[i].body, 404);
	}
	become(d, WEB_SUBMITTER, 100, "carl");
	ck_asks(d, "GET", SCHEDULES "/0:mine", NULL, 404);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		snprintf(path, sizeof(path), SCHEDULES "/mine%s",
			 asked[i].below);
		ck_asks(d, asked[i].method, path, asked[i].body,
			strcmp(asked[i].below, "/run") == 0	 ? 201
			: strcmp(asked[i].method, "DELETE") == 0 ? 204
								 : 200);
	}
	become(d, WEB_OPERATOR, 0, "root");
	ck_assert_str_eq(ids(d, SCHEDULES), "a uid2000:z ");
	desk_close(d);
}
END_TEST

/* Neither the end of a page nor a cursor tells of others. */
START_TEST(lists_name_no_schedule_of_another)
{
	struct desk *d = begin(_i, NULL);
	char body[400];
	int i;

	for (i = 0; i < 5; i++) {
		become(d, WEB_SUBMITTER, ANNA + i % 2, "x");
		snprintf(body, sizeof(body), EVERY ",\"id\":\"s%d\"}", i);
		ck_asks(d, "POST", SCHEDULES, body, 201);
	}
	become(d, WEB_SUBMITTER, ANNA, "anna");
	ck_assert_str_eq(ids(d, SCHEDULES "?limit=2"),
			 "uid1000:s0 uid1000:s2 ");
	ck_assert_ptr_nonnull(desk_text(d, "next"));
	ck_assert_str_eq(ids(d, SCHEDULES "?limit=3"),
			 "uid1000:s0 uid1000:s2 uid1000:s4 ");
	ck_assert(json_is_null(json_object_get(d->answer, "next")));
	ck_assert_str_eq(ids(d, SCHEDULES "?text=s2"), "uid1000:s2 ");
	ck_asks(d, "GET", SCHEDULES "?order=next", NULL, 403);
	become(d, WEB_SUBMITTER, 10, "dora");
	ck_assert_str_eq(ids(d, SCHEDULES), "");
	desk_close(d);
}
END_TEST

START_TEST(a_submitter_schedules_what_it_may_submit)
{
	static const struct {
		const char *body;
		unsigned int status;
	} asked[] = {
	    {EVERY "}", 201},
	    {EVERY "}", 200},
	    {EVERY ",\"overlap\":\"skip\",\"id\":\"x\"}", 201},
	    {EVERY ",\"overlap\":\"allow\",\"id\":\"y\"}", 403},
	    {EVERY ",\"overlap\":\"replace\",\"id\":\"y\"}", 403},
	    {EVERY
	     ",\"workflow\":{\"steps\":[{\"name\":\"add\"}]},\"id\":\"y\"}",
	     403},
	    {EVERY ",\"force\":true,\"id\":\"y\"}", 403},
	    {"{\"task\":\"fail\",\"type\":\"interval\",\"rule\":\"1h\"}", 403},
	    {"{\"task\":\"rendering\",\"type\":\"interval\",\"rule\":\"1h\"}",
	     422},
	    {"{\"task\":\"exec.run\",\"type\":\"interval\",\"rule\":\"1h\"}",
	     403},
	    {"{\"task\":\"add\",\"type\":\"cron\",\"rule\":\"0 25 * * *\"}",
	     422},
	    {"{\"type\":\"interval\",\"rule\":\"1h\"}", 403}};
	struct desk *d = begin(_i, "web.submit_tasks=add rend*");
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_asks(d, "POST", SCHEDULES, asked[i].body, asked[i].status);
	/* One whose task is not among them any more runs no more by hand. */
	become(d, WEB_OPERATOR, 0, "root");
	ck_asks(d, "POST", SCHEDULES,
		"{\"task\":\"fail\",\"type\":\"interval\",\"rule\":\"1h\","
		"\"id\":\"uid1000:old\"}",
		201);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	ck_asks(d, "POST", SCHEDULES "/old/run", "{}", 403);
	ck_asks(d, "POST", SCHEDULES "/x/run", "{}", 201);
	ck_assert_int_eq(strncmp(desk_text(d, "task_id"), "uid1000:", 8), 0);
	desk_close(d);
}
END_TEST

/* It stays what a submitter may schedule, and its own. */
START_TEST(a_submitter_edits_its_own_schedules)
{
	static const struct {
		const char *id, *more;
		unsigned int status;
	} asked[] = {
	    {"x", ",\"priority\":3}", 200},
	    {"uid1000:x", ",\"id\":\"x\"}", 200},
	    {"x", ",\"id\":\"uid1000:x\"}", 200},
	    {"x", ",\"id\":\"y\"}", 422},
	    {"x", ",\"overlap\":\"allow\"}", 403},
	    {"x", ",\"overlap\":\"replace\"}", 403},
	    {"x", ",\"force\":true}", 403},
	    {"x", ",\"workflow\":{\"steps\":[{\"name\":\"add\"}]}}", 403},
	    {"theirs", "}", 404},
	    {"uid1001:z", "}", 404},
	    {"x", ",\"priority\":4}", 200}};
	struct desk *d = begin(_i, "web.submit_tasks=add");
	char path[100], body[400];
	size_t i;

	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"x\"}", 201);
	become(d, WEB_SUBMITTER, BERT, "bert");
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"z\"}", 201);
	become(d, WEB_OPERATOR, 0, "root");
	ck_asks(d, "POST", SCHEDULES,
		"{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"9h\","
		"\"id\":\"theirs\"}",
		201);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	ck_asks(d, "PUT", SCHEDULES "/x", EVERY "}", 428);
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		snprintf(path, sizeof(path), SCHEDULES "/%s", asked[i].id);
		snprintf(body, sizeof(body), EVERY "%s", asked[i].more);
		desk_header(d, "If-Match", "*");
		ck_asks(d, "PUT", path, body, asked[i].status);
	}
	ck_assert_str_eq(desk_text(d, "id"), "uid1000:x");
	ck_assert_str_eq(desk_text(d, "overlap"), "skip");
	ck_assert_int_eq(desk_number(d, "priority"), 4);
	desk_header(d, "If-Match", "*");
	ck_asks(d, "PUT", SCHEDULES "/x",
		"{\"task\":\"fail\",\"type\":\"interval\",\"rule\":\"1h\"}",
		403);
	desk_close(d);
}
END_TEST

/* Each may have an unfinished task. */
START_TEST(a_schedule_counts_as_an_unfinished_task)
{
	struct desk *d = begin(_i, "web.submit_max=3");

	d->shared.quota = quota_new();
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"a\"}", 201);
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"b\"}", 201);
	ck_asks(d, "POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":[1,2]}",
		201);
	ck_asks(d, "POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":[1,2]}",
		429);
	ck_asks(d, "POST", SCHEDULES "/a/run", "{}", 429);
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"c\"}", 429);
	ck_assert_ptr_nonnull(strstr(desk_text(d, "detail"), "2 schedules"));
	/* One that is there needs no room. */
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"a\"}", 200);
	ck_asks(d, "DELETE", SCHEDULES "/b", NULL, 204);
	ck_asks(d, "POST", SCHEDULES, EVERY ",\"id\":\"c\"}", 201);
	ck_asks(d, "POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":[1,2]}",
		429);
	/* Another server has seen nothing of it. */
	quota_free(d->shared.quota);
	d->shared.quota = quota_new();
	ck_asks(d, "POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":[1,2]}",
		429);
	become(d, WEB_SUBMITTER, BERT, "bert");
	ck_asks(d, "POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":[1,2]}",
		201);
	quota_free(d->shared.quota);
	d->shared.quota = NULL;
	desk_close(d);
}
END_TEST

SUITE("web-own-schedules")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_submitter_has_its_own_schedules_alone);
	TEST_BOTH(lists_name_no_schedule_of_another);
	TEST_BOTH(a_submitter_schedules_what_it_may_submit);
	TEST_BOTH(a_submitter_edits_its_own_schedules);
	TEST_BOTH(a_schedule_counts_as_an_unfinished_task);
}
