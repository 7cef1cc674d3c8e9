/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker, as its own files see it.
 *
 *	broker.c	the connection for commands, and the worker's heartbeat
 *	spread.h	leads to a worker whose queues are in a Redis Cluster
 *	gather.c	all workers come to a new server before one claims
 *	enter.c		the worker's hold on its id: heartbeats, and rivals
 *	worker.c	a worker's queues: opened, woken, tried again
 *	claim.c		takes tasks
 *	wait.h		waits for the next task of an empty queue
 *	delay.c		tasks for later
 *	reconcile.c	finds claims that were lost
 *	stray.c		leaves tasks of queues that it does not serve any more
 *	takeover.c	finds workers that are dead, and takes their tasks
 *	tidy.h		housekeeping
 *	inflight.c	claims in memory
 *	settle.c	ends claims
 *	flow.h		leads to workflows
 *	limit.h		claims and acknowledgements of queues with limits
 *	submit.h	leads to the producers' side
 *	registry.c	what workers have registered, and orders to them
 *	admin.h		leads to the operators' side
 *	levels.h	the lists of priorities, as keys
 *	lanes.h		tasks that were set aside, and who can run them
 *	served.c	the question who can run a task
 *	queue.c		names of one queue, and of all that are known
 *	rights.h	what the user may not do
 *	eval.c		scripts, as the server's version needs them
 *	arg.c		arguments of commands
 *
 * Calls go down this list, but for the table of operations in broker.c, whose
 * members ops.h has, and the callback on_compared of a queue.
 *
 * A worker has one connection for commands, one that listens for orders, and
 * a few that wait in BLMOVE for empty queues. Claims by script, settlements and
 * the comparison of what is in flight share the connection for commands, so that
 * their order there is their order at the server.
 */
#ifndef STORE_REDIS_BROKER_H
#define STORE_REDIS_BROKER_H

#include "redis/outbox.h"
#include "redis/redis.h"
#include "redis/request.h"
#include "redis/url.h"
#include "store/broker.h"
#include "store/lost.h"
#include "store/redis/arg.h"
#include "store/redis/scripts.h"

/*
 * The in-flight list of a worker's queue is split, so that taking a settled
 * task out never has far to look: shard 0 receives what BLMOVE brings, the
 * others what the claim script brings, in turns. So 16 of them share the up to
 * thousands of tasks of a worker: LREM passes a sixteenth of them at most. More
 * would make the comparison of what is in flight dearer (see RECONCILE_S). All
 * workers of a queue have to agree on the number, since it names keys.
 */
#define SHARDS 17

/*
 * How long the keys of a queue that name a worker outlive its last heartbeat, or
 * a takeover: the epoch and the mark. An epoch has to last through a takeover,
 * which takes seconds. A worker that finds its mark gone was away for longer
 * than that: it stores nothing before it has looked what is in flight.
 */
#define RQUEUE_MARK_TTL_S (7 * 24 * 3600)

/* What one call of takeover.lua moves, about: it may not keep the server long. */
#define RTAKEOVER_BYTES (512u << 10)
/* Names of queues in a page: SSCAN answers with about as many. */
#define RNAMES_PAGE "500"

enum rqueue_key {
	KEY_WAITING,
	KEY_LEVELS,
	KEY_DELAYED,
	KEY_DEAD,
	KEY_DEAD_TASKS,
	KEY_DEAD_INFO,
	KEY_PAUSED,
	KEY_WITHDRAWN,	/* how many of RBROKER_WITHDRAWN lie in the lists */
	KEY_LANES,	/* names of lanes, and how many tasks are in each */
	KEY_SERVED,	/* names of tasks, and until when a worker has them */
	KEY_UNKNOWN,	/* names that no worker had, and when they were met */
	KEY_IDLE,	/* since when nobody has used it */
	KEY_LIMITS,	/* rules, by scope: see limit.c */
	KEY_DECLARED,	/* what workers declare: see declare.lua */
	KEY_RUNNING,	/* how many are in flight, by scope */
	KEY_COUNTING,	/* the same, while it is counted */
	KEY_HELD,	/* the lane of tasks that may not run yet … */
	KEY_HELD_INDEX, /* … and which scope holds each */
	KEY_READY,	/* scopes that hold tasks and have room */
	KEY_TATS,	/* of scopes with a rate: when the next is due */
	KEY_RESTING,	/* scopes that hold tasks and wait for their rate */
	KEY_IDLERS,	/* workers that wait for a word of their own */
	KEY_WATCHER,	/* the one of them that is told of new tasks */
	KEY_LEAVING,	/* what is on its way to another queue */
	KEY_UNIQUES,	/* keys of tasks, until these start or end */
	KEY_COUNT
};

/* A priority as text: a sign, ten digits, a NUL. */
#define RLEVEL_SIZE 12

/*
 * Priorities other than 0 of which tasks may wait in a queue of limited length.
 * All of their lists are counted with each submission, 0.3 ms of the server; of
 * 10,000 it would be over 10 ms. Elsewhere a queue may have any number: what walks
 * through them goes on with the next call.
 */
#define RLEVELS_MAX 256

/* The priorities other than 0 of which a queue is known to have a list. */
struct rlevels {
	char (*names)[RLEVEL_SIZE];
	size_t n;
};

/* The keys of lanes that a worker's queue was told of, and whose tasks it can
 * run. */
struct rlanes {
	char **keys;
	size_t n;
};

/*
 * A task that this worker has claimed: one entry of a shard's list at the
 * server. It lives from the reply that brought it until the server has confirmed
 * its settlement; the worker holds `pub` in between.
 */
#define RCLAIM_MARK_SIZE 40
struct rclaim {
	struct broker_claim pub;
	struct rqueue *queue;
	unsigned int shard;
	bool seen;    /* the comparison that is under way has passed it */
	bool adopted; /* recovered while its BLMOVE reply may still come */
	bool leaving; /* its settlement was sent */
	bool ending;  /* the step that it is of ends, before it is settled */
	bool lost;    /* the worker was told that it is not on record */
	bool doubted; /* broker_doubt() awaits an answer */
	char mark[RCLAIM_MARK_SIZE]; /* see fence.h */
	uint64_t serial; /* counts all that ever came into the shard */
	TAILQ_ENTRY(rclaim) link;
	char bytes[];
};

/* With its ID, which is at the beginning, a task differs from all others. */
#define RSHARD_LAST_MAX 128

/*
 * A part of the in-flight list, and its image in memory. What the list has and
 * memory has not is lost until a comparison finds it; what memory has and the
 * list has not was settled, or taken over by another worker: that is told.
 */
struct shard {
	char *key;
	TAILQ_HEAD(, rclaim) claims; /* the list from its tail to its head */
	struct rclaim *oldest;	     /* that is not leaving; NULL: none */
	uint64_t serial;	     /* of the newest */
	unsigned int count;	     /* without those that are lost */
	struct rqueue *queue;
	unsigned int unknown; /* met, but left: their reply may still come */
	bool reconciling;     /* the comparison is under way: */
	struct comparison {
		uint64_t asked_serial; /* `serial` when it began */
		unsigned int passed;   /* entries from the list's tail on … */
		char last[RSHARD_LAST_MAX]; /* … how the last of them begins */
		size_t last_len;
		unsigned int unknown_before; /* `unknown` when it began */
		bool again; /* entries have moved: it begins once more */
	} comparison;
};

/* Whether a worker's queue may take tasks. */
enum rqueue_phase {
	RQUEUE_DOWN,	   /* no connection for commands */
	RQUEUE_RECOVERING, /* shards are compared with memory: `uncompared` */
	RQUEUE_READY
};

/* What is known of a queue's tasks of which this worker may take some. */
enum rqueue_content {
	RQUEUE_MAYBE,	/* somebody has to look: the claim script */
	RQUEUE_LOOKING, /* it is under way, and no news came since it left */
	RQUEUE_EMPTY,	/* it left nothing: BLMOVE may wait */
	RQUEUE_FULL,	/* as many are in flight as the queue may have */
	RQUEUE_PAUSED	/* it was refused: the end of that is a wake order */
};

/* The look for due tasks: there is one at a time. */
enum rqueue_look {
	RQUEUE_LOOK_NONE,
	RQUEUE_LOOK_SENT,
	RQUEUE_LOOK_AGAIN /* sent, and something came since */
};

/* What the connection that blocks does. */
enum rqueue_move {
	RQUEUE_MOVE_NONE,
	RQUEUE_MOVE_WAITS,  /* for BLMOVE, and the EXISTS behind it */
	RQUEUE_MOVE_FREES,  /* it brought a task whose key is freed now */
	RQUEUE_MOVE_RETURNS /* what came during a pause: `releasing` */
};

/* Whether this process may call itself by the worker's id. */
enum renter_phase {
	RENTER_OUT,    /* not yet, or the connection is gone */
	RENTER_ASKING, /* the server is being asked */
	RENTER_IN,     /* it may */
	RENTER_REFUSED /* another one has it; there is no way back */
};

/*
 * One queue. Producers and operators use only the names of its keys.
 *
 * A worker takes tasks only when `phase` is READY. At most one claim script, one
 * look for due tasks and one BLMOVE are under way, each with its state; the
 * script and BLMOVE may be so at the same time.
 */
struct rqueue {
	struct rbroker *broker;
	unsigned int index;
	char *name;
	char *keys[KEY_COUNT];
	char *epoch_key; /* of this worker */
	char *mark_key;	 /* what a takeover from this worker changes … */
	char mark[RCLAIM_MARK_SIZE]; /* … and what it was when last read */
	char *wake; /* the order that tells workers to look at this queue */
	struct rlevels levels; /* as the server told last */

	/* Workers only. */
	struct rlanes lanes;
	bool recalling; /* a search is under way; see recall.c */
	struct shard shards[SHARDS];
	unsigned int next_shard;
	enum rqueue_phase phase;
	enum rqueue_content content;
	enum rqueue_look look;
	enum rqueue_move move;
	unsigned int uncompared; /* shards, while RECOVERING */
	/* Others may have taken claims over, until all are compared; and doubts
	 * have come while that was under way. */
	bool doubtful, doubted_again;
	bool marked; /* the mark tells this process from those before it */
	/* It has limits, or holds tasks of some: see limit.c. */
	bool limited;
	bool watches;	    /* it is the one that is told of new tasks */
	bool counting;	    /* what is in flight, before it is claimed from */
	struct racks *acks; /* that wait to be sent, or NULL */
	unsigned int wanted;
	unsigned int asked; /* of those, asked for by the script; 0: none is */
	unsigned int asked_shard;
	size_t task_size; /* of the largest that the last claim brought; 0: none
			     was made */
	struct rwaiter *waiter; /* while `move` is RQUEUE_MOVE_WAITS */
	bool armed; /* the server tells when the list of priority 0 changes */
	int64_t task_ms; /* when it last brought a task */
	/* CLIENT UNBLOCK is under way, on the other connection: it may outlive
	 * the BLMOVE that it is for, hence not a state of `move`. */
	bool unblocking;
	/* A task that BLMOVE brought, until it is known whether the queue is
	 * paused, and its key is freed; and how one is given back that should not have come. */
	struct rclaim *held;
	bool asked_rest; /* the EXISTS was sent, too */
	struct broker_settle releasing;
	/* A shard was compared with memory; `last`: of a recovery, so that
	 * tasks may be taken now. Set when the queue is opened. */
	void (*on_compared)(struct rqueue *q, bool last);
	struct event *due;    /* the next delayed task is due */
	struct event *retry;  /* after an error reply */
	struct event *rested; /* a rate has room again */
};

/* Connections that wait, and those beside them: for commands, for orders, and for
 * what the server watches. */
#define RWAITERS_MAX 4
#define RBROKER_OTHERS 3

/* A connection that waits in BLMOVE for one queue at a time. */
struct rwaiter {
	struct rbroker *broker;
	struct redis *redis;
	struct rqueue *queue; /* whose BLMOVE is under way; NULL: it is free */
	struct rqueue *next;  /* to which it goes then, or NULL */
	struct rqueue
	    *lost; /* whose answer went with the connection, or NULL */
};

/* How pending records are stored; what works, the first answer of a connection
 * shows. */
enum rbroker_records {
	RECORDS_UNTRIED,  /* together with the tasks, by a script */
	RECORDS_UNKNOWN,  /* that does not work: the answer is awaited */
	RECORDS_TOGETHER, /* by one MSET */
	RECORDS_SINGLY	  /* each by its own SET */
};

/* Housekeeping under way: the queues of one page of names, one by one. */
struct rtidy {
	struct redis_request request;
	bool under_way;
	struct broker_limits limits;
	char *cursor;	/* of the next page; "0": that was the last */
	char *names;	/* of the queues of this one, each with a NUL behind */
	size_t len, at; /* of them; where the next name begins */
	bool idles;	/* names of queues that nobody uses go … */
	bool gone;	/* … as that of this one has */
	bool weighed;	/* the bytes of its dead list are known … */
	int64_t fit;	/* … and so many of the newest may stay */
	int64_t rank, left; /* where weigh.lua goes on */
};

/* What is known of the lists of a queue; see places.h. */
struct rplaces {
	struct buf lists; /* keys, each with a NUL behind */
	size_t n_lists;
	unsigned int tries; /* to have all of them */
};

/* What housekeeping does about tasks that may be lost. */
struct rlost_case;
struct rlost {
	struct lost_suspects suspects;
	size_t node;  /* of a Cluster: the master whose keys it is at … */
	char *cursor; /* … and the next page of them; NULL: the first */
	unsigned int pages; /* that may follow in this round */
	struct buf ids;	    /* of records to look at, each with a NUL behind */
	size_t at;	    /* where those begin that were not looked at */
	unsigned int taken; /* suspects that they are of; 0: a page's */
	struct rlost_case *cases; /* those of them that are not final */
	size_t n_cases;
	struct rlost_call *calls;	/* about one record each … */
	unsigned int under_way;		/* … of which so many are */
	bool failed;			/* one of them has */
	const struct rlost_case *asked; /* the first one of the call */
	struct rplaces places;		/* of its queue */
};

/* What happens before tasks are taken from a new connection; see gather.c. */
struct rgather {
	int64_t number; /* of servers that were new, so far; 0: not told */
	bool holds;	/* nothing may be claimed yet */
	bool moved;	/* from another server, where claims in memory are of */
	bool begins_again; /* the server could not say: it is asked once more */
	bool insists;	   /* claims go back though some levels are not known */
	int64_t until_ms;  /* they may, by the server's clock; 0: need not */
	unsigned int under_way; /* calls that put them back */
	struct event *look;	/* at whether the others have come */
	int64_t look_ms;	/* until the next */
};

/* Workflows; see flow.h. */
struct rflow_delivery;
struct rflow_turn;
struct rflow {
	TAILQ_HEAD(, rflow_delivery) deliveries;
	TAILQ_HEAD(, rflow_turn) paused; /* until `again` */
	struct event *again;
	/* Ends of steps that are still collected, until `flush`. */
	TAILQ_HEAD(, rflow_turn) gathering;
	size_t n_gathering;
	struct event *flush;
	size_t settling; /* claims of this broker, before their settlement */
	bool together;	 /* a script may have keys of several slots */
};

/* What of a worker's broker this is. */
enum rbroker_part {
	RBROKER_WHOLE, /* all; or it is a producer's, or an operator's */
	RBROKER_HUB, /* of a Cluster: what is not about one queue; see spread.h */
	RBROKER_QUEUE /* of a Cluster: one of its queues */
};

struct examination;
struct rspread;

struct rbroker {
	struct broker pub;
	struct broker_options opt;
	enum rbroker_part part;
	struct rspread *spread; /* of a hub */
	const char *keeper;	/* the worker that does the housekeeping */
	unsigned int first; /* what its user calls the first of its queues */
	/* Of one queue: a key of it, on whose node all is, wherever that goes. */
	char *pin;
	/* Names of keys that are about all queues, or, in a Cluster, about one,
	 * beside it. */
	char *workers_key;   /* by the time of their last heartbeat: zset */
	char *worker_prefix; /* their heartbeats */
	char *server_key;    /* that was used last (gather.c) */
	char *absent_key;    /* who is awaited at a new one */
	const char *registered_key;
	struct redis_url url;
	char *url_name;
	char *queue_key;
	char *queues_key; /* the set of all names of queues */
	enum rbroker_records records;
	bool set_works; /* this connection has stored a record by SET */
	void *named;	/* those that it was told of: a tree */
	unsigned int n_named;
	char *worker_json;	 /* the worker's id as a JSON string */
	struct redis *redis;	 /* commands */
	struct broker *producer; /* of a worker: submits; NULL: that does */
	struct redis *control;	 /* listens */
	struct outbox outbox;	 /* settlements */
	struct redis_requests *requests;
	struct event *liveness; /* the next check of the other workers */
	TAILQ_HEAD(, suspect) suspects;
	int64_t long_missed; /* where the next check of those goes on */
	struct event
	    *reconcile;	   /* the next comparison of what is in flight with
				   memory */
	bool checked;	   /* the server's settings were looked at */
	char run_id[48];   /* of the server that they are of; "": unknown */
	unsigned int deaf; /* how often in a row `control` could not listen */
	bool listening;
	struct rwaiter waiters[RWAITERS_MAX];
	unsigned int n_waiters;
	/* Of a worker that has more queues than waiters; see track.c. */
	struct redis *watch;
	bool watching;		  /* it is told of changes */
	bool tracking;		  /* queues can be armed */
	bool watch_failed;	  /* that was said */
	bool watch_needed;	  /* queues are to be armed */
	unsigned int watch_downs; /* while the server was there */
	bool version_known;	  /* the scripts are those for it */
	struct redis_script scripts[SCRIPT_COUNT];
	char *worker_key; /* flowrra:worker:<id> */
	/* The worker's hold on its id; see enter.c. */
	enum renter_phase entering;
	struct event *enter_again;
	int64_t rival_ttl_ms;	/* of the other one's heartbeat; -1: none */
	struct buf description; /* that was sent last */
	int64_t beat_ms;      /* when the first heartbeat under way was sent */
	int64_t confirmed_ms; /* … and the last one that arrived; 0: none */
	unsigned int beats_sent; /* that are under way */
	char **tasks; /* names of tasks that it can run, and ""; sorted */
	size_t n_tasks;
	bool serving; /* it has said so */
	struct rqueue *queues;
	unsigned int n_queues;
	struct event *flush; /* of acknowledgements, at the end of a turn */
	struct rtidy tidy;
	struct rlost lost;
	/* That wait for Sentinels, and not for the server; see admin_examine.c. */
	TAILQ_HEAD(, examination) examinations;
	unsigned int n_doubtful; /* of the queues */
	struct rgather gather;
	struct rflow flow;
};

int rbroker_eval(struct rbroker *b, enum rscript script,
		 redis_reply_fn *on_reply, void *arg, size_t n_keys,
		 const struct slice *keys, size_t n_args,
		 const struct slice *args);

/* Chooses the scripts with or without their line of flags. */
void rbroker_choose_scripts(struct rbroker *b, bool flags);
/* The same by the server's answer to INFO. */
void rbroker_take_version(struct rbroker *b, struct slice info);

/* Tells the server the name of a queue, once a connection. */
void rbroker_name_queue(struct rbroker *b, const char *name);
void rbroker_forget_named(struct rbroker *b);
/* What is known of the levels of a queue that was named; NULL: nothing can be. */
struct rlevels *rbroker_levels(struct rbroker *b, const char *name);

/* Makes the key names of one queue; 0, or -1 when memory runs out. */
int rqueue_init(struct rqueue *q, struct rbroker *b, const char *name,
		unsigned int index);
void rqueue_done(struct rqueue *q);
/* Names the shards of a worker's in-flight list. */
int rqueue_name_shards(struct rqueue *q);
/* The server was judged: the worker takes up its id, and its queues. */
void rbroker_enter(struct rbroker *b);
/* The connection is gone. */
void rbroker_leave(struct rbroker *b);
/* Whether it is, and will be for this many ms. */
bool rbroker_is_sure_for(const struct rbroker *b, int64_t ms);
int rbroker_open_enter(struct rbroker *b, struct err *err);
/* It has its id (again): rbroker_start() follows, when its claims are on record. */
void rgather_begin(struct rbroker *b);
/* The connection is gone. */
void rgather_stop(struct rbroker *b);
int rgather_open(struct rbroker *b, struct err *err);
void rgather_close(struct rbroker *b);
/* The worker has its claims (again): queues are compared, and tasks taken. */
void rbroker_start(struct rbroker *b);

/* Opens one of that kind. */
struct rbroker *rbroker_open_part(const struct broker_options *options,
				  enum rbroker_part part, unsigned int first,
				  struct err *err);
/* Closes one, without what it is a hub of. */
void rbroker_close_part(struct rbroker *b);
/* Says what tasks there are. */
void rbroker_register(struct rbroker *b, const struct slice *names,
		      const struct slice *descriptions, size_t n);
/* When these were seen last, by the server's clock. */
void rbroker_note_times(struct rbroker *b, struct slice key,
			const struct slice *names, size_t n);

/* Opens what a worker needs: its queues, its timers, its ear. */
int rbroker_open_worker(struct rbroker *b, struct err *err);

/* Appends the name of a queue's key, for who needs no other. Not KEY_WAITING. */
void rqueue_add_key(struct buf *out, const struct rbroker *b, struct slice name,
		    enum rqueue_key key);
/* The names of a worker's in-flight list, of which `shard` says which, and of
 * its epoch; free() them. NULL when memory runs out. */
char *rqueue_shard_key(const struct rqueue *q, const char *worker,
		       unsigned int shard);
char *rqueue_epoch_key(const struct rqueue *q, const char *worker);
/* The name of the set of those who serve the queue, or any: it is in the buffer. */
struct slice rqueue_add_workers(struct buf *out, const struct rqueue *q);
/* The same of the mark that a takeover leaves (fence.h). */
char *rqueue_mark_key(const struct rqueue *q, const char *worker);

/* Hands over what a claim script brought: members `from` to `to` - 1 of the
 * reply. */
void rqueue_take_tasks(struct rqueue *q, const struct redis_reply *reply,
		       size_t from, size_t to);

/* Takes what it may, in whatever way is right now. */
void rqueue_pump(struct rqueue *q);
/* Something may be there: looks for waiting and for due tasks. */
void rqueue_wake(struct rqueue *q);
/* An order to wake came on this channel: of all workers, or of this one. */
void rqueue_on_order(struct rqueue *q, struct slice channel);
/* Listens to both. */
int rbroker_hear(struct redis *r, const char *worker, redis_ready_fn *on_ready,
		 void *arg, struct err *err);
/* Looks for due tasks. */
void rqueue_promote(struct rqueue *q);
/* The same, as a callback of q->due. */
void rqueue_on_due(int fd, short what, void *arg);
/* A reply that the connection's own state explains, and that needs nothing. */
bool rqueue_reply_lost(const struct redis_reply *reply);
/* The connection for commands is up (again): recover, then take tasks. */
void rqueue_start(struct rqueue *q);
/* Leaves to others what this worker had in flight in queues that it does not serve
 * any more. With each connection: a script that failed is made up for. */
void rbroker_leave_strays(struct rbroker *b);
/* Proves to the other workers that this one lives; see takeover.c. */
void rqueue_bump_epoch(struct rqueue *q);
/* That connection is gone. */
void rqueue_stall(struct rqueue *q);
/* Whether its claims are still on record has to be found out. */
void rqueue_doubt(struct rqueue *q);
/* None of them is. */
void rqueue_lose_all(struct rqueue *q);
/* Compares a shard of the in-flight list with memory. */
void rqueue_reconcile_shard(struct rqueue *q, unsigned int shard);
/* During a comparison a claim is settled that it has passed. */
void rshard_entry_leaves(struct shard *shard, struct slice task);
/* The same for all shards whose lengths say that it is needed. */
void rqueue_compare(struct rqueue *q);
/* Wakes the queue, or recovers it, in a moment. */
void rqueue_retry_later(struct rqueue *q);
/* The server refuses `what`: says so, and tries again in a moment. */
void rqueue_refused(struct rqueue *q, const char *what,
		    const struct redis_reply *reply);
/* Notes a claim; NULL when memory runs out: reconciling finds it again. */
struct rclaim *rqueue_keep(struct rqueue *q, unsigned int shard,
			   struct slice bytes, bool recovered);
/* Hands it over to the worker. */
void rqueue_hand_over(struct rclaim *c);
/* Frees its key (unique.lua); 0, or -1: nothing was sent. */
int rclaim_free_key(struct rclaim *c, redis_reply_fn *on_reply, void *arg);
/* Both. */
struct rclaim *rqueue_deliver(struct rqueue *q, unsigned int shard,
			      struct slice bytes, bool recovered);
/* Its settlement is sent, or it is lost: it counts no more among those that stay
 * in the list. */
void rclaim_leave(struct rclaim *c);
/* The list has it no more: tells the worker, which drops it. */
void rclaim_lose(struct rclaim *c);

/* Asks which of the listed workers are alive, and takes over from the dead. */
void rbroker_check_liveness(struct rbroker *b);
/* The connection broke: no suspicion from before counts any more. */
void rbroker_forget_suspects(struct rbroker *b);

/*
 * Ends that were not confirmed follow from records that another server has, maybe
 * alone: they are not sent. The claims are found in flight, and given again as
 * recovered, so that the record is asked for first.
 */
void rbroker_settle_anew(struct rbroker *b);
extern const struct outbox_ops rbroker_settlements;

/* Of a worker whose submissions are to be confirmed. 0, or -1 with *err. */
int rbroker_open_producer(struct rbroker *b, struct err *err);

#endif
