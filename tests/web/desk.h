/* SPDX-License-Identifier: MIT */
/*
 * A desk at which tests of routes ask: the frame without HTTP, over a real store.
 *
 *	struct desk *d = desk_open(DESK_SQLITE);
 *	json_t *queues = desk_get(d, "/api/v1/queues");
 *	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
 *				   "{\"name\":\"add\"}"), 201);
 *	json_object_get(d->answer, "task_id");
 *	desk_close(d);
 *
 * All of it is in a temporary directory, which desk_close() removes. Functions
 * fail the test when they cannot do what they promise.
 */
#ifndef TESTS_WEB_DESK_H
#define TESTS_WEB_DESK_H

#include <jansson.h>

#include "redis_server.h"
#include "suite.h"
#include "util/err.h"
#include "web/call.h"

enum desk_store { DESK_SQLITE, DESK_REDIS, DESK_N_STORES };

struct desk {
	char dir[128];
	struct redis_server *redis; /* NULL with SQLite */
	struct conf *conf;
	struct flowrra_client *client;
	struct web_shared shared;
	struct web_worker worker;
	/* Who asks; an operator at first. */
	struct web_identity who;
	/* Headers of the next request; emptied by it. */
	struct web_pairs headers;
	/* Of the next requests: who asked has hung up, or was told 504. */
	bool gone, late;
	/* The last answer. */
	unsigned int status;
	json_t *answer; /* NULL: it is not JSON */
	struct buf bytes;
	struct web_pairs fields; /* headers of the answer */
};

struct desk *desk_open(enum desk_store store);
/* The same with settings ("web.hide=x"), NULL-ended. */
struct desk *desk_open_with(enum desk_store store, const char *const *settings);
void desk_close(struct desk *d);

/* Asks, and returns the status. `target` is a path below the prefix, with its
 * query; `body` may be NULL. */
unsigned int desk_ask(struct desk *d, const char *method, const char *target,
		      const char *body);
/* GET that must be answered with 200: d->answer. */
json_t *desk_get(struct desk *d, const char *target);
/* Sets a header of the next request. */
void desk_header(struct desk *d, const char *name, const char *value);
/* A member of the answer by its path: desk_at(d, "items", "0", "queue", NULL);
 * NULL if it is not there. */
json_t *desk_at(const struct desk *d, ...) __attribute__((sentinel));
/* Submits a task, whether or not a worker knows its name; returns its id, which
 * is the caller's to free. */
char *desk_submit(struct desk *d, const char *name, const char *args_json,
		  const char *queue);
/* The same with an id and more of a request, to "io". */
void desk_submit_as(struct desk *d, const char *id, const char *name,
		    const char *args, const char *kwargs, double delay_s);

/* Members of the answer: "" or 0 if they are not there. */
const char *desk_text(const struct desk *d, const char *name);
int64_t desk_number(const struct desk *d, const char *name);
/* How many "items" it has, and a text of item i. */
size_t desk_n_items(const struct desk *d);
const char *desk_item(const struct desk *d, size_t i, const char *name);
/* Goes through the list at `target` (which has a query) by its cursors: the ids
 * of its tasks, each with a space behind, valid until the next call. The number
 * of steps is stored in *ret_steps, unless that is NULL. */
const char *desk_walk(struct desk *d, const char *target, size_t *ret_steps);

/* A call of a test's own route, which has no values in its path, for
 * web_call_run(); `key` is its Idempotency-Key, or NULL. */
struct web_call *desk_post(struct desk *d, const struct web_route *route,
			   const char *query, const char *key,
			   const char *body);

/* A test that runs over each store, as desk_open(_i). */
#define TEST_BOTH(name) TEST_LOOP(name, 0, DESK_N_STORES)

#endif
