/* SPDX-License-Identifier: MIT */
/* What the contract tests of limits share: limits of the queue io, and tasks that
 * are counted. */
#ifndef TESTS_STORE_LIMITS_SCENE_H
#define TESTS_STORE_LIMITS_SCENE_H

#include "store/admin_scene.h"

/* As op_open(); the worker is told what changes, or does not learn it before 10
 * seconds: that of Redis looks for nothing once a second. */
void lim_open(int kind);
/* The worker that is there from the start. */
struct party *lim_worker(void);

/* Sets or unsets one, and waits for the answer, which must not be an error. */
void lim_change(struct broker_limit_change *change);
/* It is less than 8 seconds since the first one was set: what is wrong is not put
 * right yet by a look at all that is in flight, which is due after 9. */
void lim_in_time(void);
/* A concurrency; with the path of the groups. */
void lim_set(enum limit_kind kind, const char *key, int64_t n);
void lim_set_by(enum limit_kind kind, const char *key, int64_t n,
		const char *by);
/* Returns whether there was one. */
bool lim_unset(enum limit_kind kind, const char *key);
/* "scope concurrency running held; " of each, and "by PATH". */
const char *lim_shown(void);
/* "declared by/disputed by; " of each. */
const char *lim_owners(void);
/* Since when, of the first ones that were shown last, in ms of the wall clock. */
int64_t lim_since(size_t i);

/* A task as our programs write it; NULL: it has no group. */
void lim_put(const char *id, const char *group, int32_t priority);
/* Whether a claim of the party is this task; whether one from `from` on is. */
bool lim_is_claim(const struct party *p, size_t i, const char *id);
bool lim_has_claim(const struct party *p, size_t from, const char *id);
/* Wants many, and waits until exactly `n` have come, in all. */
void lim_take(struct party *p, size_t n);

/* Suites NAME-redis, -sqlite and -cluster of CASES(kind). */
#define LIMITS_SUITES(name)                                                    \
	static void fill_redis(TCase *suite_case_)                             \
	{                                                                      \
		CASES(KIND_REDIS)                                              \
	}                                                                      \
	static void fill_cluster(TCase *suite_case_)                           \
	{                                                                      \
		SUITE_TIMEOUT(60);                                             \
		tcase_add_checked_fixture(suite_case_, stage_use_cluster,      \
					  NULL);                               \
		CASES(KIND_REDIS)                                              \
	}                                                                      \
	static void fill_sqlite(TCase *suite_case_)                            \
	{                                                                      \
		CASES(KIND_SQLITE)                                             \
	}                                                                      \
	__attribute__((constructor)) static void register_suites(void)         \
	{                                                                      \
		suite_register(name "-redis", fill_redis);                     \
		suite_register(name "-sqlite", fill_sqlite);                   \
		suite_register(name "-cluster", fill_cluster);                 \
	}

#endif
