/* SPDX-License-Identifier: MIT */
/*
 * Runs programs through a spawner: their input is given to them, their output
 * comes piece by piece, their end is told. All on one event loop; thousands of
 * them cost no thread and two descriptors each.
 *
 * A program ends when its first process does: then what is left of its process
 * group is killed, and what it had written is delivered before on_end. Its
 * input is a file in memory, so that a program need not read it.
 *
 * What cannot be started for want of descriptors, processes or memory waits
 * until something ends, and is tried again; only its on_short is told. A few
 * descriptors are left to the rest of the process.
 *
 * When the spawner dies, so do all programs: they are killed with all that they
 * have started, and their end is told when they are gone, so that none runs twice
 * if it is started again. The next one gets a new spawner. A process with a
 * spawner has no other children. The first one raises this process' limit on open
 * files as far as it may; programs find it as it was.
 */
#ifndef SPAWN_CLIENT_H
#define SPAWN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "spawn/spawn.h"
#include "util/buf.h"

struct err;
struct event_base;
struct spawn;
struct spawner;

/* `path` of flowrra-spawner is copied. NULL when memory runs out. */
struct spawner *spawner_new(struct event_base *base, const char *path,
			    struct err *err);
/* Kills all programs; nobody is called back. */
void spawner_free(struct spawner *s);

/* How a program ended. */
struct spawn_end {
	bool ran;	 /* else `why` it was not even started */
	bool lost;	 /* it ran, and nobody knows how it ended: see `why` */
	int status;	 /* as of waitpid(), if it ran to an end */
	const char *why; /* "cannot start rsync: could not …: …" */
	int sys;	 /* errno, if it was not started */
	bool
	    at_execution; /* all but that went well: it is not a program, say */
};

struct spawn_options {
	struct spawn_orders orders; /* borrowed for the call */
	struct slice input;	    /* the same */
	int input_fd;		    /* standard input instead, if > 0; copied */
	/* Stays open, here and in the spawner, until all of the program is gone,
	 * if > 0: a lock, say. The caller keeps it open until on_end. */
	int held_fd;
	/* What it writes to standard output (1) and error (2). */
	void (*on_output)(void *arg, int fd, const char *p, size_t len);
	/* Not from within spawn_start(). The program is freed after it. */
	void (*on_end)(void *arg, const struct spawn_end *end);
	/* It runs, after it may have had to wait. May be NULL. */
	void (*on_begin)(void *arg);
	/* It waits, like others perhaps, and `why` names the limit to be
	 * raised. Told to one program a minute. May be NULL. */
	void (*on_short)(void *arg, const char *why);
	void *arg;
};

/* NULL when memory runs out; all else is told by on_end. */
struct spawn *spawn_start(struct spawner *s, const struct spawn_options *o,
			  struct err *err);

/* A program that has not begun ends, with ECANCELED; if it is about to begin,
 * and does, on_begin says so. False if it has begun. */
bool spawn_withdraw(struct spawn *p);

/* Signals the whole process group. A program that has not been started yet
 * will not be. */
void spawn_signal(struct spawn *p, int sig);
/* One that it need not end by, to what runs: false if it does not run (yet), or is
 * just told to end. */
bool spawn_pass_signal(struct spawn *p, int sig);

/* Leaves what it writes in its pipes, where it waits when they are full; or reads on.
 * What is there when it ends is delivered all the same. */
void spawn_pause(struct spawn *p, bool paused);

#endif
