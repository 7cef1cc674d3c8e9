/* SPDX-License-Identifier: MIT */
/*
 * Locks between commands: of those with the same key, one runs at a time, whichever
 * of the store's workers runs them.
 *
 * A lock is on a file beside the store, and the kernel's: it is free as soon as all
 * descriptors of it are closed. The spawner has one, too, until all processes of the
 * command are gone.
 */
#ifndef EXEC_LOCK_H
#define EXEC_LOCK_H

struct err;

/* 0 and *ret_fd, which lock_release() closes; 1: another command has it; -1 with
 * *err. */
int lock_take(const char *store, const char *key, int *ret_fd, struct err *err);
/* When the command is gone. */
void lock_release(const char *store, const char *key, int fd);

#endif
