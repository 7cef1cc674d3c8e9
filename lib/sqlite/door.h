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

/* Whether there is such a door beside the database; it may lead nowhere. */
bool door_is_there(const char *database, const char *name);

/*
 * Listens under this name, in the place of a process that is gone; one call at a
 * time, by whoever holds a lock of their own. The descriptor, which does not block;
 * -2 if another process listens, or -1 with *err.
 */
int door_open(int dir_fd, const char *name, struct err *err);
/* Its name is another's from now on; the descriptor still listens. What is not a
 * socket stays. */
void door_remove(int dir_fd, const char *name);
/* Takes the next one in: a descriptor that does not block; or -1 with errno. */
int door_admit(int fd);
/* Connects; a descriptor that does not block, or -1: nobody of ours listens, or
 * nobody has room for one more. */
int door_enter(int dir_fd, const char *name);

#endif
