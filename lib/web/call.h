/* SPDX-License-Identifier: MIT */
/*
 * A call of a route, from the request to the answer: for the frame alone;
 * routes see web.h.
 *
 * A call copies all it needs of a request, so that it can outlive it: a client
 * may be gone, or have been told that its time is over, while an operation
 * thread still waits for a store.
 */
#ifndef WEB_CALL_H
#define WEB_CALL_H

#include <stdatomic.h>

#include "util/err.h"
#include "web/routes.h"
#include "web/web.h"

struct visit;
struct web_audit;
struct web_figures;
struct web_jobs;
struct web_mask;
struct web_quota;
struct web_replay;

/*
 * What all calls of a daemon share. Set up before the first, and not changed, but
 * for `conf`, which the loop reads and a reload replaces: a call takes it along
 * when it is made, on the loop, and threads look at the call's. What it points to
 * may be used by any thread; the rest locks for itself.
 */
struct web_shared {
	const struct conf *conf;
	struct flowrra_client *client;
	const struct web_route *const *tables;
	/* Of viewers. A reload changes it; those before it stay. */
	_Atomic(struct web_mask *) mask;
	struct web_audit *audit;     /* may be NULL, in tests */
	struct web_jobs *jobs;	     /* NULL: no jobs can be begun */
	struct web_replay *replay;   /* answers by Idempotency-Key, or NULL */
	struct web_quota *quota;     /* of submitters; NULL: none has one */
	struct web_figures *figures; /* series, and counts of requests */
	atomic_bool stopping;
};

/* What belongs to the thread that runs calls: one at a time uses it. */
struct web_worker {
	const struct web_shared *shared;
	struct schedules *schedules; /* opened at its first use */
};
void web_worker_done(struct web_worker *worker);

/* Names and values, in their order, copied. */
struct web_pair {
	char *name, *value;
};
struct web_pairs {
	struct web_pair *items;
	size_t n;
};
int web_pairs_add(struct web_pairs *pairs, const char *name, const char *value,
		  struct err *err);
/* The last of that name (in any case), or NULL. */
const char *web_pairs_get(const struct web_pairs *pairs, const char *name);
void web_pairs_done(struct web_pairs *pairs);

/* A parameter as the table says it is. */
struct web_value {
	bool given;
	const char *text; /* of WEB_TEXT, and of others as they were written */
	int64_t whole;	  /* of WEB_INT and WEB_TIME; WEB_BOOL: 0 or 1 */
	double number;	  /* of WEB_SECONDS */
	json_t *json;	  /* borrowed from the body, or owned: of the query */
};

/* Who asks, by what. */
enum web_kind {
	WEB_BY_NOTHING,
	WEB_BY_START, /* the token of the start, or its code */
	WEB_BY_TOKEN, /* a bearer token */
	WEB_BY_USER,  /* users file */
	WEB_BY_PROXY, /* a header of a trusted proxy */
	WEB_BY_PEER,  /* the uid of the peer of a Unix socket */
	WEB_N_KINDS
};
#define WEB_USER_MAX 128
struct web_identity {
	enum web_kind kind;
	enum web_role role;
	bool cookie;  /* shown by a session's cookie */
	bool ambient; /* a browser adds it to requests by itself */
	char user[WEB_USER_MAX + 1];
	char stamp[24]; /* of the credential; session.h */
	/* Of WEB_BY_PEER: which word of [web] peers gave the role; "": none, it is
	 * our own user; and the uid. */
	char subject[WEB_USER_MAX + 2];
	int64_t uid;
	/* Of the cookie: session.h. */
	int64_t until_s;
	uint64_t nonce;
};

/* What a call is made of; copied. */
struct web_ask {
	enum http_method method;
	const char *path; /* below the prefix, "/" first */
	const char *query;
	struct slice body;
	const struct web_pairs *headers; /* or NULL */
	struct web_identity who;
	const char *peer;
	const char *request_id; /* NULL: made up */
};

struct web_call {
	const struct web_shared *shared;
	const struct conf *conf;
	struct web_worker *worker; /* while it runs */
	const struct web_route *route;
	struct web_match match;
	char id[HTTP_ID_SIZE]; /* of the request */
	struct web_identity who;
	char *peer, *path, *path_shown;
	/* The request. */
	struct web_pairs query, headers;
	struct err bad_query; /* why it cannot be read; ERR_NONE: it can */
	struct buf body;
	json_t *json;		  /* the body, unless it is raw */
	struct web_value *values; /* as many as the route has parameters */
	char task_id[64];
	char own_prefix[16], *own_id;
	/* The answer. */
	unsigned int status;
	const char *type;
	json_t *value;
	struct buf bytes;
	struct web_pairs fields;
	char *field, *hint, *token; /* of the problem */
	size_t column;
	/* What was changed. */
	struct {
		char *action, *target;
		int64_t count;
	} change;
	atomic_bool stopped; /* nobody waits for the answer */
	atomic_bool late;    /* since its time was over, which was answered */
	struct visit *visit; /* of a route on the loop (WEB_LIVE) */
};

/* Opens a client of the stores by the configuration that the daemon has. 0, or -1
 * with *err. */
int web_client_open(const char *config_file, const char *const *settings,
		    struct flowrra_client **ret, struct err *err);

/* Whether what [web] hide says is hidden from who asks. */
bool web_is_masked(const struct web_call *call);

/*
 * Makes the call of a route that was found. NULL: no memory. Free it with
 * web_call_free().
 */
struct web_call *web_call_new(const struct web_shared *shared,
			      const struct web_route *route,
			      const struct web_ask *ask, struct err *err);
void web_call_free(struct web_call *call);

/* Checks all that the request says (params.c) and fills call->values: -1 with
 * *err, after web_fault(). Before the route's function, wherever that runs. */
int web_params_check(struct web_call *call, struct err *err);

/*
 * The whole way on an operation thread: checks, runs, masks, writes; leaves
 * `status`, `type`, `bytes` and `fields` set, a problem's after a failure.
 */
void web_call_run(struct web_call *call, struct web_worker *worker);
/* As web_call_run(), for the frame's own questions: the value, or NULL with
 * *err. Masks nothing. */
json_t *web_call_value(struct web_call *call, struct web_worker *worker,
		       struct err *err);

/* --- problems (problem.c) ---------------------------------------------------
 */

/* The status that an error is answered with, and its code in lower-case snake. */
unsigned int problem_status(enum err_code code);
/* What a client may read of a failure: its message, if it is the client's. */
const char *problem_shown(const struct err *err);
const char *problem_code(unsigned int status, enum err_code code);

/* Appends it, as JSON; with `seed` in the form of the package: {"error": detail}.
 * Returns its type. */
const char *problem_write(const struct http_problem *problem, bool seed,
			  struct buf *out);
#define JSON_TYPE "application/json; charset=utf-8"
/* Makes a failed call's answer of *err. */
void problem_of_call(struct web_call *call, const struct err *err);

#endif
