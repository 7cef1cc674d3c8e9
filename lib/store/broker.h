/* SPDX-License-Identifier: MIT */
/*
 * The broker: where queues live. One contract, several implementations.
 *
 * A producer submits. A worker says how many tasks it wants from each queue,
 * is given claims, and settles each of them once. A claim is on record at the
 * broker, under the worker's name, from before the worker sees it until it is
 * settled; whatever dies in between, the claim is found again and given once
 * more, marked `recovered`.
 *
 * All calls return at once and callbacks come from the loop, never from within
 * a call (but when there is no memory to wait with). While the broker is out of
 * reach, settlements wait here and are delivered when it is back; submissions
 * fail. Not thread-safe: the loop's thread owns it.
 */
#ifndef STORE_BROKER_H
#define STORE_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/unique.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/pending.h"

struct event_base;
struct broker;
struct broker_admin_ops;
struct broker_flow_ops;

/* --- claims ------------------------------------------------------------ */

/* Bytes from either end of a task that is too large to be read: room for all
 * that precedes the arguments, or follows them. */
#define BROKER_SAMPLE 4096

struct broker_claim {
	unsigned int queue; /* index into broker_options.queues */
	struct slice bytes; /* the task as it came; owned by the claim */
	/*
	 * 0, or the length of a task that is larger than max_task. `bytes` are
	 * then its first BROKER_SAMPLE and its last BROKER_SAMPLE bytes, and
	 * all that can be done with the claim is to bury it.
	 */
	size_t whole;
	bool recovered; /* somebody may have begun, or even finished, it */
	/* What the task has a name of (codec/blob.h); owned by the claim. Empty:
	 * it has none, or the store lacks it. */
	struct slice blob;
	TAILQ_ENTRY(broker_claim) link; /* of the user, until it is settled */
};
TAILQ_HEAD(broker_claim_list, broker_claim);

/* What becomes of a claim. */
enum broker_disposition {
	BROKER_ACK,	 /* done with: forget it */
	BROKER_RETRY,	 /* put `retry_bytes` in its place, due in `delay_ms`,
			    by the store's clock */
	BROKER_RELEASE,	 /* as if it had never been claimed: first in its
			    queue, or level, again */
	BROKER_BURY,	 /* into the dead list, bytes intact, with `info` */
	BROKER_SET_ASIDE /* in the lane of `lane`, bytes intact, if a living
			    worker of the queue has registered that name; if
			    none has, as RETRY, and the name is unknown */
};

/*
 * No task that is set aside is put back for longer than this. When a worker
 * begins to serve a name that is unknown, the tasks of it that were put back are
 * recalled: made due at once, step by step. They are found among those delayed
 * for up to this time by what they say: their "name", and an "unknown" that is
 * more than 0.
 */
#define BROKER_ASIDE_MAX_MS INT64_C(300000)

/* How a step of a workflow has ended (flow.h). One that was cancelled, has expired or
 * is lost has failed; one that was skipped has not. */
enum flow_outcome { FLOW_STEP_SUCCEEDED, FLOW_STEP_FAILED, FLOW_STEP_SKIPPED };
#define FLOW_OUTCOMES (FLOW_STEP_SKIPPED + 1)

/*
 * One settlement. The caller fills it, keeps it and what its slices point to
 * until on_done, and does not look at the claim any more, which is gone then.
 */
struct broker_settle {
	enum broker_disposition disposition;
	struct broker_claim *claim;
	struct slice retry_bytes; /* RETRY */
	int64_t delay_ms;	  /* RETRY */
	int32_t priority;	  /* RELEASE, SET_ASIDE, RETRY with no delay */
	struct slice lane;	  /* SET_ASIDE: the task's name */
	struct slice
	    id; /* BURY: the task's id, or empty; with a flow, it is there */
	/* BURY: the id was read from bytes that are not a task: a dead entry
	 * that has it already stays, and this one gets a name of its own. */
	bool salvaged;
	struct slice info; /* BURY: JSON object: reason, error, … */
	/* ACK, BURY: the workflow that the task is a step of, and how it has ended,
	 * as its final record says, which is stored. What comes after it is released
	 * before the claim is off the record. Empty: it is no step. */
	struct slice flow;
	enum flow_outcome outcome;
	void (*on_done)(struct broker_settle *settle);
	void *arg;		/* the caller's */
	struct pending pending; /* the implementation's */
};

/* --- submissions ------------------------------------------------------- */

#define BROKER_OWNER_SIZE 256
/* How a task that another one waits for has to end. */
enum broker_after_how {
	BROKER_AFTER_SUCCESS,
	BROKER_AFTER_FAILURE, /* or cancelled, expired, lost; but not skipped */
	BROKER_AFTER_COMPLETE /* in any way */
};
/* The name of each, in that order. */
extern const char *const broker_after_words[BROKER_AFTER_COMPLETE + 1];
struct broker_after {
	struct slice id;
	enum broker_after_how how;
};

/* What a task is in its workflow (flow.h). */
enum flow_role {
	FLOW_STEP,
	/* A callback, released after the end of the workflow if that is so; else it
	 * is gone. It has no record before; and where records are in another store,
	 * none before a worker runs it. */
	FLOW_ON_SUCCESS,
	FLOW_ON_FAILURE, /* or if it was cancelled */
	FLOW_ON_COMPLETE
};

struct broker_submit {
	const char *queue;
	struct slice id;
	struct slice bytes; /* the task, JSON */
	int32_t priority;
	/*
	 * For later: a delay, which is added to the wall clock of the store
	 * when the task is stored, or a time of that clock in ms since 1970.
	 * Both 0: at once.
	 */
	int64_t delay_ms, at_ms;
	/*
	 * Tasks that have to end first. It is put into the queue in the step that
	 * stores the last of their ends; a delay begins then. As soon as it is
	 * certain that one of them does not end as it has to, or is gone, this one
	 * ends, too: it failed, and the reason is BROKER_SKIPPED. An ID that no
	 * task has: ERR_NOT_FOUND. A store that has no such thing (Redis, but for
	 * steps of workflows), or has no records: ERR_CONFIG.
	 */
	const struct broker_after *after;
	size_t n_after;
	/*
	 * The workflow that it becomes a step of (flow.h), which `bytes` also have
	 * as "flow"; `after` is of steps of that then. Empty: none. ERR_NOT_FOUND:
	 * there is no such workflow, or no such step in it. ERR_REFUSED: it is
	 * sealed, and `within` is no step of it that has not ended; or it has ended.
	 * With the ID of a step that it has already, nothing changes, and
	 * `duplicate` is set. The limits of a queue's length are not for steps.
	 */
	struct slice flow;
	enum flow_role role;
	struct slice within; /* the step whose task adds this; empty: none */
	/* It belongs to the one before it in the batch: it is refused, or a
	 * duplicate, as that is. Where tasks can wait for others. */
	bool follows;
	/*
	 * The pending record of the task. It is stored in the same step, before
	 * the task can be claimed, if broker_options.with_results is set; else
	 * it is not looked at and the caller has stored it before.
	 */
	struct slice record;
	/* The record is what result_pending() and result_encode() make of
	 * `bytes`: a store that keeps these need not keep it, too. */
	bool derived;
	bool exclusive; /* the id was chosen by a person: refuse (ERR_REFUSED)
			   if there is a record of it already */
	/*
	 * A key that makes the task unique in its queue, or empty: of several
	 * submissions with the same key within `unique_s` only the first is
	 * queued, in one step with noting the key. The others leave nothing
	 * behind, set `duplicate` and count as queued. A record that is there
	 * already stays as it is, so that a submission whose outcome is not
	 * known can be sent again.
	 */
	struct slice unique;
	/*
	 * The key goes earlier if the task starts, or ends in any way; or is
	 * removed, or leaves for another queue. The task has the same in its bytes,
	 * as task_encode() writes them. Then `unique_s` counts from when the task is
	 * due, and is only for workers that know nothing of keys.
	 */
	enum unique_until unique_until;
	int64_t unique_s;
	/*
	 * With UNIQUE_START and a delay: if the task that has the key is still delayed, it
	 * becomes this one, with a new delay, and keeps its ID; the answer is that
	 * of a duplicate. If it waits already, this one is queued, and has the key.
	 */
	bool debounces;
	/*
	 * What the task shares with others, and its name, which the task has
	 * (codec/blob.h): kept once. Empty: nothing. For a store with records that
	 * has such a thing, as SQLite.
	 */
	struct slice blob_name, blob;
	bool duplicate; /* part of the answer */
	/* The task that has the key; this one, if it was queued before. */
	char owner[BROKER_OWNER_SIZE];
	struct err err; /* the answer; ERR_NONE: queued */
};

#define BROKER_SKIPPED "skipped"

/* Whether the answer says for certain that this task was not queued, so that a
 * record of it would wait for ever. */
bool broker_submit_left_nothing(const struct broker_submit *submit);

/* All of a batch have their answer. */
typedef void broker_submitted_fn(struct broker_submit *batch, size_t n,
				 void *arg);

/* --- housekeeping ------------------------------------------------------ */

/* How much of the dead list of a queue stays. */
struct broker_limits {
	int64_t dead_max;    /* tasks; 0: no limit */
	int64_t dead_ttl_ms; /* by the store's clock; 0: they do not expire */
	/* What they and their reasons have in all, about; the newest stays,
	 * whatever its size; 0: no limit. */
	int64_t dead_max_bytes;
	/* A queue that has been empty, and without a worker, for so long is not
	 * listed any more until somebody names it again; 0: it stays. */
	int64_t idle_ms;
	/* A task that has been in no place for so long, while its record said that
	 * it had not ended, is lost; 0: it stays as it is. */
	int64_t lost_ms;
	int64_t
	    record_ttl_s; /* of the record of one that housekeeping ends; 0: for ever */
	/* What no living worker has registered for so long is forgotten; 0: it
	 * stays. */
	int64_t registry_ms;
};
#define BROKER_IDLE_MS (INT64_C(7) * 24 * 3600 * 1000)
#define BROKER_REGISTRY_MS (INT64_C(90) * 24 * 3600 * 1000)

/* What a step has deleted from the dead list of a queue (the oldest, with what
 * could not be understood among them), or has ended. */
struct broker_trimmed {
	struct slice queue;
	int64_t beyond;	 /* since there were more than dead_max, or bytes */
	int64_t expired; /* since they died dead_ttl_ms ago */
	int64_t lost;	 /* records of tasks that were in no place */
};

/* --- opening ----------------------------------------------------------- */

struct broker_options {
	struct event_base *base;
	/* These two are copied; the other strings must outlive the broker. */
	const char *url;
	const char *queue_key; /* "flowrra:queue" */
	int64_t timeout_ms;
	int64_t max_connections;
	int64_t max_queue_size; /* of submissions; 0: none */
	/* Of a store that has some: how many of them have a submission before it
	 * counts as queued; and whether on their disks, and on the store's. */
	int64_t replicas;
	bool replicas_on_disk;
	bool with_results; /* results live in the same store … */
	bool has_records;  /* … or, of a Cluster, on its nodes */
	/* Of a daemon that needs the store: makes one that is only a file at
	 * once, or says that it cannot. A worker always does. */
	bool creates;

	/* For workers; a producer leaves the rest empty. */
	const char *worker; /* its stable id; NULL: a producer */
	/*
	 * What tells this process from another one with the same id: a text
	 * that is random for each process, and that of the process that had the
	 * id before on this machine and is gone for sure ("" if there is none).
	 * While another one lives, on_state says `final` with ERR_REFUSED.
	 */
	const char *token, *predecessor;
	const char *const *queues;
	unsigned int n_queues;
	size_t max_task; /* of larger ones, both ends are read */

	/* A claim is there; settle it in the end. */
	void (*on_claim)(struct broker_claim *claim, void *arg);
	/*
	 * The claim is not on record any more: another worker took this one for
	 * dead, and the task over. It is neither settled nor recorded; the
	 * worker ends what it runs for it, and drops it. Workers only.
	 */
	void (*on_lost)(struct broker_claim *claim, void *arg);
	/* The answer to broker_doubt(), if the claim is on record. With NULL:
	 * broker_is_sure() has become true again, of some queue. */
	void (*on_kept)(struct broker_claim *claim, void *arg);
	/* broker_idle() has become true while nothing was wanted from some
	 * queue. Workers only. */
	void (*on_idle)(void *arg);
	/* An order to workers came in (codec/order.h), or what somebody took
	 * for one. Workers only. */
	void (*on_control)(struct slice message, void *arg);
	/* broker_tidy() has deleted something. Workers only; may be NULL. */
	void (*on_trimmed)(const struct broker_trimmed *trimmed, void *arg);
	/*
	 * For broker_tidy(): reads a record that is not final. Appends the name of
	 * its task's queue, and the record with which the task ends if it is lost.
	 * false: it is not understood, and stays. NULL: no task is looked for.
	 */
	bool (*on_pending)(struct slice record, struct buf *queue,
			   struct buf *ended, void *arg);
	/*
	 * The broker came into reach (up; why is NULL), or went out of it and
	 * will be looked for (down), or will never let us in (`final`). Also
	 * called for each failed attempt; and with up and a `why` to warn of a
	 * setting of the server that puts tasks at risk.
	 */
	void (*on_state)(bool up, bool final, const struct err *why, void *arg);
	/* Whether the loop may stand still now while a store works, since nobody
	 * waits on it for anything else; NULL: never. Then a store that is a file
	 * needs no thread. */
	bool (*may_block)(void *arg);
	void *arg;
};

/* NULL with *err if the options are wrong. The broker may be out of reach. */
struct broker *broker_open(const struct broker_options *options,
			   struct err *err);
/* Calls nobody back; claims that are not settled stay on record. */
void broker_close(struct broker *b);

/* The server's name without secrets, for logs. */
const char *broker_name(const struct broker *b);
bool broker_is_up(const struct broker *b);

/* --- workers ----------------------------------------------------------- */

/*
 * At most `n` more claims from this queue, from now on; replaces what was said
 * before, and goes down by one with each claim. With 0 the broker stops at
 * once, but claims that are on their way still come: broker_idle() tells when
 * that is over.
 */
void broker_want(struct broker *b, unsigned int queue, unsigned int n);
/* How many of those a claim is under way for. 0 right after broker_want(): the queue
 * is known to hold nothing, or is paused, or the broker is out of reach. */
unsigned int broker_coming(const struct broker *b, unsigned int queue);
/* Whether no claim can come any more unless broker_want() asks for it. */
bool broker_idle(const struct broker *b);

/* Settles a claim; cannot fail, but can take as long as the broker is away. */
void broker_settle(struct broker *b, struct broker_settle *settle);
/* Forgets a claim that on_lost has told of, at once. It is gone then. */
void broker_drop(struct broker *b, struct broker_claim *claim);
/* A record of the claim was fenced (results.h): whether the claim is on record
 * is found out; on_lost or on_kept follows. */
void broker_doubt(struct broker *b, struct broker_claim *claim);
/*
 * Whether the claims of a queue are this worker's for sure: its last heartbeat
 * still keeps others out (less than BROKER_HEARTBEAT_TTL_S), and nothing has cast
 * doubt on them since. While they are not, nothing more of them should be started.
 */
bool broker_is_sure(const struct broker *b, unsigned int queue);
/* Settlements that have not been confirmed. */
size_t broker_unsettled(const struct broker *b);

/*
 * Says that the worker lives, with its description (JSON); to be called every
 * BROKER_HEARTBEAT_S. Lost if the broker is away. A worker that says nothing is
 * dead, and its tasks are another's, at the latest two lives after its last
 * word.
 */
#define BROKER_HEARTBEAT_TTL_S 10
#define BROKER_HEARTBEAT_S 3
void broker_heartbeat(struct broker *b, struct slice description);
/* Takes the worker off the list of the living. */
void broker_deregister(struct broker *b);

/*
 * Records what the worker can run: names and descriptions (JSON), all of them,
 * and none that it said before. The names are good for its queues as long as
 * its heartbeats are; the descriptions stay, for those who submit while the
 * queue has no worker.
 *
 * A lane holds tasks of one name that were set aside by workers of its queue
 * which cannot run them. They come, before the others of their priority, to
 * workers that have registered the name; when none of those lives any more,
 * they go back to the queue within seconds. All that counts, shows and removes
 * waiting tasks sees them among those.
 *
 * Tasks of a name that was unknown before are recalled (BROKER_ASIDE_MAX_MS): at
 * once, or with the next heartbeat.
 */
void broker_register(struct broker *b, const struct slice *names,
		     const struct slice *descriptions, size_t n);

/*
 * Housekeeping, of all queues that there are: one of the workers does it, and
 * for the others this costs one short command. To be called every
 * BROKER_TIDY_S. Does nothing while the last call is still at work.
 *
 * It goes in steps of at most BROKER_TIDY_STEP tasks and about
 * BROKER_TIDY_BYTES (one task may be larger), between which others have their
 * turn. on_trimmed tells of each step that has deleted something.
 *
 * If records are in the same store (has_records), it also looks for those of
 * tasks that are gone: see lost.h.
 */
#define BROKER_TIDY_S 10
#define BROKER_TIDY_STEP 500
#define BROKER_TIDY_BYTES (1u << 20)
void broker_tidy(struct broker *b, const struct broker_limits *limits);

/* --- producers --------------------------------------------------------- */

/*
 * Submits a batch. Each member gets its own answer in `err`:
 * ERR_FULL (a limit), ERR_UNAVAILABLE (out of reach, or a full server; the
 * message says whether the task may have been queued all the same),
 * ERR_REFUSED. The batch and all that it points to stay until on_done.
 */
void broker_submit(struct broker *b, struct broker_submit *batch, size_t n,
		   broker_submitted_fn *on_done, void *arg);

/*
 * For one submission by itself, without a turn of the loop; for the loop's
 * thread, and not for its callbacks. broker_look() finds out whether the broker
 * is still in reach, and can be used so; broker_push() then sends what has been
 * submitted since.
 */
bool broker_look(struct broker *b);
void broker_push(struct broker *b);

/* One answer: `value` is empty (p == NULL) if there is none; err is NULL or
 * says why it cannot be told. */
typedef void broker_value_fn(struct slice value, const struct err *err,
			     void *arg);
/* What is registered under a name: JSON. */
void broker_registered(struct broker *b, struct slice name,
		       broker_value_fn *on_value, void *arg);
/* `names` is NULL if err says why there is no answer. */
typedef void broker_names_fn(const struct slice *names, size_t n,
			     const struct err *err, void *arg);
/* All names, sorted by their bytes. */
void broker_registered_names(struct broker *b, broker_names_fn *on_names,
			     void *arg);

/* `names` and `values` are NULL if err says why there is no answer. */
typedef void broker_entries_fn(const struct slice *names,
			       const struct slice *values, size_t n,
			       const struct err *err, void *arg);
/* All that is registered, as broker_registered() has it, sorted by the
 * names. */
void broker_registry(struct broker *b, broker_entries_fn *on_entries,
		     void *arg);

/*
 * Who can run a task of that name in a queue: the value is "known" if a living
 * worker of the queue has registered the name, "unknown" if it has workers and
 * none of them has, and empty if no living worker has said what it can run.
 */
struct broker_served {
	struct slice queue, name;
};
void broker_served(struct broker *b, const struct broker_served *question,
		   broker_value_fn *on_value, void *arg);

/* Sends an order (codec/order.h) to all workers. */
void broker_control(struct broker *b, struct slice message,
		    broker_value_fn *on_sent, void *arg);

/*
 * Numbers for short ids: takes `n` that nobody was given before; the value is the
 * first of them, in decimal digits, and the others follow it. With 0 it is the one
 * that would come next. Of a
 * number that no task bears it is not promised after a power cut. A store that
 * has none (Redis) answers with ERR_CONFIG.
 */
void broker_numbers(struct broker *b, unsigned int n, broker_value_fn *on_value,
		    void *arg);

/* --- implementations --------------------------------------------------- */

/* What an implementation provides; store.h finds the one for a URL. */
struct broker_ops {
	const char *const *schemes; /* "redis://", … NULL at the end */
	/* What open() would say of a URL; asks no server, and opens no file. */
	int (*check_url)(const char *url, struct err *err);
	/* Whether it is there, or could be made on this machine; NULL: nobody asks. */
	int (*check_makeable)(const char *url, struct err *err);
	/* Its name, as name() of the opened store has it: a URL without user and
	 * password, by which two can be compared. NULL with *err. free() it. */
	char *(*url_name)(const char *url, struct err *err);
	/* Whether a URL leads to another machine for certain. NULL: never. */
	bool (*is_elsewhere)(const char *url);
	/* Whether what a URL leads to has no step that is about a task and its
	 * record: to the contract both are two stores then. NULL: never. */
	bool (*is_spread)(const char *url);
	struct broker *(*open)(const struct broker_options *, struct err *);
	void (*close)(struct broker *);
	const char *(*name)(const struct broker *);
	bool (*is_up)(const struct broker *);
	void (*want)(struct broker *, unsigned int queue, unsigned int n);
	unsigned int (*coming)(const struct broker *, unsigned int queue);
	bool (*idle)(const struct broker *);
	void (*settle)(struct broker *, struct broker_settle *);
	void (*drop)(struct broker *, struct broker_claim *);
	void (*doubt)(struct broker *, struct broker_claim *);
	bool (*is_sure)(const struct broker *, unsigned int queue);
	size_t (*unsettled)(const struct broker *);
	void (*heartbeat)(struct broker *, struct slice description);
	void (*deregister)(struct broker *);
	void (*register_tasks)(struct broker *, const struct slice *names,
			       const struct slice *descriptions, size_t n);
	void (*tidy)(struct broker *, const struct broker_limits *limits);
	void (*submit)(struct broker *, struct broker_submit *batch, size_t n,
		       broker_submitted_fn *on_done, void *arg);
	/* NULL, both: cannot be used so. */
	bool (*look)(struct broker *);
	void (*push)(struct broker *);
	void (*registered)(struct broker *, struct slice name,
			   broker_value_fn *on_value, void *arg);
	void (*registered_names)(struct broker *, broker_names_fn *on_names,
				 void *arg);
	void (*registry)(struct broker *, broker_entries_fn *on_entries,
			 void *arg);
	void (*served)(struct broker *, const struct broker_served *question,
		       broker_value_fn *on_value, void *arg);
	void (*control)(struct broker *, struct slice message,
			broker_value_fn *on_sent, void *arg);
	void (*numbers)(struct broker *, unsigned int n,
			broker_value_fn *on_value, void *arg);
	const struct broker_admin_ops *admin; /* admin.h */
	const struct broker_flow_ops *flow;   /* flow.h; NULL: it has none */
};

/* The first member of every implementation's own struct. */
struct broker {
	const struct broker_ops *ops;
};

#define STORE(name) extern const struct broker_ops broker_##name;
#include "store/stores.def"
#undef STORE

#endif
