/* SPDX-License-Identifier: MIT */
/* What goes to the spawner: orders, and descriptors with them. */
#ifndef SPAWN_SEND_H
#define SPAWN_SEND_H

#include <stddef.h>

#include "spawn/spawn.h"

struct buf;

/* A file in memory, to be read from its beginning; -1 with errno. */
int send_memory_file(const struct buf *content);

/* Sends a request over `fd`, with the `n` descriptors of a START if `fds` is not
 * NULL; does not wait. -1 with errno. */
int send_request(int fd, const struct spawn_request *r, const int *fds,
		 size_t n);

#endif
