/* SPDX-License-Identifier: MIT */
/*
 * Ports: how one process wakes another one that waits for a change of the
 * database.
 *
 * A port is a datagram socket in the directory "<database>-wake", under a
 * random name that is never used again. A datagram has no content: it says
 * "look". So it does no harm to send one in vain, and nothing is lost if the
 * receiver's buffer is full, since then there is one that it has not read.
 *
 * A socket rather than inotify on the -wal file: that would wake every process
 * for every commit of any other (and its own), its instances are few for each
 * user, and who waits would still have to be known to tell when to look. Not an
 * abstract socket: those are not seen across network namespaces, and anybody
 * may bind them.
 *
 * The socket of a process that was killed stays behind; who meets it removes
 * it. Functions block for no longer than a system call.
 */
#ifndef SQLITE_WAKE_SOCKET_H
#define SQLITE_WAKE_SOCKET_H

#include "util/buf.h"

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

/* Opens, or makes, the directory beside the database. As root, it is given to
 * the database's owner. */
int wake_socket_open_dir(struct wake_socket *ws, const char *database,
			 struct err *err);
/* Makes the socket. */
int wake_socket_make(struct wake_socket *ws, struct err *err);
/* Reads what is there. */
void wake_socket_drain(struct wake_socket *ws);
/* Wakes another port; one whose process is gone is removed. Returns -1 then. */
int wake_socket_wake(struct wake_socket *ws, const char *name);
/* Removes the sockets of processes that are gone. */
void wake_socket_sweep(struct wake_socket *ws);
void wake_socket_done(struct wake_socket *ws);

#endif
