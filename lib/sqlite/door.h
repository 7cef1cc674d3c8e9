/* SPDX-License-Identifier: MIT */
/*
 * Doors: sockets with names in the directory of the wake sockets, at which one
 * process asks another one of the same user.
 *
 * A connection carries packets (SOCK_SEQPACKET): each is whole, or not there. Only
 * the owner of the directory, or root, may come in.
 */
#ifndef SQLITE_DOOR_H
#define SQLITE_DOOR_H

#include <stdbool.h>

struct err;
struct sockaddr_un;

/* The address of `name` in the open directory. */
void door_address(int dir_fd, const char *name, struct sockaddr_un *ret);

/* Whether there is such a door beside the database; nobody may be listening at it. */
bool door_is_there(const char *database, const char *name);

/*
 * Listens under this name, and takes it over from a process that has ended. Callers must
 * hold a lock of their own, so that only one is here at a time. Returns a non-blocking
 * descriptor; -2 if another process listens; or -1 with *err.
 */
int door_open(int dir_fd, const char *name, struct err *err);
/* Gives up the name, for another process to take; the descriptor still listens. A file
 * of that name that is not a socket stays. */
void door_remove(int dir_fd, const char *name);
/* Accepts the next connection: a non-blocking descriptor, or -1 with errno. */
int door_admit(int fd);
/* Connects: a non-blocking descriptor, or -1 if no process of this user listens, or it
 * has no room for another connection. */
int door_enter(int dir_fd, const char *name);

#endif
