/* SPDX-License-Identifier: MIT */
/*
 * SQLite and fork().
 *
 * SQLite keeps, for each process, which of its locks it holds on a file, and
 * shares the index of the log between the connections of a process. A child of
 * fork() inherits both, and the kernel gives it none of the locks: a connection
 * that it opened would take what the parent's have for its own, and break the
 * file, wait for ever, or die of a signal. So a child whose parent had a
 * database open at the fork opens none. What it has inherited it leaves as it
 * is.
 */
#ifndef SQLITE_FORK_GUARD_H
#define SQLITE_FORK_GUARD_H

struct err;

/* Before a database is opened; takes no lock, since another thread may have held
 * it at the fork. 0, and then fork_guard_leave() when it is closed; or -1 with
 * *err (ERR_USAGE). */
int fork_guard_enter(struct err *err);
void fork_guard_leave(void);

#endif
