/* SPDX-License-Identifier: MIT */
/*
 * The gateway: flowrra-web's Unix socket, for users who may not open the services' store.
 * flowrra-web learns from the kernel who they are, and lets them submit tasks, and see and
 * cancel their own ([web] peers).
 *
 * The functions mirror those of the client library and of lib/manager, with a gateway
 * instead of a client, and report the same errors.
 */
#ifndef FLOWRRACTL_GATEWAY_H
#define FLOWRRACTL_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "manager/schedules.h"

#include "manager/request.h"
#include "util/buf.h"

struct err;
struct flowrra_record;
struct flowrra_request;
struct gateway;
struct tasks_query;

/* Connects with the first request. NULL with *err. */
struct gateway *gateway_new(const char *socket, struct err *err);
void gateway_free(struct gateway *g);

/*
 * Sends a request and puts the answer into `ret`. Repeats it for a minute while the
 * server says that it is overloaded. `key`, or NULL, makes a submission safe to repeat.
 * 0, or -1 with *err, in the server's words.
 */
struct gateway_request {
	const char *method, *path; /* "GET", "/api/v1/queues" */
	const char *type;	   /* of the body; NULL: there is none */
	struct slice body;
	const char *key;   /* Idempotency-Key, or NULL */
	const char *match; /* If-Match, or NULL */
	double
	    wait_s; /* how long the server may take beyond an answer's time */
};
int gateway_ask(struct gateway *g, const struct gateway_request *request,
		struct buf *ret, struct err *err);
/* The status of the last answer, such as 201; 0: there was none. */
long gateway_status(const struct gateway *g);
/* The same, and a GET, with an answer in JSON. NULL with *err. */
json_t *gateway_json(struct gateway *g, const struct gateway_request *request,
		     struct err *err);
json_t *gateway_get(struct gateway *g, const char *path, struct err *err);

/* Appends a part of a path or query, percent-encoded. */
void gateway_add_part(struct buf *path, const char *text);
/* Appends "/api/v1/ROOT/NAME" and what follows; -1 with *err: such a name cannot stand in
 * a path. */
int gateway_path(struct buf *path, const char *root, const char *name,
		 const char *more, struct err *err);

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

/* --- schedules (gateway_schedules.c) ------------------------------------------ */

/* All that match; in the order of their next fires, if that is asked for. */
json_t *gateway_schedules(struct gateway *g, const struct schedule_query *query,
			  struct err *err);
json_t *gateway_schedule(struct gateway *g, const char *id, struct err *err);
/* A page of what has fired: schedule_fires(). */
json_t *gateway_schedule_fires(struct gateway *g,
			       const struct schedule_fires_query *query,
			       struct err *err);
/* The schedule that is made, or that was there (*ret_existing). */
json_t *gateway_schedule_make(struct gateway *g,
			      const struct schedule_form *form,
			      bool *ret_existing, struct err *err);
/* Reads the schedule, has `apply` change its form, and puts it back; again, if somebody
 * else has changed it meanwhile. The schedule as it is then. */
json_t *gateway_schedule_edit(struct gateway *g, const char *id,
			      schedule_apply_fn *apply, void *arg,
			      struct err *err);
/* `what`: "enable", "disable", "run", or "delete". What the server answers. */
json_t *gateway_schedule_change(struct gateway *g, const char *id,
				const char *what, struct err *err);

#endif
