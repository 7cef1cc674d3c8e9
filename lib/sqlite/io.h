/* SPDX-License-Identifier: MIT */
/*
 * The database, as its files see it: database.c is the loop's side, io.c the work,
 * and runner.c says who does it: the I/O thread, or the loop while it may block.
 *
 * The lock guards all of struct database below it. The thread holds it only to
 * take jobs and to hand them back; `tx` is the thread's alone, but for the wake
 * socket's descriptor, which the loop may read once `socket_made` is set. A job
 * is in `queue`, then under way, then in `done`; one that must succeed and did
 * not is in `held` until the next try.
 *
 * Until `threaded` is set there is no thread: what is the thread's is the loop's, and
 * `event` has no descriptor but is made active. Only the loop sets it.
 */
#ifndef SQLITE_IO_H
#define SQLITE_IO_H

#include <pthread.h>

#include "sqlite/file.h"

struct event;

/* Which list a job is in; UNDER_WAY: in a batch of the thread's. */
enum place { NOWHERE, IN_QUEUE, UNDER_WAY, IN_HELD, IN_DONE };
/*
 * OPENING: not tried yet, jobs wait. UP: open. DOWN: could not be opened, or is
 * being upgraded: jobs fail, and it is tried again. REFUSED: for good, until
 * the program starts again; jobs fail. ASLEEP: as UP, but opened by the first job.
 */
enum state { OPENING, UP, DOWN, REFUSED, ASLEEP };

struct database {
	LIST_ENTRY(database) link;
	struct event_base *base;
	struct event *event; /* answers are there, or work without thread */
	struct event *wake_event; /* this process was woken */
	int event_fd;		  /* the thread's way to the loop */
	char *name;		  /* the URL */
	char *path;		  /* within it */
	bool creates;		  /* as in struct database_options */
	bool lazy;		  /* is opened when there is a job */
	bool (*may_block)(void *arg);
	void *may_block_arg;
	bool threaded;
	bool wants_thread; /* what comes takes long */
	struct tx tx;
	bool use_reserve; /* the thread's: for the transaction under way */
	bool absent;	  /* the thread's: there is no file, as was just seen */
	bool unflushed;	  /* the thread's: something is to be on disk soon */
	pthread_t thread;
	bool answering; /* callbacks are being called */
	bool dead;	/* and one of them was the last to leave */

	pthread_mutex_t lock;
	pthread_cond_t work, left;
	LIST_HEAD(, database_user) users;
	struct database_jobs queue, held, done;
	int64_t held_until_ms, reopen_ms, soon_ms; /* 0: none */
	bool stopping;
	bool signalled;
	bool owing; /* the thread's: the loop is to be told yet */
	enum state state;
	struct err why;	      /* DOWN, REFUSED */
	unsigned int changes; /* of the state */
	struct err trouble;
	unsigned int troubles;
	bool troubled; /* and nothing succeeded since */
	bool socket_made;
};

/* The thread; ends when `stopping` is set, and closes the file. */
void *io_thread(void *arg);
/* Lock held, but not while it works. Does the next thing that is due, and returns
 * whether there was one. */
bool io_step(struct database *db);
/* At the end of all: the loop has let go of the socket's descriptor. */
void io_end(struct database *db);
/* While the file is opened; -1: not without the thread. */
int io_on_upgrade(const struct err *what, void *database);
/* Lock held. Has the loop look at what there is. */
void io_tell_loop(struct database *db);

/* --- runner.c ------------------------------------------------------------ */

/* The loop was told to look: whether it may. Without the thread it does the work,
 * until runner_spare() says that nothing is left; if it must not block now, the
 * thread is started. */
bool runner_answer(struct database *db);
/* Lock held. Without the thread, the loop does the next thing that is due. */
bool runner_spare(struct database *db);
/* Lock held. There is a new job. */
void runner_tell(struct database *db);
/* Lock held. Waits until something has happened to a user's jobs. */
void runner_await(struct database *db);
/* 0, or -1 with *err. */
int runner_start(struct database *db, struct err *err);
/* Ends it, or what it would have ended. */
void runner_end(struct database *db);

#endif
