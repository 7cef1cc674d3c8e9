/* SPDX-License-Identifier: MIT */
/*
 * Where schedules live, and what has become due of them: one contract, three
 * implementations (SQLite, PostgreSQL, MySQL and MariaDB).
 *
 * Any number of schedulers work on one database, with no leader. A scheduler
 * claims what is due: in one transaction, each due schedule is locked (rows
 * that another one has locked are passed over), the caller computes from it
 * what fires now and when it is due again, and both are written. A fire goes
 * into the outbox, whose primary key is (schedule, fire time); its task's id
 * is made of the same two. After the commit the caller puts the fires into the
 * broker, with the task's id as the key against duplicates, and marks them as
 * sent. A scheduler that dies in between leaves fires behind that are not sent:
 * the next scheduler that finds them old sends them, which the broker's key makes
 * harmless. So at whatever point a process dies, a fire is enqueued exactly once.
 *
 * The loop of a scheduler, with calls of this header, claim.h and health.h:
 *
 *	schedules_claim() until it claims fewer than its limit;
 *	    each time: enqueue the fires, schedules_mark() them
 *	schedules_unsent(): enqueue, schedules_mark()	   at start, then seldom
 *	schedules_beat(), schedules_prune()		   seldom
 *	schedules_next_due()
 *	schedules_wait() until then, or until a change
 *
 * The calls block: a scheduler has nothing to do but these, and its timing is
 * its own. No call takes much longer than options.timeout_ms (the resolution
 * of a host's name is the system's affair). Connections are made when needed,
 * and again after one broke: a call that fails can be made again as it was.
 * The schema is made, or brought up to date, on the first connection; that two
 * processes do so at the same time does no harm.
 *
 * Errors: schedules_transient() tells whether there is use in trying again
 * (with backoff). Where the answer of a commit was lost, nobody knows whether
 * it was carried out; all calls are such that repeating them is right. No
 * message holds a password.
 *
 * All times are microseconds since 1970-01-01T00:00:00Z; 0 means none. No
 * clock is read here but for deadlines: "now" is the caller's.
 *
 * A handle is for one thread at a time, and not to be used across fork().
 */
#ifndef SCHEDULES_SCHEDULES_H
#define SCHEDULES_SCHEDULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/task.h"
#include "util/buf.h"

struct err;
struct schedules;

/* --- a schedule ---------------------------------------------------------- */

#define SCHEDULE_ID_MAX 128 /* bytes: printable ASCII without spaces */
#define SCHEDULE_RULE_MAX 1024
#define SCHEDULE_TZ_MAX 64
#define SCHEDULE_TZ_DATA_MAX 64
#define SCHEDULE_OWNER_MAX 128	  /* bytes: as an ID */
#define SCHEDULE_TEXT_MAX 1024	  /* description, fault: longer is cut off */
#define SCHEDULE_ARGS_MAX 1048576 /* args, kwargs */
#define SCHEDULE_UNSET (-1)	  /* no such limit */

enum schedule_type { SCHEDULE_CRON, SCHEDULE_INTERVAL, SCHEDULE_ONCE };
/* What becomes of fires that nobody was there for. */
enum schedule_misfire { SCHEDULE_SKIP, SCHEDULE_LATEST, SCHEDULE_ALL };
enum schedule_overlap {
	SCHEDULE_OVERLAP_ALLOW,
	SCHEDULE_OVERLAP_SKIP,
	SCHEDULE_OVERLAP_REPLACE
};
enum schedule_day_match { SCHEDULE_DAYS_OR, SCHEDULE_DAYS_AND };

/* "cron", "interval", "once"; "skip", "once", "all"; "allow", "skip",
 * "replace"; "or", "and": what is stored, and what people write. The second kind returns -1 for
 * any other word. */
const char *schedule_type_name(enum schedule_type type);
const char *schedule_misfire_name(enum schedule_misfire misfire);
const char *schedule_overlap_name(enum schedule_overlap overlap);
const char *schedule_day_match_name(enum schedule_day_match day_match);
int schedule_type_of(const char *name);
int schedule_misfire_of(const char *name);
int schedule_overlap_of(const char *name);
int schedule_day_match_of(const char *name);

/*
 * Why a fire did not become a task. X(NAME, name, text)
 *
 * MERGED, MISFIRE, CATCHUP, LATE and CHANGED are missed fires: nobody was there
 * for them. OVERLAP, REPLACED and REFUSED are skipped ones.
 */
#define SCHEDULE_REASONS(X)                                                    \
	X(MERGED, merged,                                                      \
	  "missed; only the latest missed fire ran (misfire=once)")            \
	X(MISFIRE, misfire, "missed (misfire=skip)")                           \
	X(CATCHUP, catchup, "missed, with more than max_catchup missed fires") \
	X(LATE, late, "missed by more than its grace")                         \
	X(CHANGED, changed, "missed before its rule was changed")              \
	X(OVERLAP, overlap,                                                    \
	  "the previous task had not finished (overlap=skip)")                 \
	X(REPLACED, replaced,                                                  \
	  "a later fire was due at the same time (overlap=replace)")           \
	X(REFUSED, refused, "the queue did not accept it")

enum schedule_reason {
#define X(NAME, name, text) SCHEDULE_##NAME,
	SCHEDULE_REASONS(X)
#undef X
	    SCHEDULE_N_REASONS
};
const char *schedule_reason_name(enum schedule_reason reason);
/* -1: no reason has this name. */
int schedule_reason_of(const char *name);
const char *schedule_reason_text(enum schedule_reason reason);
bool schedule_reason_is_missed(enum schedule_reason reason);

/*
 * A schedule. In what a call returns, strings are never NULL ("" where there is
 * nothing); in what a call is given, NULL means "".
 */
struct schedule {
	const char *id;
	const char *task; /* its name */
	enum schedule_type type;
	/* An expression; a period ("90s"); a time. Not looked at here. */
	const char *rule;
	const char *tz;	    /* "": UTC */
	const char *args;   /* JSON array; "" is stored as "[]" */
	const char *kwargs; /* JSON object; "" is stored as "{}" */
	/* JSON, as manager/schedule_flow.h writes it: each fire begins this
	 * workflow, and `task` is its label. "": each fire becomes a task. */
	const char *workflow;
	const char *queue; /* "": the task's own */
	const char *group; /* of its tasks (core/limit.h); "": none */
	const char *description;
	bool enabled;

	/* For its tasks; TASK_UNSET is left to their module. Fractions are kept
	 * to a millionth. */
	struct task_settings settings;
	int64_t expires_us; /* after it became a task; 0: never */
	int32_t priority;

	enum schedule_misfire misfire;
	int64_t max_catchup; /* of misfire=all; 0: no limit */
	int64_t grace_us;    /* SCHEDULE_UNSET: none */
	enum schedule_overlap overlap;
	int64_t jitter_us;
	enum schedule_day_match day_match;
	int64_t start_us, end_us; /* no fire before, none after */
	int64_t max_runs;	  /* 0: no limit */

	int64_t created_us;  /* an interval's anchor, where there is no start */
	int64_t updated_us;  /* when somebody changed it, not when it ran */
	int64_t last_run_us; /* fire time of its last fire that became a task */
	int64_t next_run_us; /* fire time of its next fire; 0: none any more */
	int64_t due_us; /* when that is to be done: with the jitter; 0 exactly
			   if it is disabled, set aside, or next_run_us is 0 */
	int64_t runs;
	const char *tz_data; /* version of the time zone data that next_run_us
				was computed with; "": needs none */
	/* Why it is set aside, for a person: its rule does not parse, a value
	 * in the database is not valid. It is not due until it is enabled
	 * again. "": nothing is wrong. */
	const char *fault;
	/* Since when the rule is as it is; 0: from the beginning. A fire that
	 * is due of the rule before is done, and what follows it is the rule's
	 * first fire after this. */
	int64_t rule_us;
	/* Whose file it is from; "": none. What is no longer in that file
	 * may be removed. */
	const char *owner;
	/* The trace in which it was made: its tasks begin traces of their own,
	 * with a link to this one (core/trace_context.h). "": none. */
	const char *traceparent;
};

/* What the fires of a schedule become. */
enum schedule_work { SCHEDULE_TASK, SCHEDULE_WORKFLOW };
enum schedule_work schedule_work(const struct schedule *schedule);
/* "task", "workflow" */
const char *schedule_work_name(enum schedule_work work);

/*
 * Writes the ID of what one fire of a schedule becomes: of a task
 * "report:20261123T090000Z", of a workflow "report-20261123T090000Z", with ".250000"
 * before the Z if the fire is not at a full second. That of a workflow is a digest
 * (UUID) where the schedule's own ID is too long for it, or has characters that it
 * may not have.
 */
#define SCHEDULE_TASK_ID_SIZE (SCHEDULE_ID_MAX + 32)
void schedule_fire_id(const char *id, enum schedule_work work, int64_t fire_us,
		      char text[SCHEDULE_TASK_ID_SIZE]);
/* Which of the two such an ID is of: only that of a task has a colon. */
enum schedule_work schedule_work_of_id(const char *fire_id);

/* --- opening ------------------------------------------------------------- */

struct schedules_options {
	/*
	 * sqlite:///absolute/path; NULL or "": the embedded database
	 * postgresql://[user[:password]@][host][:port][/db][?…], with all the
	 *   parameters of libpq (host=/directory, sslmode=, sslrootcert=, …)
	 * mysql://[user[:password]@]host[:port]/db[?…] (or mariadb://), with
	 *   socket=/path, sslmode=disable|require|verify-ca|verify-full,
	 *   sslrootcert=, sslcert=, sslkey=
	 * Parts may be percent-encoded.
	 */
	const char *url;
	int64_t timeout_ms; /* of each call; 0: 5000 */
	/* Only asks: an SQLite file that is not there is not made, and the
	 * calls fail with ERR_NOT_FOUND. */
	bool reads;
};

/* NULL with *err if the URL is wrong. The database may be out of reach. */
struct schedules *schedules_open(const struct schedules_options *options,
				 struct err *err);
void schedules_close(struct schedules *s);
/*
 * Writes the statements that make the tables in an empty database of the URL's
 * kind, for an administrator who runs them by hand: then the schedulers need no
 * right to create or change tables. Nobody is asked. ERR_CONFIG for a file.
 */
int schedules_print_schema(const char *url, FILE *out, struct err *err);
/* Whether it is a file: other machines have others. */
bool schedules_in_file(const char *url);
/* What schedules_open() would say of a URL. */
int schedules_check_url(const char *url, struct err *err);
/* Its name without secrets, to compare it with others. free() it. NULL with *err. */
char *schedules_url_name(const char *url, struct err *err);
/* The database's name without secrets, for logs. */
const char *schedules_name(const struct schedules *s);

/* Whether trying again, later, may help: the database is away, restarts, is
 * full or read-only, or a lock was held for too long. */
bool schedules_transient(const struct err *err);

/* Connects, and makes the schema or brings it up to date; all calls do that
 * when they have to. A schema that is newer than this program is refused
 * (ERR_CONFIG), with both versions in the message. */
int schedules_connect(struct schedules *s, struct err *err);
/* Drops the connection; the next call makes another. */
void schedules_disconnect(struct schedules *s);
/* The version of the schema that this program knows. */
int schedules_schema_version(const struct schedules *s);

/* --- people's calls ------------------------------------------------------ */

/*
 * Stores a schedule. It is used as it is, next_run_us and due_us included; but
 * created_us and updated_us are now_us, and last_run_us, runs and fault are
 * empty. An id that is empty is made up.
 *
 * If there is an identical one (task, type, rule with tz, args and kwargs: in
 * JSON's terms, not as text), nothing is stored and *ret_existing is true.
 * ret_id is the id of the one or the other. ERR_REFUSED: the id is another
 * one's; ERR_DATA: a value will not do.
 */
int schedules_create(struct schedules *s, const struct schedule *schedule,
		     int64_t now_us, char ret_id[SCHEDULE_ID_MAX + 1],
		     bool *ret_existing, struct err *err);

/*
 * What makes two definitions the same: an id made of all that people say of a
 * schedule but its own id, its owner, its trace, and whether it is enabled. JSON counts
 * by what it means, a rule without regard to its blanks, and UTC counts as no zone.
 */
int schedules_definition_id(const struct schedule *schedule,
			    char ret_id[SCHEDULE_ID_MAX + 1], struct err *err);
/* Appends rule and zone as they are compared. */
void schedules_plain_rule(const struct schedule *schedule, struct buf *ret_rule,
			  struct buf *ret_tz);
struct schedules_list;
/* Those with the same task, type, rule, tz, args and kwargs; at most 100. */
int schedules_alike(struct schedules *s, const struct schedule *schedule,
		    struct schedules_list **ret, struct err *err);

/* Fires that did not become tasks: `n` of them, one after the other, for the
 * same reason. */
struct schedule_skip {
	enum schedule_reason reason;
	int64_t fire_us, last_us; /* the first and the last */
	int64_t n;
};

/* A change of a schedule that was read before. */
struct schedules_change {
	/* As it shall be: all but created_us, last_run_us and runs, which stay.
	 * updated_us is the change's own. */
	const struct schedule *schedule;
	int64_t old_updated_us, old_next_run_us; /* as they were read */
	/* Fires that the change drops, to be noted and counted; or NULL. */
	const struct schedule_skip *dropped;
};

/*
 * Changes a schedule in place, unless somebody changed it or a fire was claimed
 * since it was read: then *ret_done is false. Read it again; updated_us tells
 * which of the two it was. ERR_NOT_FOUND; ERR_DATA: a value will not do.
 */
int schedules_update(struct schedules *s, const struct schedules_change *change,
		     int64_t now_us, bool *ret_done, struct err *err);

/* One of many changes. */
enum schedules_step_kind {
	SCHEDULES_ADD, /* under its own id; identical ones do not matter */
	SCHEDULES_SET, /* as schedules_update() */
	SCHEDULES_DROP /* if it is still its owner's */
};
struct schedules_step {
	enum schedules_step_kind kind;
	/* As it shall be; of SCHEDULES_DROP, id and owner. */
	const struct schedule *schedule;
	int64_t old_updated_us, old_next_run_us;
	const struct schedule_skip *dropped; /* or NULL */
	/* Set: false if the id is taken, or the schedule has been changed
	 * meanwhile. */
	bool done;
};
#define SCHEDULES_STEPS_MAX 500
/*
 * Carries out up to SCHEDULES_STEPS_MAX changes in one transaction: all that
 * can be done are, or with an error none. ERR_DATA: a value will not do.
 */
int schedules_take_steps(struct schedules *s, struct schedules_step *steps,
			 size_t n, int64_t now_us, struct err *err);

/* Schedules as an answer; schedules_list_free(). */
struct schedules_list {
	struct schedule *items;
	size_t n;
};
void schedules_list_free(struct schedules_list *list);

/* One schedule, as a list of one. ERR_NOT_FOUND. */
int schedules_get(struct schedules *s, const char *id,
		  struct schedules_list **ret, struct err *err);

struct schedules_filter {
	bool only_enabled, only_disabled;
	const char *task;  /* NULL: any */
	const char *after; /* ids behind this one only; to go on. NULL: all */
	size_t limit;	   /* 1 to 10,000; 0: 1,000 */
	/* Not by id, but by when they are due, and among those that are due at
	 * the same time by id: behind (after_due_us, after). Those that are not
	 * due at all are another list, by id, with SCHEDULES_IDLE. */
	bool by_due;
	int64_t after_due_us;
	/* Instead, with `limit` (and `after`) alone: those that are due last,
	 * the last one first; those that were set aside, by their ids. */
	bool last_due, only_aside;
};
#define SCHEDULES_IDLE INT64_MAX
/* Schedules in the order of their ids, or by_due. `filter` may be NULL. */
int schedules_list(struct schedules *s, const struct schedules_filter *filter,
		   struct schedules_list **ret, struct err *err);

/* What the caller has computed of a schedule's rule. */
struct schedule_next {
	int64_t next_run_us; /* 0: it fires no more */
	int64_t due_us;	     /* not looked at if next_run_us is 0 */
	const char *tz_data; /* NULL: "" */
};

/* Enables a schedule (and clears its fault), or leaves it enabled but sets its
 * next run. ERR_NOT_FOUND. */
int schedules_enable(struct schedules *s, const char *id,
		     const struct schedule_next *next, int64_t now_us,
		     struct err *err);
/* Disables it: it keeps next_run_us, for people to see, and is never due.
 * ERR_NOT_FOUND. */
int schedules_disable(struct schedules *s, const char *id, int64_t now_us,
		      struct err *err);
/* Sets the next run if it still is `old_next_run_us`; *ret_done tells. */
int schedules_set_next(struct schedules *s, const char *id,
		       int64_t old_next_run_us,
		       const struct schedule_next *next, bool *ret_done,
		       struct err *err);
/* Removes a schedule, its counters and what is noted of skipped fires. Fires
 * that are in the outbox have happened, and are sent. ERR_NOT_FOUND. */
int schedules_delete(struct schedules *s, const char *id, struct err *err);

/* --- changes ------------------------------------------------------------- */

/*
 * Schedules that people have created, enabled, disabled, set or deleted since
 * the last call (true on the first, and after a connection broke). Claims are
 * no change: they only make schedules due later.
 *
 * Costs no round trip where the database tells (PostgreSQL, SQLite). To be
 * asked right before sleeping: what a call reads from its connection does not
 * make the descriptor readable any more.
 */
int schedules_changed(struct schedules *s, bool *ret, struct err *err);

/* Readable when schedules_changed() should be asked. It may be another after
 * a call failed, and is -1 before the first schedules_changed(), without a
 * connection, and with databases that cannot tell (MySQL): ask those every
 * schedules_poll_ms() milliseconds, -1 meaning never. */
int schedules_fd(const struct schedules *s);
int schedules_poll_ms(const struct schedules *s);

enum schedules_woken { SCHEDULES_TIMEOUT, SCHEDULES_CHANGED, SCHEDULES_FD };
/*
 * Waits until schedules_changed(), or `fd` is readable (-1: none; a timerfd,
 * or what signals write to), or timeout_ms have gone by (-1: for ever). A
 * signal ends it as SCHEDULES_TIMEOUT. Fails when the connection breaks.
 */
int schedules_wait(struct schedules *s, int fd, int64_t timeout_ms,
		   enum schedules_woken *ret, struct err *err);

/* --- clocks -------------------------------------------------------------- */

/* What the server's clock says, one round trip; 0: the database has none of its
 * own (SQLite). */
int schedules_clock(struct schedules *s, int64_t *ret_us, struct err *err);

/* The time that counts for what is made or changed: the server's, or this
 * machine's where the database has none of its own. *ret_off_us: how far this
 * machine's is ahead of that; 0 if by less than a second. */
int schedules_now(struct schedules *s, int64_t *ret_us, int64_t *ret_off_us,
		  struct err *err);
/* How many connections have been made: another number means another one. */
unsigned int schedules_connections(const struct schedules *s);

/* --- the Python package -------------------------------------------------- */

/* A row of the table of the Python package; times without a zone. NULL: none. */
struct schedules_python {
	const char *id, *task, *type, *schedule, *args, *kwargs, *description;
	const char *next_run, *created, *retry_delay;
	bool enabled;
	int64_t max_retries, priority;
};
typedef int schedules_python_fn(void *arg, const struct schedules_python *row,
				struct err *err);
/* Reads them from a database of its own, in which nothing is made or changed;
 * ends with the first -1. ERR_NOT_FOUND: there is no such file. */
int schedules_read_python(const char *url, schedules_python_fn *on_row,
			  void *arg, struct err *err);

#endif
