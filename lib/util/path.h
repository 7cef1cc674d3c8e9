/* SPDX-License-Identifier: MIT */
/*
 * Standard paths, for what must last and has no path in the configuration: one
 * rule for the worker's lock and for the embedded database.
 */
#ifndef UTIL_PATH_H
#define UTIL_PATH_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* The state directory of this machine's services. */
#define PATH_SERVICES "/var/lib/flowrra"

/* The user's home: $HOME, or that in the password database; NULL: neither is an
 * absolute path. free() it. */
char *path_home(void);

/*
 * The state directory: the first of $STATE_DIRECTORY, which systemd sets,
 * /var/lib/flowrra for root and for its owner, $XDG_STATE_HOME/flowrra,
 * ~/.local/state/flowrra. It need not exist. free() it. NULL with *err:
 * ERR_CONFIG for a user without a home, ERR_REFUSED for one of the last two that
 * belongs to another user (but root), or that every user may write to.
 */
char *path_state_dir(struct err *err);

/* The last two of these, for every user: XDG_STATE_HOME, or else the home. free()
 * it. NULL with *err, as above. */
char *path_personal_dir(struct err *err);

/* Whether that is one of the last two: of this user, not of the services. */
bool path_is_personal(void);

/* A user's name for messages, "unknown" if there is none. From any thread. */
#define PATH_USER_SIZE 64
void path_user_name(uid_t uid, char name[PATH_USER_SIZE]);

/* The embedded database: "flowrra.db" in the state directory. */
char *path_database(struct err *err);

/* The same file by one name: the links in its directory's path are followed, as
 * far as this user can see them. NULL when memory runs out. */
char *path_canonical(const char *path);

/* Makes a directory with mode 0700, and what is missing above it with 0755. One
 * that is there stays as it is; the user's state directory is refused as above. */
int path_make_dir(const char *path, struct err *err);

/* Whether a file could be opened for writing, or made with what is missing above
 * it; makes nothing. -1 with *err, which has the hint of path_hint(). */
int path_check_file(const char *path, const char *key, struct err *err);

/*
 * To be called when `path`, a file or a directory, could not be made, with the
 * error that says so: adds which directory forbids it to whom, and what helps;
 * `key` is the setting that names another place. Returns -1.
 */
int path_hint(const char *path, const char *key, struct err *err);

#endif
