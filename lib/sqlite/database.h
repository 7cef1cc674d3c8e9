/* SPDX-License-Identifier: MIT */
/*
 * The database as the loop sees it: jobs go in, answers come out.
 *
 * One thread for each opened file does all that may block; a loop that may block
 * does without (may_block). It takes every job that has come in meanwhile, runs them
 * in one transaction, and answers them all when that is committed: many submissions,
 * claims and results share one flush to disk. Two users (a broker and a backend) of one file on one loop
 * share the thread, if they give the same description of its contents.
 *
 * How a process learns of a change that another process made: a process that
 * finds nothing to do writes the name of its wake socket (wake_socket.h) into
 * the database, in the transaction in which it found nothing. A process that
 * then changes something wakes the sockets that it finds there, before its own
 * transaction is committed. Transactions that write follow one another, and a
 * woken process looks in such a transaction, so it looks after the change is
 * committed, or rolled back because its process died: no order of events, and
 * no kill, loses a wake-up.
 *
 * How long a change may be in memory only is said by enum database_sync.
 * Commits are appended to one log, so what is on disk is always a beginning of
 * it: a flushed commit has all earlier ones on disk with it.
 *
 * All functions are for the loop's thread, but those that say otherwise.
 */
#ifndef SQLITE_DATABASE_H
#define SQLITE_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "util/err.h"

struct description;
struct event_base;
struct database;
struct database_user;
struct tx;

/* When a change has to be on disk. Without a flush it survives the end of the
 * process, but not a power cut. */
enum database_sync {
	DATABASE_LATER, /* at some time: nothing depends on it */
	DATABASE_SOON,	/* within some seconds, or with the next flush */
	DATABASE_NOW	/* before it is answered */
};

/* What a job that writes does about a file that is not there. */
enum database_absent {
	DATABASE_MAKE,
	DATABASE_FAIL, /* also one that must succeed, and each that reads */
	DATABASE_AWAIT /* if it must succeed: until another job has made it */
};

/*
 * A job: the owner keeps it until `done`, or until it was cancelled or the
 * user has left.
 */
struct database_job {
	/*
	 * In the I/O thread, within a transaction. May run again from the
	 * start, after a rollback. 0; or -1 with *err when a statement failed.
	 */
	int (*run)(struct database_job *job, struct tx *tx, struct err *err);
	/* On the loop. NULL: committed; else nothing of it was done. */
	void (*done)(struct database_job *job, const struct err *err);
	/* On the loop: the user has left, there will be no answer. May be NULL.
	 */
	void (*drop)(struct database_job *job);
	enum database_sync sync;
	bool reads; /* changes nothing, and need not see what is just being
		       written */
	enum database_absent absent;
	/* Makes room: on a full disk, a process that is not a worker carries it
	 * out all the same (reserve.h). */
	bool frees;
	/* Is tried again until it succeeds; on_state tells of the trouble. */
	bool must;
	unsigned int rows; /* about how many; 0 is as good as 1 */
	size_t bytes;	   /* about how many */

	/* The database's. */
	TAILQ_ENTRY(database_job) link;
	struct database_user *user;
	int place;
	struct err err;
};
TAILQ_HEAD(database_jobs, database_job);

/* One who uses the database: a broker or a backend. */
struct database_user {
	/* As in broker.h. */
	void (*on_state)(struct database_user *user, bool up, bool final,
			 const struct err *why);
	/* This process was woken by another one. May be NULL. */
	void (*on_wake)(struct database_user *user);

	/* The database's. */
	struct database *database;
	LIST_ENTRY(database_user) link;
	unsigned int under_way;
	unsigned int told, told_trouble;
	bool leaving;
};

struct database_options {
	struct event_base *base;
	/* sqlite:///absolute/path; NULL or empty: the default place. */
	const char *url;
	int64_t timeout_ms; /* how long to wait for other processes' locks */
	/* What is kept there. Who shares a file shares its description. */
	const struct description *description;
	bool creates; /* makes a file that is not there at once */
	bool worker;  /* leaves the file tidy when it closes it, and creates */
	/* Is opened by the first job, and counts as up until then: who joins
	 * may need no job at all. */
	bool lazy;
	/*
	 * Whether the loop may stand still now, as long as a job takes, or a lock
	 * of others (timeout_ms): nobody waits on it for anything else. NULL:
	 * never. Asked on the loop. The thread is made when it first says no.
	 */
	bool (*may_block)(void *arg);
	void *may_block_arg;
};

/*
 * Opens the database, in the background; the user is called back when it is
 * open, or cannot be. For those who do not create, the first job that writes
 * makes a file that is not there, and until then jobs that only read fail with
 * ERR_NOT_FOUND. 0, or -1 with *err.
 */
int database_join(struct database_user *user,
		  const struct database_options *options, struct err *err);
/* What database_join() would say of a URL; opens no file. */
int database_check_url(const char *url, struct err *err);
/* The path of the file; free() it. NULL with *err. */
char *database_path(const char *url, struct err *err);
/* Its name as one text, whatever links lead to it: "sqlite:///PATH". free() it. NULL
 * with *err. */
char *database_url_name(const char *url, struct err *err);
/* Jobs that can be carried out at once still are; nobody is called back. */
void database_leave(struct database_user *user);

void database_post(struct database_user *user, struct database_job *job);
/* Takes a job back; false if it is being run or was: `done` will come. */
bool database_cancel(struct database_job *job);

bool database_is_up(const struct database_user *user);
/* The URL, for messages. */
const char *database_name(const struct database_user *user);
/* The path of the file. */
const char *database_file(const struct database_user *user);

#endif
