/* SPDX-License-Identifier: MIT */
/*
 * Which daemons run on this machine, and which stores they use.
 *
 * A daemon that is ready writes a file that every user can read. A command whose user has
 * another configuration can then see that it would use another store than the services.
 * The file holds no password. A lock on it (util/alive.h) shows that the daemon is alive,
 * so that one that was killed does not count.
 *
 * The directory is "where" in that of $RUNTIME_DIRECTORY whose name is flowrra, or
 * else in /run/flowrra for the services, or in $XDG_RUNTIME_DIR/flowrra.
 */
#ifndef UTIL_RUNNING_H
#define UTIL_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/* Lines of the file, "name=value": the program, its user and unit, when it started
 * (RFC 3339), its mode (below), its stores without passwords, and its configuration file.
 * An empty value: there is none. */
#define RUNNING_FIELDS(X)                                                      \
	X(program)                                                             \
	X(user)                                                                \
	X(unit)                                                                \
	X(since)                                                               \
	X(mode)                                                                \
	X(tasks)                                                               \
	X(results)                                                             \
	X(schedules)                                                           \
	X(configuration)

struct running {
	pid_t pid;
#define X(name) char *name;
	RUNNING_FIELDS(X)
#undef X
};
#define RUNNING_PERSONAL "personal"
#define RUNNING_SERVICES "services"
#define RUNNING_OWN                                                            \
	"own" /* by a file or an option that was given to it alone */

/* Frees what the members point to, all of which were allocated. */
void running_done(struct running *r);

/* --- for daemons --------------------------------------------------------- */

/*
 * Announces this process, until running_withdraw() or its end; `me` is copied. NULL with
 * *err, or with ERR_NONE if there is no directory for the file. A daemon can run without.
 */
struct running_file;
struct running_file *running_tell(const struct running *me, struct err *err);
void running_withdraw(struct running_file *file);

/* --- for those who ask --------------------------------------------------- */

struct running_list {
	struct running *items;
	size_t n;
};

/* The daemons that run now. Files that belong neither to the directory's owner nor to
 * root are ignored. Free it with running_list_done(). */
void running_find(struct running_list *ret);
void running_list_done(struct running_list *list);

#endif
