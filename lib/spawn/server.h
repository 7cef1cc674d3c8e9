/* SPDX-License-Identifier: MIT */
/* The spawner: starts programs for another process; spawn.h says how. */
#ifndef SPAWN_SERVER_H
#define SPAWN_SERVER_H

/*
 * Serves the process that started this one, over the socket `fd`, until it
 * ends or closes its end; then kills all programs and what they have started.
 * Returns 0, or -1 with errno if it could not begin.
 */
int server_run(int fd);

#endif
