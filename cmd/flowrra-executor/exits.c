/* SPDX-License-Identifier: MIT */
/*
 * exit() and its kin, in the place of the C library's for all that is loaded
 * into the executor: a handler that calls one of them has crashed, whatever the
 * status. What the C library itself calls (err(3), return from main) does not
 * come here; crash.c has an atexit() function for that.
 */
#include <stdlib.h>
#include <unistd.h>

#include "executor/crash.h"

/* Exported to the modules by the file `exports`. */
void
exit(int status)
{
	crash_exited(status);
}

void
_exit(int status)
{
	crash_exited(status);
}

void
_Exit(int status)
{
	crash_exited(status);
}

void
quick_exit(int status)
{
	crash_exited(status);
}
