/* SPDX-License-Identifier: MIT */
/* Routes of queues, tasks, the dead and workers, over both stores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "flowrra/client.h"
#include "manager/dead.h"
#include "manager/tasks.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"
#include "web/desk.h"

#include <event2/event.h>

static const char *
text_at(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

static int64_t
number_at(const struct desk *d, const char *name)
{
	return json_integer_value(desk_at(d, name, NULL));
}

static size_t
n_items(const struct desk *d)
{
	return json_array_size(desk_at(d, "items", NULL));
}

static const char *
item_text(const struct desk *d, size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(
	    json_array_get(desk_at(d, "items", NULL), i), name));

	return text != NULL ? text : "";
}

/* --- a worker's hand ------------------------------------------------------ */

/* A worker that claims what waits in "io" and buries it, or says that it has
 * succeeded. */
struct hand {
	struct event_base *base;
	struct stores stores;
	const char *info; /* NULL: it succeeds */
	unsigned int wanted, done;
	struct broker_settle settles[64];
	struct results_put puts[64];
	char ids[64][64], records[64][512];
};
static struct hand hand;

static void
hand_settled(struct broker_settle *settle)
{
	hand.done++;
}

static void
hand_stored(struct results_put *put)
{
	struct broker_settle *settle = put->arg;

	broker_settle(hand.stores.broker, settle);
}

static void
hand_on_claim(struct broker_claim *claim, void *arg)
{
	static unsigned int n;
	const unsigned int at = n++ % 64;
	struct broker_settle *settle = &hand.settles[at];
	json_t *task = json_loadb(claim->bytes.p, claim->bytes.len, 0, NULL);
	const char *id = json_string_value(json_object_get(task, "id"));
	const bool failed = hand.info != NULL;

	snprintf(hand.ids[at], sizeof(hand.ids[at]), "%s", id);
	snprintf(hand.records[at], sizeof(hand.records[at]),
		 "{\"task_id\":\"%s\",\"status\":\"%s\",\"task_name\":\"%s\","
		 "\"result\":[1.50],\"error\":%s,\"finished_at\":"
		 "\"2026-11-23T12:00:0%u.000000+00:00\",\"args\":[1],"
		 "\"kwargs\":{},\"queue\":\"io\",\"worker\":\"host:a\"}",
		 id, failed ? "failed" : "success",
		 json_string_value(json_object_get(task, "name")),
		 failed ? "\"disk full, password=sesame\"" : "null", at % 10);
	json_decref(task);
	*settle = (struct broker_settle){
	    .claim = claim,
	    .disposition = failed ? BROKER_BURY : BROKER_ACK,
	    .id = slice_of(hand.ids[at]),
	    .info = slice_of(failed ? hand.info : ""),
	    .on_done = hand_settled};
	hand.puts[at] =
	    (struct results_put){.id = slice_of(hand.ids[at]),
				 .record = slice_of(hand.records[at]),
				 .final = true,
				 .failed = failed,
				 .on_done = hand_stored,
				 .arg = settle};
	results_put(hand.stores.results, &hand.puts[at]);
}

static void
hand_nothing(struct broker_claim *claim, void *arg)
{
}

static void
hand_idle(void *arg)
{
}

static void
hand_control(struct slice message, void *arg)
{
}

static void
hand_state(bool up, bool final, const struct err *why, void *arg)
{
}

/* Has `n` tasks of "io" end so; NULL: well. */
static void
end_tasks(struct desk *d, unsigned int n, const char *info)
{
	static const char *const queues[] = {"io"};
	const int64_t end_ms = clock_mono_ms() + 10000;
	struct stores_options options = {.base = event_base_new(),
					 .conf = d->conf,
					 .on_broker_state = hand_state,
					 .on_results_state = hand_state,
					 .worker = "host:a",
					 .token = "1",
					 .predecessor = "",
					 .queues = queues,
					 .n_queues = 1,
					 .on_claim = hand_on_claim,
					 .on_lost = hand_nothing,
					 .on_kept = hand_nothing,
					 .on_idle = hand_idle,
					 .on_control = hand_control};
	struct err err = ERR_INIT;

	hand = (struct hand){.base = options.base, .info = info};
	ck_assert_msg(stores_open(&options, &hand.stores, &err) == 0, "%s",
		      err.msg);
	broker_want(hand.stores.broker, 0, n);
	while (hand.done < n) {
		ck_assert_msg(clock_mono_ms() < end_ms, "%u of %u ended",
			      hand.done, n);
		event_base_loop(hand.base, EVLOOP_ONCE);
	}
	broker_close(hand.stores.broker);
	results_close(hand.stores.results);
	event_base_free(hand.base);
}

static void
submit(struct desk *d, const char *id, const char *name, const char *args,
       const char *kwargs, double delay_s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;

	request.id = id;
	request.name = name;
	request.args = args;
	request.kwargs = kwargs;
	request.queue = "io";
	request.delay_s = delay_s;
	request.force = true;
	ck_assert_msg(flowrra_submit(d->client, &request, NULL, &error) == 0,
		      "%s", error.message);
}

/* --- lists ---------------------------------------------------------------- */

/* Ids of a list, step by step, each with a space behind; *ret_steps of them. */
static const char *
walk_through(struct desk *d, const char *target, size_t *ret_steps)
{
	static char ids[8192], at[1024];
	size_t i, len = 0, steps = 0;
	const char *next;

	ids[0] = '\0';
	snprintf(at, sizeof(at), "%s", target);
	do {
		desk_get(d, at);
		steps++;
		for (i = 0; i < n_items(d); i++)
			len +=
			    (size_t)snprintf(ids + len, sizeof(ids) - len,
					     "%s ", item_text(d, i, "task_id"));
		next = json_string_value(desk_at(d, "next", NULL));
		snprintf(at, sizeof(at), "%s&cursor=%s", target,
			 next != NULL ? next : "");
		ck_assert_uint_lt(steps, 100);
	} while (next != NULL);
	if (ret_steps != NULL)
		*ret_steps = steps;
	return ids;
}

START_TEST(a_list_is_walked_through_by_its_cursors)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i, steps;

	for (i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "w%zu", i);
		submit(d, id, i % 2 ? "odd" : "even", "[1]", NULL, 0);
		snprintf(id, sizeof(id), "d%zu", i);
		submit(d, id, "later", "[1]", NULL, 1000 * (double)(i + 1));
	}
	ck_assert_str_eq(
	    walk_through(d, "/api/v1/tasks?state=pending&limit=3", &steps),
	    "w6 w5 w4 w3 w2 w1 w0 ");
	ck_assert_uint_eq(steps, 3);
	ck_assert_str_eq(
	    walk_through(d, "/api/v1/tasks?state=pending&limit=2&task=odd",
			 NULL),
	    "w5 w3 w1 ");
	ck_assert_str_eq(
	    walk_through(d, "/api/v1/tasks?state=delayed&limit=2&queue=io",
			 &steps),
	    "d6 d5 d4 d3 d2 d1 d0 ");
	ck_assert_uint_eq(steps, 4);
	ck_assert_str_eq(
	    walk_through(d, "/api/v1/tasks?state=retrying&limit=2", NULL), "");
	desk_close(d);
}
END_TEST

START_TEST(what_has_ended_is_walked_through_and_filtered)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i;

	for (i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "s%zu", i);
		submit(d, id, i < 2 ? "old" : "new", "[1]", NULL, 0);
	}
	end_tasks(d, 5, NULL);
	ck_assert_uint_eq(strlen(walk_through(
			      d, "/api/v1/tasks?state=success&limit=2", NULL)),
			  strlen("s4 s3 s2 s1 s0 "));
	desk_get(d, "/api/v1/tasks?state=success&task=old&limit=1");
	ck_assert_uint_eq(n_items(d), 1);
	ck_assert_str_eq(item_text(d, 0, "state"), "success");
	ck_assert_str_eq(item_text(d, 0, "task_name"), "old");
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	desk_get(d, "/api/v1/tasks?state=success&worker=host:b");
	ck_assert_uint_eq(n_items(d), 0);
	ck_assert_int_eq(number_at(d, "looked_at"), 5);
	desk_get(d, "/api/v1/tasks?state=success&worker=host:a&args.0=1");
	ck_assert_uint_eq(n_items(d), 5);
	desk_get(d, "/api/v1/tasks?state=success&after=2026-11-23T11:00:00Z"
		    "&before=2026-11-23T13:00:00Z");
	ck_assert_uint_eq(n_items(d), 5);
	desk_get(d, "/api/v1/tasks?state=success&after=2026-11-24T00:00:00Z");
	ck_assert_uint_eq(n_items(d), 0);
	desk_close(d);
}
END_TEST

START_TEST(arguments_are_found_by_their_paths)
{
	static const struct {
		const char *query, *ids;
	} cases[] = {
	    {"args.0=1", "a "},
	    {"args.0=1.0", "a "},
	    {"args.1.user.id=42", "b "},
	    {"args.user.id=42", "c b "},
	    {"kwargs.user.id=42", "c "},
	    {"kwargs.user.id=42&args.0=x", ""},
	    {"kwargs.tags=[\"y\",\"z\"]", "c "},
	    {"kwargs.tags.1=z", "c "},
	    {"kwargs.a.b=dots", "c "},
	    {"args.flag=true", "c "},
	    {"args.flag=1", ""},
	    {"args.none=null", "c "},
	    /* Hostile: nothing is found, and nothing breaks. */
	    {"args.0.0.0.0.0=1", ""},
	    {"args.99999999999999999999=1", ""},
	    {"kwargs..=1", ""},
	    {"kwargs.user..id=42", ""},
	    {"args.0={", ""},
	};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[256];
	size_t i;

	submit(d, "a", "t", "[1]", NULL, 0);
	submit(d, "b", "t", "[\"x\",{\"user\":{\"id\":42}}]", NULL, 0);
	submit(d, "c", "t", "[]",
	       "{\"user\":{\"id\":42},\"tags\":[\"y\",\"z\"],\"a.b\":\"dots\","
	       "\"flag\":true,\"none\":null}",
	       0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?state=pending&%s", cases[i].query);
		ck_assert_msg(
		    strcmp(walk_through(d, target, NULL), cases[i].ids) == 0,
		    "%s: %s", cases[i].query, walk_through(d, target, NULL));
	}
	desk_close(d);
}
END_TEST

START_TEST(a_cursor_that_was_made_up_or_is_of_another_list_is_a_bad_request)
{
	static const char *const states[] = {"pending",	 "delayed", "running",
					     "retrying", "success", "failed"};
	static const char *const places[] = {
	    "",		"x",	    "0:io:",	 "0:io:9999999999999999999",
	    "1:a b:0",	"-1:io:0",  "501:io:0",	 "1:0:io",
	    "1:-1:io",	"0:0:io",   "::",	 "0::",
	    "0::x:y:z", "9:9:../x", "0:io:5:x:y"};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[2048], hash[17], *cursor;
	size_t i, k;

	for (i = 0; i < 3; i++)
		free(desk_submit(d, "t", "[]", "io"));
	desk_get(d, "/api/v1/tasks?limit=1");
	cursor = strdup(text_at(d, "next"));
	ck_assert_uint_gt(strlen(cursor), 17);
	snprintf(target, sizeof(target),
		 "/api/v1/tasks?limit=1&task=t&cursor=%s", cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	ck_assert_str_eq(text_at(d, "field"), "cursor");
	snprintf(target, sizeof(target), "/api/v1/dead?cursor=%s", cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	/* The limit is no part of the filter. */
	snprintf(target, sizeof(target), "/api/v1/tasks?limit=2&cursor=%s",
		 cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 200);
	free(cursor);
	for (k = 0; k < 6; k++) {
		/* Its right hash, as a client could keep it. */
		const struct task_filter none = {.queue = NULL};
		static const enum tasks_state of[] = {
		    TASKS_WAITING,  TASKS_DELAYED,   TASKS_RUNNING,
		    TASKS_RETRYING, TASKS_COMPLETED, TASKS_FAILED};

		snprintf(hash, sizeof(hash), "%016llx",
			 (unsigned long long)task_filter_hash(&none, of[k]));
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(target, sizeof(target),
				 "/api/v1/tasks?state=%s&cursor=%s.%s",
				 states[k], hash, places[i]);
			desk_ask(d, "GET", target, NULL);
			/* A place that could be one is the only other answer. */
			ck_assert_msg(d->status == 400 || d->status == 200,
				      "%s: %u", target, d->status);
		}
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?state=%s&cursor=%s.x", states[k], hash);
		ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	}
	memset(target, 'x', sizeof(target) - 1);
	memcpy(target, "/api/v1/tasks?cursor=", 21);
	target[sizeof(target) - 1] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	desk_close(d);
}
END_TEST

START_TEST(a_filter_that_can_match_nothing_is_a_bad_request)
{
	static const char *const bad[] = {
	    "state=nope",
	    "after=2026-11-23T12:00:00Z&before=2026-11-23T11:00:00Z",
	    "after=yesterday",
	    "args.=1",
	    "kwargs.=1",
	    "limit=0",
	    "limit=501",
	    "taks=x"};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[8192];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target), "/api/v1/tasks?%s", bad[i]);
		ck_assert_msg(desk_ask(d, "GET", target, NULL) == 400, "%s: %u",
			      bad[i], d->status);
	}
	submit(d, "a", "t", "[]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks?queue=nope", NULL),
			  404);
	memset(target, 'x', sizeof(target));
	memcpy(target, "/api/v1/tasks?error=", 20);
	target[4000] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	strcpy(target, "/api/v1/tasks?");
	for (i = 0; i < 17; i++)
		sprintf(target + strlen(target), "args.%zu=1&", i);
	target[strlen(target) - 1] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	desk_close(d);
}
END_TEST

/* --- the dead ------------------------------------------------------------- */

#define DISK                                                                   \
	"{\"reason\":\"failed\",\"error\":\"disk full\\nat "                   \
	"3\",\"attempts\":1}"

START_TEST(the_dead_are_listed_grouped_put_back_and_deleted)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i;

	for (i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "x%zu", i);
		submit(d, id, "t", "[7]", NULL, 0);
	}
	end_tasks(d, 3, DISK);
	end_tasks(d, 2, "{\"reason\":\"timeout\",\"error\":\"late\"}");
	ck_assert_uint_eq(strlen(walk_through(d, "/api/v1/dead?limit=2", NULL)),
			  15);
	desk_get(d, "/api/v1/dead?reason=timeout");
	ck_assert_uint_eq(n_items(d), 2);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "items", "0", "args", "0", NULL)), 7);
	desk_get(d, "/api/v1/dead?error=disk");
	ck_assert_uint_eq(n_items(d), 3);
	desk_get(d, "/api/v1/dead?before=-1h");
	ck_assert_uint_eq(n_items(d), 0);
	desk_get(d, "/api/v1/dead?after=-1h");
	ck_assert_uint_eq(n_items(d), 5);
	desk_get(d, "/api/v1/dead/groups");
	ck_assert_uint_eq(n_items(d), 2);
	ck_assert_str_eq(item_text(d, 0, "error"), "disk full");
	ck_assert_str_eq(item_text(d, 0, "queue"), "io");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "items", "0", "count", NULL)), 3);
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	/* A dry run changes nothing. */
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/dead/retry",
		     "{\"filter\":{\"reason\":\"timeout\"},\"dry_run\":true}"),
	    200);
	ck_assert_int_eq(number_at(d, "matched"), 2);
	ck_assert_int_eq(number_at(d, "done"), 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/dead/delete",
				   "{\"ids\":[\"x0\",\"nope\"]}"),
			  200);
	ck_assert_int_eq(number_at(d, "done"), 1);
	ck_assert_str_eq(json_string_value(desk_at(d, "missing", "0", NULL)),
			 "nope");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/x1/retry", NULL),
			  200);
	ck_assert_str_eq(text_at(d, "outcome"), "retried");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/x1/retry", NULL),
			  409);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x1", NULL), 409);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x2", NULL), 200);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x2", NULL), 404);
	desk_get(d, "/api/v1/dead");
	ck_assert_uint_eq(n_items(d), 2);
	desk_close(d);
}
END_TEST

START_TEST(a_change_without_a_selection_or_with_a_wrong_one_is_refused)
{
	static const char *const bad[] = {"{}",
					  "{\"ids\":[]}",
					  "{\"ids\":\"a\"}",
					  "{\"ids\":[1]}",
					  "{\"ids\":[\"a\"],\"filter\":{}}",
					  "{\"filter\":[]}",
					  "{\"filter\":{\"reson\":\"x\"}}",
					  "{\"filter\":{\"reason\":1}}",
					  "{\"filter\":{\"before\":\"soon\"}}",
					  "{\"filter\":null}",
					  "[]",
					  "{\"filter\":{},\"dry_run\":\"yes\"}",
					  "{\"filter\":{},\"all\":true}"};
	struct desk *d = desk_open((enum desk_store)_i);
	size_t i;

	submit(d, "a", "t", "[]", NULL, 0);
	end_tasks(d, 1, DISK);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    desk_ask(d, "POST", "/api/v1/dead/delete", bad[i]) == 400,
		    "%s: %u", bad[i], d->status);
	desk_get(d, "/api/v1/dead");
	ck_assert_uint_eq(n_items(d), 1);
	desk_close(d);
}
END_TEST

/* Waits for the job that the last answer names; its result is the answer. */
static void
await_job(struct desk *d)
{
	const int64_t end_ms = clock_mono_ms() + 15000;
	char target[80];

	ck_assert_uint_eq(d->status, 202);
	snprintf(target, sizeof(target), "/api/v1/jobs/%s", text_at(d, "job"));
	do {
		ck_assert_int_lt(clock_mono_ms(), end_ms);
		desk_get(d, target);
	} while (strcmp(text_at(d, "state"), "running") == 0);
	ck_assert_str_eq(text_at(d, "state"), "done");
}

START_TEST(all_that_matches_is_put_back_by_a_job)
{
	struct desk *d = desk_open((enum desk_store)_i);
	int i;

	for (i = 0; i < 6; i++)
		free(desk_submit(d, "t", "[]", "io"));
	end_tasks(d, 6, DISK);
	desk_ask(d, "POST", "/api/v1/dead/retry",
		 "{\"filter\":{\"error\":\"disk\"}}");
	await_job(d);
	ck_assert_int_eq(json_integer_value(desk_at(d, "result", "done", NULL)),
			 6);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(number_at(d, "waiting"), 6);
	ck_assert_int_eq(number_at(d, "dead"), 0);
	desk_close(d);
}
END_TEST

/* --- queues --------------------------------------------------------------- */

START_TEST(a_queue_is_shown_paused_and_purged)
{
	struct desk *d = desk_open((enum desk_store)_i);

	submit(d, "a", "t", "[]", NULL, 0);
	submit(d, "b", "t", "[]", NULL, 500);
	desk_get(d, "/api/v1/queues");
	ck_assert_uint_ge(n_items(d), 1);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(number_at(d, "waiting"), 1);
	ck_assert(json_is_real(desk_at(d, "age", NULL)));
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "levels", "0", "waiting", NULL)), 1);
	ck_assert(json_is_true(desk_at(d, "levels_complete", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/queues/nope", NULL), 404);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/pause", NULL),
			  200);
	desk_get(d, "/api/v1/queues/io");
	ck_assert(json_is_true(desk_at(d, "paused", NULL)));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/resume", NULL),
			  200);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge", "{}"),
			  400);
	ck_assert_str_eq(text_at(d, "field"), "confirm");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge",
				   "{\"dry_run\":true}"),
			  200);
	ck_assert_int_eq(number_at(d, "purged"), 2);
	desk_ask(d, "POST", "/api/v1/queues/io/purge", "{\"confirm\":\"io\"}");
	await_job(d);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "result", "purged", NULL)), 2);
	desk_get(d, "/api/v1/tasks/a");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "record", "reason", NULL)),
	    "cancelled");
	desk_close(d);
}
END_TEST

/* --- one task ------------------------------------------------------------- */

START_TEST(a_task_is_shown_with_its_attempts_and_its_result)
{
	struct desk *d = desk_open((enum desk_store)_i);

	submit(d, "report:20261123T090000Z", "t", "[1]", NULL, 0);
	desk_get(d, "/api/v1/tasks/report:20261123T090000Z");
	ck_assert_str_eq(text_at(d, "where"), "waiting");
	ck_assert_str_eq(json_string_value(desk_at(d, "schedule", "id", NULL)),
			 "report");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "schedule", "fire_at", NULL)),
	    "2026-11-23T09:00:00.000000+00:00");
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/tasks/report:20261123T090000Z/result",
		     NULL),
	    409);
	end_tasks(d, 1, NULL);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/tasks/report:20261123T090000Z/result",
		     NULL),
	    200);
	ck_assert_str_eq(d->bytes.data, "[1.50]");
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/nope/result", NULL),
			  404);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/nope", NULL), 404);
	submit(d, "b", "t", "[1]", NULL, 0);
	end_tasks(d, 1, DISK);
	desk_get(d, "/api/v1/tasks/b");
	ck_assert_str_eq(text_at(d, "where"), "dead");
	ck_assert(json_is_string(desk_at(d, "bytes", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/b/result", NULL),
			  409);
	submit(d, "c", "t", "[1]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/c/cancel", NULL),
			  200);
	ck_assert_str_eq(text_at(d, "outcome"), "cancelled");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/c/cancel", NULL),
			  409);
	desk_close(d);
}
END_TEST

START_TEST(a_delayed_task_is_run_now)
{
	struct desk *d = desk_open((enum desk_store)_i);

	submit(d, "later", "t", "[1]", NULL, 3600);
	submit(d, "waits", "t", "[1]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/later/run", NULL),
			  200);
	ck_assert_str_eq(text_at(d, "outcome"), "due");
	/* A worker gets both. */
	end_tasks(d, 2, NULL);
	desk_get(d, "/api/v1/tasks/later");
	ck_assert_str_eq(text_at(d, "where"), "finished");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/later/run", NULL),
			  409);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/nope/run", NULL),
			  404);
	desk_close(d);
}
END_TEST

/* --- submitting ----------------------------------------------------------- */

START_TEST(a_task_is_submitted_once_for_each_key)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct web_replay *replay = d->shared.replay;
	char *id;

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	ck_assert_str_eq(text_at(d, "queue"), "io");
	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	id = strdup(text_at(d, "task_id"));
	/* As after a restart: nothing of the first answer is kept. */
	d->shared.replay = NULL;
	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	ck_assert_str_eq(text_at(d, "task_id"), id);
	free(id);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(number_at(d, "waiting"), 2);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/tasks",
		     "{\"name\":\"t\",\"queue\":\"io\",\"nmae\":1}"),
	    422);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", "{"), 400);
	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", "{}"), 403);
	d->shared.replay = replay;
	desk_close(d);
}
END_TEST

START_TEST(each_line_of_a_batch_has_its_answer)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct buf body = BUF_INIT;
	const char *line;
	json_t *answer;
	size_t i, n = 0, errors = 0;

	for (i = 1; i <= 300; i++)
		buf_adds(&body, i == 150   ? "nonsense\n"
				: i == 151 ? "\n"
					   : "{\"name\":\"t\",\"queue\":\"io\","
					     "\"force\":true}\n");
	buf_addc(&body, '\0');
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/batch", body.data),
			  200);
	for (line = d->bytes.data; line < d->bytes.data + d->bytes.len;
	     line = strchr(line, '\n') + 1) {
		answer = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
		n++;
		if (json_object_get(answer, "error") != NULL) {
			errors++;
			ck_assert_int_eq(
			    json_integer_value(json_object_get(answer, "line")),
			    150);
		}
		json_decref(answer);
	}
	ck_assert_uint_eq(n, 299);
	ck_assert_uint_eq(errors, 1);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(number_at(d, "waiting"), 298);
	buf_done(&body);
	desk_close(d);
}
END_TEST

/* --- workers and the overview --------------------------------------------- */

START_TEST(workers_and_the_overview_are_told)
{
	struct desk *d = desk_open((enum desk_store)_i);

	submit(d, "a", "t", "[]", NULL, 0);
	desk_get(d, "/api/v1/workers");
	ck_assert_uint_eq(n_items(d), 0);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/workers/nope", NULL),
			  404);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workers/nope/stop", NULL), 404);
	submit(d, "b", "t", "[]", NULL, 0);
	end_tasks(d, 1, DISK);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     "{\"id\":\"soon\",\"task\":\"t\",\"queue\":\"io\","
		     "\"force\":true,\"type\":\"interval\","
		     "\"rule\":\"5m\"}"),
	    201);
	desk_get(d, "/api/v1/overview");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "next_fires", "0", "id", NULL)),
	    "soon");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "stats", "waiting", NULL)), 1);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "failures", "0", "count", NULL)), 1);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "workers", "slots", NULL)), 0);
	ck_assert(json_is_integer(desk_at(d, "findings", "errors", NULL)));
	ck_assert(json_is_integer(desk_at(d, "rates", "succeeded", NULL)));
	ck_assert(json_is_array(desk_at(d, "next_fires", NULL)));
	ck_assert(json_is_array(desk_at(d, "queues", NULL)));
	desk_close(d);
}
END_TEST

/* --- bounds --------------------------------------------------------------- */

START_TEST(a_list_of_100000_tasks_stays_within_its_bounds_and_says_so)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_batch *batch;
	int64_t begin_ms, looked_at = 0;
	char target[512];
	size_t i, steps = 0;

	request.name = "t";
	request.queue = "io";
	request.force = true;
	ck_assert_int_eq(flowrra_batch_new(d->client, &batch, NULL), 0);
	for (i = 0; i < 100000; i++) {
		request.args = i == 0 ? "[\"needle\"]" : "[\"hay\"]";
		ck_assert_int_eq(flowrra_batch_add(batch, &request, NULL), 0);
		if (i % 1000 == 999) {
			ck_assert_int_eq(flowrra_batch_send(batch, NULL), 0);
			flowrra_batch_reset(batch);
		}
	}
	flowrra_batch_free(batch);
	strcpy(target, "/api/v1/tasks?args.0=needle");
	do {
		begin_ms = clock_mono_ms();
		desk_get(d, target);
		/* A page more than the time that a step has. */
		ck_assert_int_lt(clock_mono_ms() - begin_ms, 2000);
		ck_assert_int_le(number_at(d, "looked_at"), 10500);
		looked_at += number_at(d, "looked_at");
		ck_assert_uint_lt(++steps, 1000);
		if (n_items(d) == 0 && *text_at(d, "next") != '\0')
			ck_assert(json_is_false(desk_at(d, "complete", NULL)));
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?args.0=needle&cursor=%s",
			 text_at(d, "next"));
	} while (n_items(d) == 0 && *text_at(d, "next") != '\0');
	ck_assert_uint_eq(n_items(d), 1);
	ck_assert_uint_gt(steps, 5);
	ck_assert_int_eq(looked_at, 100000);
	desk_get(d, "/api/v1/tasks?limit=50");
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	ck_assert_int_eq(number_at(d, "looked_at"), 50);
	desk_close(d);
}
END_TEST

#define TEST_BOTH(name) TEST_LOOP(name, 0, DESK_N_STORES)

/* A filter that matched what is hidden would confirm each guess. */
START_TEST(a_viewer_finds_nothing_by_what_is_hidden)
{
	static const char *const guesses[] = {
	    "/api/v1/tasks?args.user.password=sesame",
	    "/api/v1/tasks?kwargs.user.password=sesame",
	    "/api/v1/tasks?kwargs.user={\"name\":\"a\",\"password\":"
	    "\"sesame\"}",
	    "/api/v1/tasks?args.1=sesame",
	    "/api/v1/dead?error=password=ses",
	    "/api/v1/dead/groups?error=password=s",
	    "/api/v1/tasks?state=failed&error=password=s"};
	struct desk *d = desk_open((enum desk_store)_i);
	size_t i;

	submit(d, "w", "t", "[1]", NULL, 0);
	end_tasks(d, 1,
		  "{\"reason\":\"failed\",\"error\":\"disk password=sesame\"}");
	submit(d, "s", "t", "[\"--password\",\"sesame\"]",
	       "{\"user\":{\"name\":\"a\",\"password\":\"sesame\"}}", 0);
	for (i = 0; i < 6; i++) {
		desk_get(d, guesses[i]);
		ck_assert_msg(n_items(d) == 1, "%s: %zu", guesses[i],
			      n_items(d));
	}
	d->who.role = WEB_VIEWER;
	for (i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		desk_get(d, guesses[i]);
		ck_assert_msg(n_items(d) == 0, "%s", guesses[i]);
	}
	desk_get(d, "/api/v1/tasks?kwargs.user.name=a");
	ck_assert_uint_eq(n_items(d), 1);
	desk_get(d, "/api/v1/dead?error=disk");
	ck_assert_uint_eq(n_items(d), 1);
	ck_assert_str_eq(item_text(d, 0, "error"), "disk password=•••");
	desk_close(d);
}
END_TEST

/* Problems quote what they are about. */
START_TEST(the_error_of_a_failed_task_is_masked_in_a_problem_too)
{
	struct desk *d = desk_open((enum desk_store)_i);

	submit(d, "w", "t", "[1]", NULL, 0);
	end_tasks(d, 1,
		  "{\"reason\":\"failed\",\"error\":\"password=sesame\"}");
	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/w/result", NULL),
			  409);
	ck_assert_msg(strstr(d->bytes.data, "sesame") == NULL, "%s",
		      d->bytes.data);
	desk_close(d);
}
END_TEST

/* A line of one byte has an answer of hundreds. */
START_TEST(a_batch_of_many_lines_has_an_answer_with_an_end)
{
	struct desk *d = desk_open((enum desk_store)_i);
	const size_t n = 1000000;
	char *body = malloc(2 * n + 1), *last;
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(body + 2 * i, "1\n", 2);
	body[2 * n] = '\0';
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/batch", body),
			  200);
	ck_assert_uint_lt(d->bytes.len, 32 << 20);
	last = strstr(d->bytes.data, "{\"line\":100001,");
	ck_assert_ptr_nonnull(last);
	ck_assert_ptr_nonnull(strstr(last, "\"status\":413"));
	ck_assert_str_eq(strchr(last, '\n'), "\n");
	free(body);
	desk_close(d);
}
END_TEST

/* 40 MiB in 40 tasks: no answer is longer than two of them, and none is missed. */
START_TEST(a_list_of_long_tasks_comes_in_short_answers)
{
	static const char *const lists[] = {
	    "/api/v1/tasks?state=pending&limit=500",
	    "/api/v1/tasks?state=delayed&limit=500"};
	struct desk *d = desk_open((enum desk_store)_i);
	const size_t len = 1000 << 10;
	char *args = malloc(len + 1), id[8], at[1024];
	const char *next;
	size_t i, l, n;

	memset(args, 'x', len);
	memcpy(args, "[\"", 2);
	memcpy(args + len - 2, "\"]", 3);
	for (i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "l%zu", i);
		submit(d, id, "long", args, NULL, i % 2 ? 1000 + (double)i : 0);
	}
	for (l = 0; l < 2; l++) {
		snprintf(at, sizeof(at), "%s", lists[l]);
		for (n = 0, next = ""; next != NULL; n += n_items(d)) {
			desk_get(d, at);
			ck_assert_uint_lt(d->bytes.len, 3 << 20);
			next = json_string_value(desk_at(d, "next", NULL));
			snprintf(at, sizeof(at), "%s&cursor=%s", lists[l],
				 next != NULL ? next : "");
			ck_assert_msg(n_items(d) > 0 || next == NULL, "%s: %zu",
				      at, n);
		}
		ck_assert_uint_eq(n, 20);
	}
	free(args);
	desk_close(d);
}
END_TEST

SUITE("web-lists")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_list_is_walked_through_by_its_cursors);
	TEST_BOTH(what_has_ended_is_walked_through_and_filtered);
	TEST_BOTH(arguments_are_found_by_their_paths);
	TEST_BOTH(
	    a_cursor_that_was_made_up_or_is_of_another_list_is_a_bad_request);
	TEST_BOTH(a_filter_that_can_match_nothing_is_a_bad_request);
	TEST_BOTH(the_dead_are_listed_grouped_put_back_and_deleted);
	TEST_BOTH(a_change_without_a_selection_or_with_a_wrong_one_is_refused);
	TEST_BOTH(all_that_matches_is_put_back_by_a_job);
	TEST_BOTH(a_queue_is_shown_paused_and_purged);
	TEST_BOTH(a_task_is_shown_with_its_attempts_and_its_result);
	TEST_BOTH(a_viewer_finds_nothing_by_what_is_hidden);
	TEST_BOTH(the_error_of_a_failed_task_is_masked_in_a_problem_too);
	TEST_BOTH(a_batch_of_many_lines_has_an_answer_with_an_end);
	TEST_BOTH(a_list_of_long_tasks_comes_in_short_answers);
	TEST_BOTH(a_delayed_task_is_run_now);
	TEST_BOTH(a_task_is_submitted_once_for_each_key);
	TEST_BOTH(each_line_of_a_batch_has_its_answer);
	TEST_BOTH(workers_and_the_overview_are_told);
	TEST_BOTH(a_list_of_100000_tasks_stays_within_its_bounds_and_says_so);
}
