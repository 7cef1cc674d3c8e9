/* SPDX-License-Identifier: MIT */
/*
 * What the routes of flowrra-web share.
 *
 * The API is tables of routes, one table a file: path, role, parameters and
 * what is answered. They drive the dispatch, the check of parameters, the
 * OpenAPI document and the manual's list, so that none of them can differ.
 *
 * A route's function runs on one of the operation threads, where it may block in
 * lib/manager for at most [web] timeout. It reads the call and fills the answer;
 * what is of HTTP (authentication, Host, CSRF, ETag, limits) has been done
 * before it, or is done after it.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/http.h"
#include "util/buf.h"

struct conf;
struct err;
struct flowrra_client;
struct schedules;
struct web_call;

/* What a user may do. A role includes those below it, except that WEB_METRICS is for
 * its own route alone, and WEB_SUBMITTER for those with WEB_OWN. */
enum web_role {
	WEB_OPEN,    /* everybody: /healthz */
	WEB_METRICS, /* /metrics alone */
	/* A user of this machine: submits, and sees and cancels what it has
	 * submitted. Only a peer of a Unix socket has this role: web_own_id(). */
	WEB_SUBMITTER,
	WEB_VIEWER,   /* looks, with what [web] hide says masked */
	WEB_OPERATOR, /* changes */
};

enum web_type { WEB_TEXT, WEB_INT, WEB_BOOL, WEB_TIME, WEB_SECONDS, WEB_JSON };

enum web_place { WEB_PATH, WEB_QUERY, WEB_BODY };

/* A parameter: of the path ("{id}" there), of the query, or a member of the JSON
 * body. The last of an array has no name. What is in no table is refused. */
struct web_param {
	const char *name;
	enum web_type type;
	enum web_place in;
	bool required;
	/* The name is a prefix: "args." takes args.user.id. */
	bool prefix;
	/* Of WEB_INT; both 0: any number. */
	int64_t min, max;
	const char *help; /* a sentence, for people */
};

enum web_flags {
	WEB_RAW_BODY = 1, /* the body is not one JSON value: web_body() */
	WEB_ANY_BODY = 2, /* a JSON value whose members the function checks */
	WEB_BIG_BODY = 4, /* as long as a task may be, not 64 KiB */
	WEB_LIVE = 8,	  /* on the loop, it must not block: events, ws */
	WEB_SEED = 16,	  /* of the Python package: below /api, with or without
			     a slash at the end, errors as {"error": …} */
	WEB_WAITS = 32, /* may take longer than [web] timeout, up to WEB_WAIT_S:
			   on a thread of a second, small set */
	WEB_LINES = 128, /* with WEB_RAW_BODY: many JSON values, one a line */
	/* It submits tasks, one or as many as it has lines. */
	WEB_SUBMITS = 256,
	/* Also for a submitter, of its own tasks: see web_own_id(). */
	WEB_OWN = 512,
	WEB_QUIET = 64, /* changes nothing, though it is a POST: a preview. No
			   limit of writes, no audit; good with read_only */
};
#define WEB_WAIT_S 60

struct web_route {
	enum http_method method;
	/* Below the prefix: "/api/v1/tasks/{id}". */
	const char *path;
	enum web_role role;
	unsigned int flags;
	const struct web_param *params;
	/* 0 with the answer filled, or -1 with *err. */
	int (*run)(struct web_call *call, struct err *err);
	const char *summary; /* for the OpenAPI document: a sentence */
	const char *answer;  /* and what is answered: a sentence, or a shape */
};
/* Ended by one without a path. routes.c lists the tables. */
#define WEB_ROUTES_END                                                         \
	{                                                                      \
		.path = NULL                                                   \
	}

/* --- the call ----------------------------------------------------------- */

struct flowrra_client *web_client(const struct web_call *call);
/* The schedules' database, opened at its first use; NULL with *err. */
struct schedules *web_schedules(struct web_call *call, struct err *err);
const struct conf *web_conf(const struct web_call *call);
/* What stands before all paths in URLs: "" or "/flowrra". */
const char *web_prefix(const struct web_call *call);
/* The value of a header: If-Match, Idempotency-Key, Content-Type, Accept,
 * traceparent, tracestate; NULL if it was not sent. Others are not kept. */
const char *web_header(const struct web_call *call, const char *name);
/* The trace that the client is part of, of two of them; as for all who receive one,
 * what is not valid counts as absent. */
struct web_trace {
	const char *parent, *state; /* NULL: none */
};
struct web_trace web_trace(const struct web_call *call);
/*
 * The id of the task that this call submits, made of the user and the
 * Idempotency-Key: a UUID, the same for ever. NULL without that header. A
 * submission that is refused since the id is taken (ERR_REFUSED) has been made
 * before. Answers to the same key within 24 h are repeated by the frame.
 */
const char *web_task_id(struct web_call *call);
/* Who asks: a name for logs and reasons, and the role. */
const char *web_user_name(const struct web_call *call);
enum web_role web_user_role(const struct web_call *call);
/*
 * The whole ID of a task. A submitter's IDs begin with "uidN:", which is added unless it is
 * there, so that a submitter cannot name the task of another. For other roles `id` as it
 * is. NULL with *err if the result is not a valid ID. Valid as long as the call.
 */
const char *web_own_id(struct web_call *call, const char *id, struct err *err);
/* What all ids of a submitter begin with; "" for others. */
const char *web_own_prefix(struct web_call *call);
/* Whether the client is gone or the daemon stops: a long operation must end then. */
bool web_stopped(const struct web_call *call);

/* Parameters, checked as the table says. Those of the path and those required are
 * there; NULL and `otherwise` where one is absent. Members
 * that are WEB_JSON stand in web_body_json(). */
const char *web_text(const struct web_call *call, const char *name);
int64_t web_int(const struct web_call *call, const char *name,
		int64_t otherwise);
bool web_bool(const struct web_call *call, const char *name, bool otherwise);
int64_t web_time_us(const struct web_call *call, const char *name,
		    int64_t otherwise);
double web_seconds(const struct web_call *call, const char *name,
		   double otherwise);
/* All parameters of the query whose names begin with `prefix`. */
int web_each(const struct web_call *call, const char *prefix,
	     int (*on_pair)(const char *name, const char *value, void *arg,
			    struct err *err),
	     void *arg, struct err *err);
/* The body of a route that takes any JSON (WEB_ANY_BODY), borrowed; NULL if it is
 * empty. */
json_t *web_body_json(const struct web_call *call);
/* The body as it came. */
struct slice web_body(const struct web_call *call);

/* --- the answer --------------------------------------------------------- */

/* Answers with JSON (takes it; NULL: no memory, ERR_SYSTEM). 200 unless
 * web_status() was called. */
int web_answer(struct web_call *call, json_t *value, struct err *err);
/* Answers with bytes of another type (takes what `bytes` owns). */
int web_answer_bytes(struct web_call *call, const char *type,
		     struct buf *bytes);
void web_status(struct web_call *call, unsigned int status);
/* A header of the answer: ETag, Location. Both are copied; the last one counts. */
void web_field(struct web_call *call, const char *name, const char *value);
/*
 * What a failure of `run` becomes: the status that web_status() has set, if that
 * is 400 or more, else that of the code: ERR_DATA 422, ERR_USAGE 400,
 * ERR_NOT_FOUND 404, ERR_REFUSED and ERR_FAILED 409, ERR_FULL 429,
 * ERR_UNAVAILABLE 503, ERR_TIMEOUT 504, all else 500. From 500 on the message
 * goes to the log, not to the client.
 */
/* Names the member of the request that *err is about: "field" of the problem.
 * Returns -1. */
int web_fault(struct web_call *call, const char *field, const char *hint,
	      struct err *err);
/* Where in that member it is wrong: "column" (from 1; 0: not told) and "token", the
 * bytes themselves, of the problem. After web_fault(). */
void web_fault_at(struct web_call *call, size_t column, struct slice token);
/* Says what was changed, for the journal's audit record and the list on Health;
 * every route of the operator's role calls it. */
void web_audit(struct web_call *call, const char *action, const char *target,
	       int64_t count);

/* --- long operations ------------------------------------------------------ */

/*
 * Begins a job that outlives the call, on a thread of its own: `run` is given
 * the job, tells web_job_progress(), which says whether to go on, and returns the
 * final value or NULL with *err. Answers 202 {"job": id}; GET jobs/{id} has
 * {"job", "action", "state": "running" | "done" | "stopped" | "failed", "done",
 * "result", "error"}. `arg` is freed by `release`.
 */
struct web_job;
int web_job_begin(struct web_call *call, const char *action,
		  json_t *(*run)(struct web_job *job,
				 struct flowrra_client *client, void *arg,
				 struct err *err),
		  void *arg, void (*release)(void *arg), struct err *err);
bool web_job_progress(struct web_job *job, int64_t done);

#endif
