/* SPDX-License-Identifier: MIT */
/*
 * What is said between a process that wants programs run and the spawner, a
 * small process of its own that starts them (server.h). client.h is the side
 * that most callers want.
 *
 * The spawner is there for safety. A program and all of its process group are
 * killed when the program ends or the other side does, by whatever death: the
 * spawner outlives it for that. What has left its group is adopted by the
 * spawner and killed with the rest at the end. And a small process with one
 * thread forks cheaply, and may change a child's user.
 *
 * Messages go over a SOCK_SEQPACKET socket, SPAWN_FD of the spawner. Programs
 * have numbers that the asking side chooses; one is free again after ENDED.
 */
#ifndef SPAWN_SPAWN_H
#define SPAWN_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

/* Where the spawner finds its socket: the first behind the standard ones. */
#define SPAWN_FD 3

enum spawn_order {
	/* Carries descriptors: one of a file with the orders (below), those
	 * that are to be standard input, output and error, and perhaps one that
	 * is kept open until all of the program is gone. */
	SPAWN_START,
	SPAWN_SIGNAL, /* to the whole process group */
};
#define SPAWN_N_FDS 4 /* orders, then standard input, output and error */
#define SPAWN_FDS_MAX 5

struct spawn_request {
	uint32_t order;
	uint32_t number;
	int32_t signal;
};

/* What came of a START; ENDED follows STARTED alone. */
enum spawn_news {
	SPAWN_STARTED, /* `status` is its pid */
	SPAWN_FAILED,  /* `step` of starting it, for the reason `status` (errno)
			*/
	SPAWN_ENDED,   /* `status` as of waitpid() */
};

/* X(name, "could not …") */
#define SPAWN_STEPS(X)                                                         \
	X(READ, "take over its orders")                                        \
	X(FORK, "make a process")                                              \
	X(FDS, "place its descriptors")                                        \
	X(SESSION, "make a session")                                           \
	X(USER, "take on its user's rights")                                   \
	X(LIFE, "tie its life to the spawner's")                               \
	X(DIRECTORY, "enter its working directory")                            \
	X(EXECUTE, "execute it")

enum spawn_step {
#define X(name, text) SPAWN_STEP_##name,
	SPAWN_STEPS(X)
#undef X
	    SPAWN_N_STEPS
};

struct spawn_reply {
	uint32_t news;
	uint32_t number;
	uint32_t step;
	int32_t status;
};

/* Whose rights a program gets. */
struct spawn_user {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* all of them */
	size_t n_groups;
};

/* Where programs are looked for when their environment has no PATH. */
#define SPAWN_STANDARD_PATH "/usr/local/bin:/usr/bin:/bin"

/* The orders for one program. */
struct spawn_orders {
	/* NULL-ended; an argv[0] without "/" is searched in envp's $PATH. */
	const char *const *argv;
	const char *const *envp;
	const char *directory;	       /* NULL: the spawner's */
	const struct spawn_user *user; /* NULL: the spawner's */
	int mask;		       /* umask; -1: the spawner's */
};

/* Orders as bytes; check out->failed. */
void spawn_orders_write(const struct spawn_orders *o, struct buf *out);

/* The same back. What `o` points to lies in `bytes`, which must stay, and in
 * *o itself. -1 if the bytes make no sense, or memory runs out. */
struct spawn_parsed {
	struct spawn_orders orders;
	struct spawn_user user;
	const char **strings;
};
int spawn_orders_read(char *bytes, size_t len, struct spawn_parsed *ret);
void spawn_parsed_done(struct spawn_parsed *p);

#endif
