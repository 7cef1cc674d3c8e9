/* SPDX-License-Identifier: MIT */
/*
 * Which daemons run on this machine, and which stores they use.
 *
 * A daemon that is ready writes a file for others to read: commands of users, who
 * may have another configuration, can then tell that they would use another store
 * than the services do. It holds no password. A lock on it (util/alive.h) says
 * that the daemon lives, so that one that was killed does not count.
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

/* Lines of the file, "name=value": of which program, instance, user and unit it is,
 * since when (RFC 3339), in which mode (below), its stores as names without a password, and the configuration file.
 * Empty: none. */
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
 * Tells of this process, until running_withdraw() or its end; `me` may go. NULL
 * with *err: that cannot be told; without an error (ERR_NONE), where there is no
 * directory for it. Both are no reason to stop.
 */
struct running_file;
struct running_file *running_tell(const struct running *me, struct err *err);
void running_withdraw(struct running_file *file);

/* --- for those who ask --------------------------------------------------- */

struct running_list {
	struct running *items;
	size_t n;
};

/* Those that run now; files that another user than the directory's owner or root
 * has made do not count. Free it with running_list_done(). */
void running_find(struct running_list *ret);
void running_list_done(struct running_list *list);

#endif
