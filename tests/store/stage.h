/* SPDX-License-Identifier: MIT */
/*
 * What the contract tests of brokers and backends share: a stage with one
 * store of some kind in it, and parties that use it.
 */
#ifndef TESTS_BROKER_STAGE_H
#define TESTS_BROKER_STAGE_H

#include "store/admin.h"
#include "store/results.h"

enum kind { KIND_REDIS, KIND_SQLITE, N_KINDS };

struct stage {
	enum kind kind;
	struct event_base *base;
	struct redis_server *server;
	struct redis_group *group; /* that it is of, or NULL */
	struct redis_test_cluster
	    *cluster; /* the same; the server is its first */
	char dir[64];
	char url[200];
	struct broker_options options; /* what parties begin with */
	/* After this many calls (0: never) all connections are cut. */
	int cut_after, calls;
};

/* One broker, and what it told. */
struct party {
	struct stage *stage;
	struct broker *broker;
	unsigned int ups, troubles, quiets;
	bool refused;
	struct err why;
	struct broker_claim *claims[4096];
	size_t n_claims; /* all, also those settled since */
	size_t settled;
	struct broker_claim *lost[64]; /* those that it lost, in their order */
	size_t n_lost, n_kept;	       /* kept: with a claim */
	unsigned int trusts;	       /* on_kept without one */
	int64_t beyond, expired;       /* deleted from dead lists */
	int64_t gone;		       /* tasks that were in no place */
	unsigned int trims;	       /* … in this many steps */
	char order[256];
	unsigned int orders;
	/* The last answer. */
	bool answered;
	char value[4096];
	struct queue_stats stats;
	struct err err;
};

struct backend {
	struct results *results;
	unsigned int ups, troubles;
	size_t stored;
	bool answered, found, none;
	enum results_answer answer; /* to the last record */
	char record[1024];
	struct err err;
};

void stage_open(struct stage *w, int kind);
/* From now on Redis stages are behind a Sentinel: a fixture of suites. */
void stage_use_sentinel(void);
/* The same in a Cluster of three masters; and in one with a replica of each. */
void stage_use_cluster(void);
void stage_use_replicated(void);
void stage_close(struct stage *w);
/* The database file of an SQLite stage. */
const char *stage_path(const struct stage *w);
/* The directory of the wake sockets beside it; close() it. */
int stage_wake_dir(const struct stage *w);

/* Turns the loop until the condition holds; fails the test after 10 s. */
#define UNTIL(w, condition)                                                    \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			ck_assert_msg(stage_turn((w), until_),                 \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)
int64_t stage_deadline(void);
bool stage_turn(struct stage *w, int64_t deadline);
/* Turns it for a while, to see that something does not happen. */
void stage_linger(struct stage *w, int ms);
/* A call to a store is under way: cuts its connections, if this is the one. Only
 * functions of the stage call it. */
void stage_called(struct stage *w);

/* `worker` NULL: a producer. Waits until it is up. */
struct party *party_open(struct stage *w, const char *worker);
/* The same for one that says which process it is; waits for nothing. */
struct party_options {
	const char *worker, *token, *predecessor;
};
struct party *party_begin(struct stage *w, const struct party_options *o);
void party_close(struct party *p);
/* Submits one task to "io" and returns the answer's code. */
enum err_code party_submit(struct party *p, const char *id, const char *bytes,
			   int32_t priority, int64_t delay_ms);
enum err_code party_submit_with(struct party *p, struct broker_submit *task);
/* Submits many at once; none may fail. */
void party_submit_batch(struct party *p, struct broker_submit *tasks, size_t n);
/* Settles claim number i and waits until that is confirmed. */
void party_settle(struct party *p, size_t i,
		  enum broker_disposition disposition);
void party_settle_with(struct party *p, size_t i, struct broker_settle *s);
void party_retry(struct party *p, size_t i, const char *again,
		 int64_t delay_ms);
void party_bury(struct party *p, size_t i, const char *id, const char *info);
void party_settle_with(struct party *p, size_t i, struct broker_settle *s);
/* Whether claim i has these bytes. */
bool party_has(const struct party *p, size_t i, const char *bytes);
/* Note an answer; its `arg` is the party. */
void party_on_value(struct slice value, const struct err *err, void *arg);
/* `value` has the names with their values: "a={} b={} ". */
void party_on_entries(const struct slice *names, const struct slice *values,
		      size_t n, const struct err *err, void *arg);
/* `value` has the names, each with a space behind it. */
void party_on_names(const struct slice *names, size_t n, const struct err *err,
		    void *arg);
/* The first queue, in `stats`. */
void party_on_queues(const struct queue_stats *queues, size_t n,
		     const struct err *err, void *arg);
/* `value` has a line for each worker: "host:a alive", or "host:a dead". */
void party_on_workers(const struct worker_info *workers, size_t n,
		      const struct err *err, void *arg);
/* `value` has the server's name, and a line for each finding:
 * "error: what; remedy". */
void party_on_report(const struct broker_report *report, const struct err *err,
		     void *arg);

/* Asks one of each of operate.h, and counts the answers. */
#define STAGE_ASKED 8
struct asked {
	unsigned int answers;
	enum err_code code; /* of the last */
};
void party_ask_everything(struct party *p, struct asked asked[STAGE_ASKED]);

struct backend *backend_open(struct stage *w);
/* The same, with a record stored: what only reads makes no database. */
struct backend *backend_begin(struct stage *w);
void backend_close(struct backend *r);
void backend_put(struct stage *w, struct backend *r, const char *id,
		 const char *record, bool final, int64_t ttl_s);
/* A record that follows from a claim. */
void backend_put_of(struct stage *w, struct backend *r, const char *id,
		    const char *record, bool final,
		    const struct broker_claim *claim);
/* Asks, and returns the record, or NULL if there is none. */
const char *backend_get(struct stage *w, struct backend *r, const char *id);
/* A task that has ended is to run once more, with this record. */
void backend_reopen(struct stage *w, struct backend *r, const char *id,
		    const char *record);
void backend_on_record(struct slice record, const struct err *err, void *arg);

/*
 * The life of a task, from its submission to the dead list, whatever fails on
 * the way: what must not be lost is there in the end, and nothing is doubled.
 */
void stage_live(struct stage *w);

/* How many tasks are in the dead list of "io". */
int stage_dead(struct stage *w);
/* All bytes of the tasks there. */
int stage_dead_bytes(struct stage *w);

/* Runs statements in the database of a stage of that kind; returns the first
 * column of the last row, or 0. */
int stage_sql(struct stage *w, const char *sql);

#endif
