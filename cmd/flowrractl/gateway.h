/* SPDX-License-Identifier: MIT */
/*
 * The gateway: flowrra-web's Unix socket, by which those come to the services' store
 * who may not open it. flowrra-web knows by the kernel who they are, and lets them
 * submit, and see and cancel what they have submitted ([web] peers).
 *
 * The functions are those of the client library and of lib/manager, with the gateway
 * in the client's place. What is said of errors there is true here.
 */
#ifndef FLOWRRACTL_GATEWAY_H
#define FLOWRRACTL_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "manager/request.h"
#include "util/buf.h"

struct err;
struct flowrra_record;
struct flowrra_request;
struct gateway;
struct tasks_query;

/* Nothing is connected before the first question. NULL with *err. */
struct gateway *gateway_new(const char *socket, struct err *err);
void gateway_free(struct gateway *g);

/*
 * One request and its answer, which is appended to `ret`; while the server says that
 * it has too much to do, it is repeated for a minute. `key` (or NULL) makes a
 * submission that may be repeated. 0, or -1 with *err, which has the server's words.
 */
struct gateway_request {
	const char *method, *path; /* "GET", "/api/v1/queues" */
	const char *type;	   /* of the body; NULL: there is none */
	struct slice body;
	const char *key;
	double
	    wait_s; /* how long the server may take beyond an answer's time */
};
int gateway_ask(struct gateway *g, const struct gateway_request *request,
		struct buf *ret, struct err *err);
/* GET that answers with JSON. NULL with *err. */
json_t *gateway_get(struct gateway *g, const char *path, struct err *err);

/* --- operations (gateway_tasks.c) ------------------------------------------- */

/* The id is the caller's to free; NULL with *err. */
char *gateway_submit(struct gateway *g, const struct flowrra_request *request,
		     struct err *err);
int gateway_words_of(struct gateway *g, const struct flowrra_request *request,
		     enum request_words *ret, struct err *err);
/* A record; `wait_s`: until it is final, at most so long (below 0: without end), and
 * then ERR_TIMEOUT. */
int gateway_record(struct gateway *g, const char *id,
		   struct flowrra_record **ret, struct err *err);
int gateway_wait(struct gateway *g, const char *id, double wait_s,
		 struct flowrra_record **ret, struct err *err);
json_t *gateway_cancel(struct gateway *g, const char *id, struct err *err);
json_t *gateway_show(struct gateway *g, const char *id, struct err *err);
/* Of a state as the server calls it: "pending", "running", …. Filters by queue and
 * task alone. */
json_t *gateway_list(struct gateway *g, const char *state,
		     struct tasks_query *query, struct err *err);
/* Of one queue, or all (NULL). */
json_t *gateway_queues(struct gateway *g, const char *queue, struct err *err);
/* What a task has printed: {"lines", "next", "source"}; with `after` ("next" of the
 * answer before) what follows. */
json_t *gateway_logs(struct gateway *g, const char *id, const char *after,
		     struct err *err);

#endif
