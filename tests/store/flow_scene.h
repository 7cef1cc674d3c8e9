/* SPDX-License-Identifier: MIT */
/*
 * A stage with one workflow in it, "f": a client that adds steps, and a worker that
 * runs them, which here means that a test says how each has ended.
 *
 *	flow_open(kind);
 *	flow_begin_one();
 *	flow_add("a", NULL);
 *	flow_add("b", "a:success");
 *	flow_run("a", "success");
 *	flow_run("b", "failed");
 *	ck_assert_str_eq(flow_seal_one(), "failed");
 *	flow_close();
 */
#ifndef TESTS_STORE_FLOW_SCENE_H
#define TESTS_STORE_FLOW_SCENE_H

#include "store/flow.h"
#include "store/stage.h"

struct flow_scene {
	struct stage stage;
	struct party *client, *worker;
	struct backend *results;
	/* Claims of the worker that were looked at, and steps that were skipped by
	 * it, as "ID: why\n". */
	size_t looked;
	char skipped[4096];
	/* The last answers. */
	struct flow_info info;
	char names[4096]; /* of a list, each with a space behind it */
	char next[64];
};
extern struct flow_scene fs;

void flow_open(int kind);
void flow_close(void);
/* The worker is killed; the next one has its ID. */
void flow_kill_worker(void);
void flow_start_worker(void);

void flow_begin_one(void);
enum err_code flow_begin_with(const struct flow_begin *begin);
/* What it comes after: "a:success b:complete", or NULL. Must be taken. */
void flow_add(const char *id, const char *after);
/* The answer. */
enum err_code flow_add_with(struct broker_submit *task, const char *after);
void flow_add_callback(const char *id, enum flow_role role);
/* The state then; the text is good until the next call. */
const char *flow_seal_one(void);
const char *flow_cancel_one(void);
/* The value, or the error's text. */
const char *flow_end_one(const char *id, enum flow_outcome outcome);
/* IDs, or the error's text. */
const char *flow_reopen_one(const char *id);
/* Its record says that it waits. */
void flow_reopen_record(const char *id);
/* Asks for it, and returns the word of its state. */
const char *flow_state(void);
/* "steps waiting released succeeded failed skipped" */
const char *flow_counts(void);
/* All pages of the steps: "a succeeded; b waits after a:success; ", in the order of
 * their names. */
const char *flow_show(void);

/* Whether the worker has it, to be run. Those that it is to skip are ended at once. */
bool flow_is_claimed(const char *id);
/* Whether that claim of the worker is of it. */
bool flow_is_claim_of(size_t i, const char *id);
/* Waits for it, stores its record and settles its claim: "success" or "failed". */
void flow_run(const char *id, const char *status);
/* The same, but the claim is left. */
void flow_record(const char *id, const char *status);
/* Waits until it was skipped for a reason that has this text. */
void flow_wait_skipped(const char *id, const char *why);
/* Tasks that wait in "io", are delayed or in flight. */
int64_t flow_queued(void);
#define CK_COUNTS(text) ck_assert_str_eq(flow_counts(), text)

#define FLOW_MANY 350 /* steps; more than one step of a store does */

/* Suites "NAME-redis", "NAME-sqlite" and "NAME-cluster"; CASES(kind) adds their tests. */
#define FLOW_EACH(test, kind) TEST_LOOP(test, kind, (kind) + 1);
#define FLOW_SUITES(name)                                                      \
	static void fill_redis(TCase *suite_case_)                             \
	{                                                                      \
		SUITE_TIMEOUT(60);                                             \
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
		SUITE_TIMEOUT(60);                                             \
		CASES(KIND_SQLITE)                                             \
	}                                                                      \
	__attribute__((constructor)) static void register_suites(void)         \
	{                                                                      \
		suite_register(name "-redis", fill_redis);                     \
		suite_register(name "-sqlite", fill_sqlite);                   \
		suite_register(name "-cluster", fill_cluster);                 \
	}

#endif
