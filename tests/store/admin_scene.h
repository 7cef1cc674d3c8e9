/* SPDX-License-Identifier: MIT */
/*
 * What the tests of operate.h share: a stage with a producer and a worker, and
 * calls that wait for their answer.
 */
#ifndef TESTS_BROKER_OPERATE_SCENE_H
#define TESTS_BROKER_OPERATE_SCENE_H

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"

#define HOUR_MS (3600 * 1000)

/* --- asking ------------------------------------------------------------ */

#define TOLD_MAX 32
/* What has been told. */
struct told {
	unsigned int times;
	struct err err;
	struct queue_stats queues[TOLD_MAX];
	struct worker_info workers[TOLD_MAX];
	char descriptions[TOLD_MAX][64]; /* of the workers */
	struct broker_item items[BROKER_PAGE_MAX];
	char *texts[BROKER_PAGE_MAX][5]; /* what they point to */
	size_t n;			 /* queues, workers or items */
	char next[512];
};

extern struct op {
	struct stage stage;
	struct party *producer, *worker; /* the worker is "host:a" */
	struct told told;
} op;

/* Makes all of it, with a store of that kind, and ends it. */
void op_open(int kind);
void op_close(void);

/* Forgets what was told. */
void op_forget(void);
/* Note what is told. */
void op_on_value(struct slice value, const struct err *err, void *arg);
void op_on_queues(const struct queue_stats *queues, size_t n,
		  const struct err *err, void *arg);
void op_on_page(const struct broker_page *page, const struct err *err,
		void *arg);
/* Waits for the answer, of which there is one. */
void op_wait_told(void);

/* All queues, in op.told.queues; how many. */
size_t op_queues(struct party *p);
/* The state of one. */
const struct queue_stats *op_queue(struct party *p, const char *name);
/* The workers, in op.told.workers; how many. */
size_t op_workers(struct party *p);

/* A page of "io". */
void op_view(struct party *p, enum broker_location place, const char *cursor,
	     unsigned int n);
/* All pages, of n each; their tasks with a space behind each. */
const char *op_view_all(struct party *p, enum broker_location place,
			unsigned int n);
void op_pause(struct party *p, const char *queue, bool paused);
/* Purges "io"; op.told is what was taken out. */
void op_purge(struct party *p, unsigned int n);
/* Whether it was there; it is op.told.items[0] then. */
bool op_withdraw(struct party *p, const char *id);
void op_exhume(struct party *p, struct broker_requeue *batch, size_t n);

/* --- acting ------------------------------------------------------------ */

/* Submits a task to "io". */
void op_submit(const char *bytes, int32_t priority, int64_t delay_ms);
/* Submits the task, has it claimed, and buries it. */
void op_bury(const char *bytes, const char *id, const char *info);
/* Has `p` take n tasks of "io"; more do not come. */
void op_take(struct party *p, unsigned int n);
void op_nothing_comes(struct party *p);
/* The worker's last word is too long ago. */
void op_silence(const char *name);

/* Registers tests of each implementation, which X() lists: `_i` is the kind. */
#define OPERATE_SUITES                                                         \
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
		suite_register("operate-redis", fill_redis);                   \
		suite_register("operate-sqlite", fill_sqlite);                 \
		suite_register("operate-cluster", fill_cluster);               \
	}
#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);

#endif
