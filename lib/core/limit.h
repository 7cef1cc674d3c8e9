/* SPDX-License-Identifier: MIT */
/*
 * Limits: how many tasks of a queue, of a name in it, or of a group may run at
 * once, and how many may start in a time.
 *
 * A rule belongs to a queue, and the store keeps it under its scope, a text: "q"
 * for the queue, "t:NAME" for the tasks of a name, "g:KEY" for a group, and "g" for
 * each group that has no rule of its own.
 */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/limit_words.h"

enum limit_kind { LIMIT_QUEUE, LIMIT_TASK, LIMIT_GROUP, LIMIT_EACH_GROUP };

/* A group: bytes of UTF-8 without control characters. */
#define LIMIT_GROUP_MAX 200
#define LIMIT_CONCURRENCY_MAX 1000000
/* Rules of a queue: all of them are shown at once. */
#define LIMIT_RULES_MAX 1000
/* The longest scope. */
#define LIMIT_SCOPE_MAX (2 + LIMIT_GROUP_MAX)

struct limit_rule {
	enum limit_kind kind;
	struct slice key;    /* TASK: the name; GROUP: the group; else empty */
	int64_t concurrency; /* tasks in flight at once; 0: any number */
	/*
	 * So many may start in this time, evenly; after a pause, `burst` of them
	 * at once. No time of that length sees more than rate + burst - 1. 0: any
	 * number.
	 */
	int64_t rate, period_ms, burst;
};

/* Microseconds from one start to the next, and how far a burst may be ahead. */
int64_t limit_interval_us(const struct limit_rule *rule);
int64_t limit_depth_us(const struct limit_rule *rule);
/* 0, or -1 with *err (ERR_DATA): a number is out of its range, or there is none. */
int limit_check_rule(const struct limit_rule *rule, struct err *err);
/* Reads "100/1m". -1 with *err (ERR_DATA). */
int limit_rate_read(const char *text, struct limit_rule *ret, struct err *err);

/* 0, or -1 with *err (`code`): it cannot be a group, or a path. */
int limit_check_group(struct slice group, enum err_code code, struct err *err);
int limit_check_path(struct slice path, enum err_code code, struct err *err);

void limit_scope_write(const struct limit_rule *rule, struct buf *out);
/* Sets `kind` and `key`, which points into `scope`. false: it is none. */
bool limit_scope_read(struct slice scope, struct limit_rule *ret);

/* A rule as the stores keep it, without its scope: JSON. */
void limit_rule_write(const struct limit_rule *rule, struct buf *out);
/* One that the configuration of that worker has says so. */
void limit_rule_sign(struct buf *rule, const char *worker);
/* Points into `text`; empty: a command has set it. */
struct slice limit_rule_worker(struct slice text);
/* What two of them that say the same have in common, whose they are. */
struct slice limit_rule_unsigned(struct slice text);
/* Sets the rest. false: it is none. */
bool limit_rule_read(struct slice text, struct limit_rule *ret);

#endif
