/* SPDX-License-Identifier: MIT */
/*
 * Wake sockets: how one process wakes another one that waits for a change of
 * the database.
 *
 * A wake socket is a datagram socket in the directory "<database>-wake", under
 * a random name that is never used again. A datagram has no content: it says
 * "look". So it does no harm to send one in vain, and nothing is lost if the
 * receiver's buffer is full, since then there is one that it has not read.
 *
 * A socket rather than inotify on the -wal file: that would wake every process
 * for every commit of any other (and its own), a user may have few of its
 * instances, and the writer would still have to know who waits. Not an abstract
 * socket: those are not seen across network namespaces, and anybody may bind
 * them.
 *
 * The socket of a process that was killed stays behind; the first process that
 * sends to it removes it. Functions block for no longer than a system call.
 */
#ifndef SQLITE_WAKE_SOCKET_H
#define SQLITE_WAKE_SOCKET_H

#include <stdbool.h>

#include "util/buf.h"

/* 64 random bits in hexadecimal: no two processes ever draw the same name. */
#define WAKE_SOCKET_NAME_LEN 16

struct err;

struct wake_socket {
	int dir_fd; /* -1: not opened */
	int fd;	    /* to be read from; -1: not made */
	char name[WAKE_SOCKET_NAME_LEN + 1];
};

#define WAKE_SOCKET_INIT                                                       \
	{                                                                      \
		.dir_fd = -1, .fd = -1                                         \
	}

/* Whether a text from the database is such a name: its length and its digits. */
bool wake_socket_is_name(struct slice name);
/* Opens, or makes, the directory beside the database. One that others than this
 * process's user may write to is refused (ERR_REFUSED). */
int wake_socket_open_dir(struct wake_socket *ws, const char *database,
			 struct err *err);
/* Makes this process's own socket; the directory must be open. At the second
 * call it is there already. */
int wake_socket_make(struct wake_socket *ws, struct err *err);
/* Reads all datagrams that are there. */
void wake_socket_drain(struct wake_socket *ws);
/* Wakes another process. -1 if there is none: a socket whose process is gone is
 * removed, and what is not the name of a socket is never used as a path. */
int wake_socket_wake(struct wake_socket *ws, const char *name);
/* Removes the sockets of processes that are gone. */
void wake_socket_sweep(struct wake_socket *ws);
/* Removes this process's socket, and closes the directory. */
void wake_socket_done(struct wake_socket *ws);

#endif
