/* SPDX-License-Identifier: MIT */
/*
 * The spawner's client, as its own files see it.
 *
 *	output.c	what a program writes
 *	program.c	a program's states: how it waits, and ends
 *	process.c	the spawner's process: its start, and its death
 *	ask.c		one program's orders, with its descriptors
 *	client.c	what callers see, whose turn it is, replies
 *
 * Calls go up this list only.
 *
 * A program goes WAITING -> ASKED -> RUNNING -> OVER, and may go to OVER from
 * any of them; from ASKED it goes back to WAITING when descriptors, processes
 * or memory are short. It is in one list at a time, the one of its state
 * (`started` holds ASKED and RUNNING), and has a number while it is in
 * `started`. All callbacks come out of the loop, from spawner_on_turn() or a
 * pipe, and never out of a function that the caller calls.
 */
#ifndef SPAWN_SPAWNER_H
#define SPAWN_SPAWNER_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "spawn/client.h"
#include "spawn/spawn.h"
#include "util/err.h"

struct timer;

/* What a pipe holds by default: one read empties it. */
#define SPAWNER_READ_SIZE 65536

enum spawn_state {
	WAITING, /* its orders have not been sent */
	ASKED,	 /* they have */
	RUNNING,
	OVER, /* its end is known and will be told */
};

struct spawn {
	TAILQ_ENTRY(spawn) link;
	struct spawner *spawner;
	enum spawn_state state;
	uint32_t number; /* its index in the spawner's table */
	pid_t pid;	 /* once it is RUNNING */
	struct buf orders;
	struct buf input;
	int input_fd; /* instead of it; -1: none */
	int held_fd;  /* the caller's; -1: none */
	int fds[2];   /* our ends of standard output and error; -1: closed */
	struct event *readable[2];
	int signal_due;	     /* one that could not be sent yet */
	unsigned int shorts; /* the spawner's, when it came */
	bool signalled;	 /* one was to be sent: it does not begin once more */
	bool withdrawn;	 /* it is to end unless it begins now */
	uint64_t serial; /* the order of those that wait */
	void (*on_output)(void *arg, int fd, const char *p, size_t len);
	void (*on_end)(void *arg, const struct spawn_end *end);
	void (*on_begin)(void *arg);
	void (*on_short)(void *arg, const char *why);
	void *arg;
	char *program;
	struct spawn_end end;
	char why[ERR_MSG_MAX];
};
TAILQ_HEAD(spawn_list, spawn);

struct spawner {
	struct event_base *base;
	char *path;
	int fd; /* -1: there is no process */
	pid_t pid;
	struct event *readable, *writable;
	struct timer *turn;  /* starts and tells what was put off */
	struct timer *again; /* while something is short */
	/* After the spawner's death, until what it ran is gone. */
	struct timer *burial;
	unsigned int burials; /* steps of it that are left; 0: none */
	struct spawn_list waiting, started, over;
	unsigned int asked;
	/* How many may be ASKED at once: 1 when something was short, and twice
	 * as many with each that begins, so that few begin in vain. */
	unsigned int asked_max;
	bool is_short;	     /* nothing is asked until one ends, or `again` */
	unsigned int shorts; /* times that something was short */
	uint64_t serial;
	struct spawn **table; /* by number; NULL: free */
	size_t cap;
	size_t free_from; /* no number below is free */
	char buffer[SPAWNER_READ_SIZE];
};

/* --- output.c ----------------------------------------------------------- */

/* Waits for output of p->fds; -1 with errno, like the other steps of an
 * order. */
int output_watch(struct spawn *p);
/* What it wrote before it ended, then both ends are closed. Who left its group
 * may go on writing. */
void output_drain_program(struct spawn *p);
/* Closes our end of one (0: standard output, 1: error), if it is open. */
void output_close(struct spawn *p, int i);

/* --- program.c ---------------------------------------------------------- */

/* The lowest free number, so that the table stays as small as the most programs
 * that ever ran at once. -1 when memory runs out. */
int program_take_number(struct spawner *s, struct spawn *p);
/* It has its input, or will never have it. */
void program_drop_input(struct spawn *p);
/* Closes its output and frees it; the caller has taken it off its list. */
void program_free(struct spawn *p);
/* p->end is to be told in a while: callers need not expect that a function of
 * theirs runs inside one that they call. */
void program_end(struct spawn *p);
/* It did not begin, and ends; `step` completes "could not". */
void program_fail(struct spawn *p, const char *step, int sys);
/* It did not begin: if something was short, it waits until that is there, and
 * nobody is told that it failed. `step` completes "could not". */
void program_not_begun(struct spawn *p, const char *step, int sys);
/* What was short may be there again; the callback of s->again. */
void spawner_on_again(void *arg);
/* Tells, and frees, those that are OVER. */
void program_tell_ends(struct spawner *s);

/* --- process.c ---------------------------------------------------------- */

/* What comes from the spawner's socket; `arg` is the spawner. */
struct spawner_events {
	event_callback_fn on_reply, on_writable;
};
/* Starts the process, and listens to it; -1 if it cannot be started now. */
int spawner_open(struct spawner *s, const struct spawner_events *e,
		 struct err *err);
/* It sees the end of its socket, kills what runs, and ends. */
void spawner_close(struct spawner *s);
/* It is gone, and with it all programs. Those that wait get the next spawner. */
void spawner_lose(struct spawner *s);
/* A step of what spawner_lose() began; the callback of s->burial. */
void spawner_on_burial(void *arg);

/* --- ask.c -------------------------------------------------------------- */

/* Sends one program's orders; -1 with errno, and it is to be told. */
int ask_for(struct spawn *p);

#endif
