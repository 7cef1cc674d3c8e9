/* SPDX-License-Identifier: MIT */
/* SQLite and fork(): how many databases this process has open. */
#include "sqlite/fork_guard.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

#include "util/err.h"

/* A child inherits both as they were. The process is written first: a fork in
 * between finds a count of 0, and nothing is open by then. */
static _Atomic pid_t guard_process;
static atomic_uint guard_open;

int
fork_guard_enter(struct err *err)
{
	const pid_t self = getpid();

	if (atomic_load(&guard_open) > 0 && atomic_load(&guard_process) != self)
		return err_set(
		    err, ERR_USAGE,
		    "the parent process had the embedded store open when it "
		    "called fork(), so this child cannot open it; call fork() "
		    "before the first client is opened or after the last one "
		    "is closed, or have the child execute a program");
	atomic_store(&guard_process, self);
	atomic_fetch_add(&guard_open, 1);
	return 0;
}

void
fork_guard_leave(void)
{
	atomic_fetch_sub(&guard_open, 1);
}
