/* SPDX-License-Identifier: MIT */
/*
 * exit() and its kin, in the place of the C library's for all that is loaded
 * into the executor: a handler that calls one of them has crashed, whatever the
 * status. What the C library itself calls (err(3), return from main) does not
 * come here; crash.c has an atexit() function for that.
 *
 * In a child that a handler forked they are what they always are.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "executor/crash.h"

/* Calls the C library's function of this name. */
static _Noreturn void
real(const char *name, int status)
{
	void (*function)(int);

	*(void **)&function = dlsym(RTLD_NEXT, name);
	if (function != NULL)
		function(status);
	crash_quit(status);
}

/* Exported to the modules by the file `exports`. */
void
exit(int status)
{
	if (crash_armed())
		crash_exited(status);
	real("exit", status);
}

void
quick_exit(int status)
{
	if (crash_armed())
		crash_exited(status);
	real("quick_exit", status);
}

void
_exit(int status)
{
	if (crash_armed())
		crash_exited(status);
	crash_quit(status);
}

void
_Exit(int status)
{
	_exit(status);
}
