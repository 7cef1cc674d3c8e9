/* SPDX-License-Identifier: MIT */
/*
 * What is over before its time: sessions that were logged out, and codes that
 * were used, in a file of the state directory. Daemons that share the directory
 * share the list, too.
 *
 * The list is bounded. It names REVOKED_EACH entries of one credential. Of more,
 * those that have ended by themselves leave first; then a single entry takes their
 * place, and ends all sessions of that credential up to the end of the last one.
 * When an entry ends is told by the wall clock, which may step: so it stays beyond
 * its end as long as there is room. Not thread-safe.
 */
#ifndef WEB_REVOKED_H
#define WEB_REVOKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "web/session.h"

struct err;
struct web_revoked;

/* Of one credential by name. */
#define REVOKED_EACH 64
/* Of all; above it, each credential has one. */
#define REVOKED_ALL 8192

/* `lock_path` is a file that is there, for flock(2). */
struct web_revoked *revoked_new(const char *path, const char *lock_path,
				struct err *err);
void revoked_free(struct web_revoked *r);

struct revoked {
	uint64_t nonce;
	int64_t until_s; /* when it would have ended; wall clock */
	char stamp[SESSION_STAMP_SIZE]; /* of the credential; no blanks */
};
/* Looks at the file again if it has changed, once a second. */
bool revoked_has(struct web_revoked *r, const struct revoked *one);
/* It holds for this process even if the file cannot be written (-1 with *err). */
int revoked_add(struct web_revoked *r, const struct revoked *one,
		struct err *err);
/* The number of entries. */
size_t revoked_count(const struct web_revoked *r);

#endif
