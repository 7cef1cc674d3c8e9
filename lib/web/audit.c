/* SPDX-License-Identifier: MIT */
/*
 * The audit trail: a ring of JSON objects, and a line of the log for each.
 *
 * The log is the record that lasts; the ring is for the page, and ends with the
 * process. An entry says who did what to what, and what came of it; it never has
 * an argument, a result or a credential, and attempts that failed are in it, too.
 */
#include "web/audit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"
#include "web/call.h"

struct web_audit {
	pthread_mutex_t lock;
	json_t *ring[AUDIT_MAX];
	size_t next, n;
};

/* The words of the configuration, of the API and of the log. */
const char *
web_role_name(int role)
{
	static const char *const names[] = {[WEB_OPEN] = "none",
					    [WEB_METRICS] = "metrics",
					    [WEB_SUBMITTER] = "submitter",
					    [WEB_VIEWER] = "viewer",
					    [WEB_OPERATOR] = "operator"};

	return names[role];
}

struct web_audit *
audit_new(struct err *err)
{
	struct web_audit *audit = calloc(1, sizeof(*audit));

	if (audit == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&audit->lock, NULL);
	return audit;
}

void
audit_free(struct web_audit *audit)
{
	size_t i;

	if (audit == NULL)
		return;
	for (i = 0; i < AUDIT_MAX; i++)
		json_decref(audit->ring[i]);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

/* What a client has sent may not be UTF-8, which jansson would refuse. */
static json_t *
audit_text(const char *text)
{
	json_t *value = json_string(text != NULL ? text : "");

	return value != NULL ? value : json_string("(not UTF-8)");
}

/* The time is ours, not the client's. */
static json_t *
audit_record_json(const struct audit_record *r)
{
	const char *said = r->said != NULL ? r->said : r->outcome;
	char at[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_us(), at);
	return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:I,s:o,s:s}", "at", at,
			 "user", audit_text(r->user), "role", r->role, "peer",
			 audit_text(r->peer), "action", audit_text(r->action),
			 "target", audit_text(r->target), "count",
			 (json_int_t)r->count, "outcome", audit_text(said),
			 "request_id", r->request_id);
}

/* The line is written first: it is what counts. */
void
audit_add(struct web_audit *audit, const struct audit_record *r)
{
	json_t *value = audit_record_json(r);
	char count[24];
	const struct log_subject about = {.user = r->user,
					  .role = r->role,
					  .peer = r->peer,
					  .action = r->action,
					  .target = r->target,
					  .count = count,
					  .outcome = r->outcome,
					  .request_id = r->request_id};

	snprintf(count, sizeof(count), "%lld", (long long)r->count);
	log_about(LOG_LEVEL_notice, &about, "%s (%s, from %s): %s%s%s: %s",
		  r->user[0] != '\0' ? r->user : "nobody", r->role, r->peer,
		  r->action, r->target[0] != '\0' ? " " : "", r->target,
		  r->outcome);
	if (value == NULL)
		return;
	pthread_mutex_lock(&audit->lock);
	json_decref(audit->ring[audit->next]);
	audit->ring[audit->next] = value;
	audit->next = (audit->next + 1) % AUDIT_MAX;
	audit->n += audit->n < AUDIT_MAX;
	pthread_mutex_unlock(&audit->lock);
}

/* After each call. A route that forgot web_audit() is recorded by its path all the
 * same, if it could have changed something. */
void
audit_call(struct web_audit *audit, const struct web_call *call,
	   const char *why)
{
	/* A dry run that was answered has changed nothing. */
	const bool writes = call->route->role == WEB_OPERATOR &&
			    call->route->method != HTTP_GET &&
			    (call->route->flags & WEB_QUIET) == 0 &&
			    (why != NULL || !web_bool(call, "dry_run", false));
	const struct audit_record record = {
	    .user = call->who.user,
	    .role = web_role_name(call->who.role),
	    .peer = call->peer,
	    .action = call->change.action != NULL ? call->change.action
						  : call->route->path,
	    .target = call->change.target != NULL ? call->change.target : "",
	    .count = call->change.count,
	    .outcome = why != NULL ? why : "done",
	    /* From 500 on it may name paths and servers. */
	    .said = why != NULL && call->status >= 500 ? "failed" : NULL,
	    .request_id = call->id};

	/* Those that were tried count as well. A job has its own records. */
	if (call->status != 202 && (call->change.action != NULL || writes))
		audit_add(audit, &record);
}

/* The newest first. */
json_t *
audit_json(struct web_audit *audit, size_t limit)
{
	json_t *items = json_array();
	size_t i, at;

	pthread_mutex_lock(&audit->lock);
	for (i = 0; i < audit->n && i < limit; i++) {
		at = (audit->next + AUDIT_MAX - 1 - i) % AUDIT_MAX;
		/* A copy: its count is not to be changed by two threads. */
		json_array_append_new(items, json_deep_copy(audit->ring[at]));
	}
	pthread_mutex_unlock(&audit->lock);
	return json_pack("{s:o}", "items", items);
}
