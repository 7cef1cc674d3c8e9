/* SPDX-License-Identifier: MIT */
/*
 * The campaign: rows of faults, each injected at many random points into a
 * worker under load, and the verdict after each run.
 *
 *	campaign.c      the command line, the runs, the table
 *	scene.c         one run: servers, workers, load
 *	verdict.c       what must be true when it is over
 *	ledger.c        what was acknowledged and executed
 *	producer.c      the load
 *	command.c       a task that is a command, for the ledger
 *	fleet.c         three workers that differ
 *	replicas.c      a master whose replica lags
 *	graph.c         workflows by chance, and what has to become of them
 *	proxy.c         a bad network
 *	clock_shim.c    a wall clock that is wrong
 *	rows_*.c        the faults
 *
 * A run is a process and a Check test of its own, so all of this may use
 * ck_assert().
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include "e2e/worker.h"
#include "e2e/world.h"
#include "soak/ledger.h"

enum soak_broker { SOAK_REDIS, SOAK_SQLITE, SOAK_BROKERS };

/* --- rows ---------------------------------------------------------------- */

struct proxy;
struct redis_cluster_options;
struct scene;

struct row {
	const char *name;  /* for the command line */
	const char *group; /* the same for several rows; NULL: none */
	const char *fault;
	bool brokers[SOAK_BROKERS];
	unsigned int runs[2]; /* in the short form, and in the long one; 0 in
				 the short one: once, if it is named */
	bool alone;	      /* measures so short a time that it runs alone */
	int64_t limit_ms;     /* a recovery may take so long; 0: none */
	void (*run)(struct scene *s);
};

/* --- what a run has found ------------------------------------------------ */

#define RECOVERIES_MAX 512
/* In memory that the campaign shares. */
struct tally {
	unsigned int faults, acknowledged, lost;
	unsigned int again[CAUSE_COUNT + 1]; /* the last: unexplained */
	unsigned int n_recoveries;
	float recovery_ms[RECOVERIES_MAX];
	char skipped[160]; /* why it cannot be done here */
	char failure[4000];
};

/* --- chance -------------------------------------------------------------- */

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
/* first ≤ x ≤ last */
int64_t rng_between(struct rng *r, int64_t first, int64_t last);
/* FNV-1a */
uint64_t hash_text(const char *text);

/* --- a run --------------------------------------------------------------- */

struct scene_options {
	unsigned int workers; /* 0: one */
	bool proxy;	      /* the first worker sees its server through it */
	const char *config;   /* appended to the workers' */
	/* Of each worker, what is before flowrrad: "ulimit -n 99; ", and its
	 * modules: the [worker] section's end, and sections of tasks. NULL: of
	 * none, and the module of the ledger. */
	const char *const *commands, *const *modules;
	bool separate_backend;
	bool group; /* Redis is a master, a replica, and Sentinels */
	/* Or a Cluster: of masters, each with a replica if that is not NULL. */
	const struct redis_cluster_options *cluster;
	const char *const *redis; /* arguments of the server */
	unsigned int disk_kib; /* the spool and the embedded database are on a
				  disk of this size, scene_disk(); 0: not */
};

#define SCENE_WORKERS 4
struct scene {
	const struct row *row;
	enum soak_broker broker;
	bool thorough; /* the long form */
	struct rng rng;
	struct tally *tally;
	struct scene_options options;

	struct world *world;
	struct redis_group *group;	    /* NULL: Redis is one server */
	struct redis_test_cluster *cluster; /* the same */
	bool replicas;	  /* submissions are confirmed by one */
	unsigned int run; /* the number of this run of the row */
	struct ledger *ledger;
	const char *url; /* of the broker, as the producer sees it */
	struct flowrra_client *client;
	struct worker *workers[SCENE_WORKERS];
	unsigned int n_workers;
	struct producer *producer;
	struct proxy *proxy; /* between the first worker and its servers */

	/* For the verdict; rows may change them. */
	int64_t settle_us;  /* what ended so long before its process was killed
			      must be on record */
	bool may_die;	    /* tasks that misbehave end in the dead list */
	bool none_pays;	    /* no fault costs a task an attempt */
	int64_t late_us;    /* what is for later may begin so late; 0: it may
			      have to wait for the broker */
	bool clock_was_set; /* what is for later may begin at any time */
	/* The first worker before the faults; 0: they are not compared. */
	size_t descriptors;
	long kib;
};

/* Starts servers and workers, lets the workers warm up, and notes what they
 * take of the machine. NULL: no options. */
void scene_start(struct scene *s, const struct scene_options *options);
/* Writes the configuration of a worker with other modules. */
void scene_configure(struct scene *s, unsigned int worker, const char *modules);
/* Waits until all is done, judges, and stops all: verdict() and
 * scene_close(). */
void scene_end(struct scene *s);
void scene_close(struct scene *s);
/* The row cannot be run here. */
void scene_skip(struct scene *s, const char *why);

const char *scene_disk(struct scene *s);
struct redis_server *scene_redis(const struct scene *s);
/* That which has a queue. */
struct redis_server *scene_redis_of(const struct scene *s, const char *queue);

/* Stops a worker (SIGSTOP) and lists its executors, of which there can be no
 * more then. SIGCONT it, or kill it. */
size_t scene_freeze(struct worker *k, pid_t executors[CHILDREN_MAX]);
/* They have ended by now, and this is why. */
void scene_blame(struct scene *s, const pid_t *executors, size_t n,
		 enum cause cause);
/* Both, with a SIGKILL between them. Returns how many there were. */
size_t scene_kill_worker(struct scene *s, struct worker *k,
			 pid_t executors[CHILDREN_MAX]);

/* Sleeps. */
void scene_sleep(int64_t ms);
/* Sleeps for so long, between the two. */
void scene_sleep_between(struct scene *s, int64_t first_ms, int64_t last_ms);
/* It took so long to be as before; more than the row's limit is a failure. */
void scene_recovered(struct scene *s, int64_t ms);
/* Waits until a task has been begun after `since_ms`, and counts the time from
 * then as a recovery. */
void scene_await_start(struct scene *s, int64_t since_ms);
/* Waits until `n` executions have ended after that time. */
void scene_await_ends(struct scene *s, int64_t since_ms, size_t n);

/* Submits one task that is in the ledger, which must succeed. `kwargs` and
 * other fields can be set in `request` (struct flowrra_request); NULL: the
 * defaults. Returns the id, the world's. */
struct flowrra_request;
const char *scene_submit(struct scene *s, const char *name, const char *arg,
			 const struct flowrra_request *request);
/* Reads the ledger, and what workers notify of, which is forgotten. */
void scene_look(struct scene *s);
/* WAIT_UNTIL_WITHIN() that looks each time. */
#define SCENE_WAIT_WITHIN(s, ms, condition)                                    \
	WAIT_UNTIL_WITHIN(ms, (scene_look(s), (condition)))

/* Judges, but lets the workers run. */
void verdict(struct scene *s);
/* Looks at all records: one that is final must be so for ever, as it is. */
void verdict_note_records(struct scene *s);

/* Tasks that wait, are in flight or delayed. */
long long scene_left(struct scene *s);
/* Whether a task is in the dead list, and what is said of it there. */
bool scene_is_dead(struct scene *s, const char *queue, const char *id,
		   const char *text);
long long scene_count_dead(struct scene *s);

/* --- the load ------------------------------------------------------------ */

struct load {
	unsigned int batch;  /* tasks at a time; 0: 6 */
	unsigned int gap_ms; /* between batches; 0: 40 */
	unsigned int max_ms; /* of a task; 0: 30 */
	const char *queue;   /* of all of them; NULL: io, or cpu */
	bool delays;	     /* some are for later */
	bool retries;	     /* some fail at first */
	bool fleet;	     /* of all the tasks of fleet.c */
	bool no_priorities;
};
/* Submits all the time, in a thread of its own. NULL: the defaults. */
void load_start(struct scene *s, const struct load *load);
void load_stop(struct scene *s);
/* Submissions that were refused, and why the last one was. */
size_t load_refused(const struct scene *s);

/* Opens a client of the scene's broker. */
struct flowrra_client *scene_client(struct scene *s, const char *timeout);

#endif
