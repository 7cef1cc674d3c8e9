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
#ifndef SQLITE_PORT_H
#define SQLITE_PORT_H

#include "util/buf.h"

#define PORT_NAME_LEN 16

struct err;

struct port {
	int dir_fd; /* -1: not opened */
	int fd;	    /* to be read from; -1: not made */
	char name[PORT_NAME_LEN + 1];
};

#define PORT_INIT                                                              \
	{                                                                      \
		.dir_fd = -1, .fd = -1                                         \
	}

/* Opens, or makes, the directory beside the database. As root, it is given to
 * the database's owner. */
int port_open_dir(struct port *port, const char *database, struct err *err);
/* Makes the socket. */
int port_make(struct port *port, struct err *err);
/* Reads what is there. */
void port_drain(struct port *port);
/* Wakes another port; one whose process is gone is removed. Returns -1 then. */
int port_wake(struct port *port, const char *name);
/* Removes the sockets of processes that are gone. */
void port_sweep(struct port *port);
void port_done(struct port *port);

#endif
