/* SPDX-License-Identifier: MIT */
/* Submitters: what is their own, and that nothing else can be had. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "web/crew.h"
#include "web/desk.h"
#include "web/hand.h"
#include "web/routes.h"

#define ADD "{\"name\":\"add\",\"args\":[1,2],\"queue\":\"io\"}"
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

/* The text with the id in the place of its "%s". */
static const char *
ask_of(const char *text, const char *id)
{
	static char made[512];
	const char *place = strstr(text, "%s");

	snprintf(made, sizeof(made), "%.*s%s%s", (int)(place - text), text, id,
		 place + 2);
	return made;
}

START_TEST(a_submitter_sees_and_cancels_its_own_alone)
{
	static const char *const looks[] = {
	    "/api/v1/tasks/%s", "/api/v1/tasks/%s/record",
	    "/api/v1/tasks/%s/logs", "/api/v1/tasks/%s/wait?timeout=0"};
	struct desk *d = begin(_i, NULL);
	char *id;
	size_t i;

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", ADD), 201);
	id = strdup(desk_text(d, "task_id"));
	ck_assert_int_eq(strncmp(id, "uid1000:", 8), 0);
	/* Its own has no result yet. */
	ck_assert_uint_eq(
	    desk_ask(d, "GET", ask_of("/api/v1/tasks/%s/result", id), NULL),
	    409);
	for (i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		ck_assert_uint_eq(
		    desk_ask(d, "GET", ask_of(looks[i], id), NULL), 200);
		/* Without what all of its own begin with. */
		ck_assert_uint_eq(
		    desk_ask(d, "GET", ask_of(looks[i], id + 8), NULL), 200);
	}
	become(d, WEB_SUBMITTER, BERT, "bert");
	for (i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		ck_assert_uint_eq(
		    desk_ask(d, "GET", ask_of(looks[i], id), NULL), 404);
		ck_assert_uint_eq(
		    desk_ask(d, "GET", ask_of(looks[i], id + 8), NULL), 404);
	}
	ck_assert_uint_eq(
	    desk_ask(d, "GET", ask_of("/api/v1/tasks/%s/result", id), NULL),
	    404);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", ask_of("/api/v1/tasks/%s/cancel", id), "{}"),
	    404);
	/* The first uid is a part of another one. */
	become(d, WEB_SUBMITTER, 100, "carl");
	ck_assert_uint_eq(
	    desk_ask(d, "GET", ask_of("/api/v1/tasks/0:%s", id + 8), NULL),
	    404);
	become(d, WEB_SUBMITTER, ANNA, "anna");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", ask_of("/api/v1/tasks/%s/cancel", id), "{}"),
	    200);
	ck_assert_str_eq(desk_text(d, "outcome"), "cancelled");
	free(id);
	desk_close(d);
}
END_TEST

START_TEST(lists_have_a_submitters_own_alone)
{
	struct desk *d = begin(_i, NULL);
	const char *theirs;

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"add\",\"queue\":\"io\","
				   "\"id\":\"a\"}"),
			  201);
	become(d, WEB_SUBMITTER, BERT, "bert");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"add\",\"queue\":\"io\","
				   "\"id\":\"b\"}"),
			  201);
	theirs = desk_walk(d, "/api/v1/tasks?state=pending", NULL);
	ck_assert_str_eq(theirs, "uid1001:b ");
	/* Where a page ends would tell what others' tasks have in them. */
	ck_assert_uint_eq(desk_ask(d, "GET",
				   "/api/v1/tasks?state=pending&limit=1&"
				   "args.0=1",
				   NULL),
			  403);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/tasks?state=failed&error=x", NULL),
	    403);
	become(d, WEB_VIEWER, BERT, "bert");
	theirs = desk_walk(d, "/api/v1/tasks?state=pending", NULL);
	ck_assert_ptr_nonnull(strstr(theirs, "uid1000:a"));
	ck_assert_ptr_nonnull(strstr(theirs, "uid1001:b"));
	desk_close(d);
}
END_TEST

/* Two users with one key have two tasks, and neither learns of the other. */
START_TEST(ids_and_keys_are_of_each_submitter)
{
	static const char body[] = "{\"name\":\"add\",\"queue\":\"io\","
				   "\"unique\":\"k\",\"id\":\"x\"}";
	struct desk *d = begin(_i, NULL);

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", body), 201);
	become(d, WEB_SUBMITTER, BERT, "bert");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", body), 201);
	ck_assert_str_eq(desk_text(d, "task_id"), "uid1001:x");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/tasks",
		     "{\"name\":\"add\",\"queue\":\"io\",\"unique\":\"k\"}"),
	    201);
	ck_assert_str_eq(desk_text(d, "task_id"), "uid1001:x");
	desk_header(d, "Idempotency-Key", "same");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", ADD), 201);
	ck_assert_int_eq(strncmp(desk_text(d, "task_id"), "uid1001:", 8), 0);
	/* The same key and body, and the name of the other user. */
	become(d, WEB_SUBMITTER, ANNA, "bert");
	desk_header(d, "Idempotency-Key", "same");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", ADD), 201);
	ck_assert_int_eq(strncmp(desk_text(d, "task_id"), "uid1000:", 8), 0);
	become(d, WEB_SUBMITTER, BERT, "bert");
	desk_close(d);
}
END_TEST

START_TEST(a_repetition_with_a_key_makes_no_second_task)
{
	struct desk *d = begin(_i, NULL);
	struct web_replay *replay = d->shared.replay;
	char *id;

	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", ADD), 201);
	id = strdup(desk_text(d, "task_id"));
	/* As after a restart of the server. */
	d->shared.replay = NULL;
	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", ADD), 201);
	ck_assert_str_eq(desk_text(d, "task_id"), id);
	ck_assert_str_eq(desk_walk(d, "/api/v1/tasks?state=pending", NULL),
			 ask_of("%s ", id));
	free(id);
	d->shared.replay = replay;
	desk_close(d);
}
END_TEST

START_TEST(what_a_submitter_may_submit_is_the_configurations)
{
	static const struct {
		const char *body;
		unsigned int status;
	} asked[] = {
	    {ADD, 201},
	    {"{\"name\":\"fail\",\"queue\":\"io\"}", 403},
	    {"{\"name\":\"render\",\"queue\":\"io\"}", 201},
	    /* Names that no worker has are for those who run one. */
	    {"{\"name\":\"rendering\",\"queue\":\"io\",\"force\":true}", 403},
	    {"{\"name\":\"render\",\"flow\":\"W\"}", 403},
	    {"{\"name\":\"exec.run\",\"kwargs\":{\"argv\":[\"id\"]},\"queue\":"
	     "\"run\"}",
	     403},
	    {"{\"queue\":\"io\"}", 422}};
	struct desk *d = begin(_i, "web.submit_tasks=add rend*");
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_assert_msg(desk_ask(d, "POST", "/api/v1/tasks",
				       asked[i].body) == asked[i].status,
			      "%s: %u", asked[i].body, d->status);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/batch",
				   ADD "\n{\"name\":\"fail\"}\n" ADD "\n"),
			  200);
	ck_assert_ptr_nonnull(
	    strstr(d->bytes.data, "{\"line\":1,\"task_id\":\"uid1000:"));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "{\"line\":2,\"error\":"));
	ck_assert_ptr_nonnull(
	    strstr(d->bytes.data, "{\"line\":3,\"task_id\":\"uid1000:"));
	desk_close(d);
}
END_TEST

/* Commands are run for who has a store alone, whatever the role. */
START_TEST(nobody_submits_a_command_line)
{
	static const enum web_role roles[] = {WEB_SUBMITTER, WEB_OPERATOR};
	struct desk *d = begin(_i, NULL);
	size_t i;

	for (i = 0; i < 2; i++) {
		become(d, roles[i], ANNA, "anna");
		ck_assert_uint_ge(
		    desk_ask(d, "POST", "/api/v1/tasks",
			     "{\"name\":\"exec.run\",\"queue\":\"run\","
			     "\"force\":true,\"kwargs\":{\"argv\":[\"id\"]}}"),
		    400);
		desk_ask(d, "POST", "/api/v1/tasks/batch",
			 "{\"name\":\"exec.run\",\"queue\":\"run\","
			 "\"force\":true,\"kwargs\":{\"argv\":[\"id\"]}}\n");
		ck_assert_ptr_nonnull(strstr(d->bytes.data, "\"error\""));
	}
	become(d, WEB_OPERATOR, 0, "root");
	ck_assert_str_eq(desk_walk(d, "/api/v1/tasks?state=pending", NULL), "");
	desk_close(d);
}
END_TEST

/* All that a role may use, of the table: a route that is added is for none. */
START_TEST(a_submitter_has_these_routes_and_no_others)
{
	static const char *const own[] = {"/api/v1/tasks",
					  "/api/v1/tasks/batch",
					  "/api/v1/tasks/{id}",
					  "/api/v1/tasks/{id}/record",
					  "/api/v1/tasks/{id}/wait",
					  "/api/v1/tasks/{id}/result",
					  "/api/v1/tasks/{id}/logs",
					  "/api/v1/tasks/{id}/cancel",
					  "/api/v1/queues",
					  "/api/v1/queues/{queue}",
					  "/api/v1/registry",
					  "/api/v1/registry/{name}",
					  "/api/v1/health",
					  "/api/v1/me",
					  "/metrics",
					  "/api/v1/session",
					  "/healthz",
					  "/readyz"};
	static const char *const schedules[] = {
	    "/api/v1/schedules",
	    "/api/v1/schedules/{id}",
	    "/api/v1/schedules/{id}/next",
	    "/api/v1/schedules/{id}/fires",
	    "/api/v1/schedules/{id}/enable",
	    "/api/v1/schedules/{id}/disable",
	    "/api/v1/schedules/{id}/run"};
	const struct web_route *const *table;
	const struct web_route *r;
	bool found;
	size_t i;

	for (table = web_routes; *table != NULL; table++)
		for (r = *table; r->path != NULL; r++) {
			for (i = 0, found = false;
			     i < sizeof(own) / sizeof(own[0]); i++)
				found |= strcmp(own[i], r->path) == 0 &&
					 r->method != HTTP_DELETE;
			for (i = 0;
			     i < sizeof(schedules) / sizeof(schedules[0]); i++)
				found |= strcmp(schedules[i], r->path) == 0;
			found |= strcmp(r->path, "/api/v1/session") == 0;
			ck_assert_msg(routes_permit(r, WEB_SUBMITTER) == found,
				      "%s", r->path);
			/* Those who look do not change things by it. */
			ck_assert_msg(r->role < WEB_OPERATOR ||
					  !routes_permit(r, WEB_VIEWER),
				      "%s", r->path);
		}
}
END_TEST

START_TEST(ids_that_do_not_fit_are_refused)
{
	struct desk *d = begin(_i, NULL);
	char id[201], body[400];

	memset(id, 'x', 200);
	id[200] = '\0';
	snprintf(body, sizeof(body),
		 "{\"name\":\"add\",\"queue\":\"io\",\"id\":\"%s\"}", id);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", body), 422);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", ask_of("/api/v1/tasks/%s", id), NULL), 422);
	desk_close(d);
}
END_TEST

SUITE("web-own")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_submitter_sees_and_cancels_its_own_alone);
	TEST_BOTH(lists_have_a_submitters_own_alone);
	TEST_BOTH(ids_and_keys_are_of_each_submitter);
	TEST_BOTH(a_repetition_with_a_key_makes_no_second_task);
	TEST_BOTH(what_a_submitter_may_submit_is_the_configurations);
	TEST_BOTH(nobody_submits_a_command_line);
	TEST(a_submitter_has_these_routes_and_no_others);
	TEST_BOTH(ids_that_do_not_fit_are_refused);
}
