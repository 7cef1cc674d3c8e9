/* SPDX-License-Identifier: MIT */
/*
 * The audit trail: who has changed what. A record of the journal for each, and
 * the last AUDIT_MAX in memory, for people to look at. Arguments are in neither.
 * Thread-safe.
 */
#ifndef WEB_AUDIT_H
#define WEB_AUDIT_H

#include <jansson.h>
#include <stdint.h>

struct err;
struct web_audit;
struct web_call;

#define AUDIT_MAX 1000

struct audit_record {
	const char *user, *role, *peer, *action, *target, *outcome, *request_id;
	/* The outcome in the list; NULL: the same. The log has it all. */
	const char *said;
	int64_t count;
};

struct web_audit *audit_new(struct err *err);
void audit_free(struct web_audit *audit);
void audit_add(struct web_audit *audit, const struct audit_record *record);
/* Records what a call has changed, or why it failed to (`why`; NULL: it did not
 * fail). Calls that change nothing are passed over. */
void audit_call(struct web_audit *audit, const struct web_call *call,
		const char *why);
/* {"items": [...]}, the newest first, at most `limit`. */
json_t *audit_json(struct web_audit *audit, size_t limit);
const char *web_role_name(int role);

#endif
