/* SPDX-License-Identifier: MIT */
/* Starting one program, inside the spawner. */
#ifndef SPAWN_START_H
#define SPAWN_START_H

#include "spawn/spawn.h"

/*
 * Starts a program as the leader of a new session and process group, with
 * signals at their defaults and none blocked. `fds` become its descriptors 0, 1
 * and 2; it has no other ones that are close-on-exec here. It dies with the
 * calling process.
 *
 * Returns its pid once it runs, or -1 with the step that failed and errno. The
 * calling process has one thread.
 */
pid_t start_program(const struct spawn_orders *o, const int fds[3],
		    enum spawn_step *ret_step);

#endif
