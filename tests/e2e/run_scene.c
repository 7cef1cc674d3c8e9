/* SPDX-License-Identifier: MIT */
#include "e2e/run_scene.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alive.h"

struct world *
own_world(void)
{
	static const struct world_options o = {
	    .embedded = true, .modules = "", .no_worker = true};

	return world_start(&o);
}

struct run *
own(struct world *w, const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	ck_assert_int_lt(vsnprintf(command, sizeof(command), fmt, ap),
			 (int)sizeof(command));
	va_end(ap);
	return run(w, OWN "flowrractl --user %s", command);
}

static const char *
lock_of(struct world *w)
{
	static char path[512];
	char host[64];

	ck_assert_int_eq(gethostname(host, sizeof(host)), 0);
	host[sizeof(host) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/own/flowrra/worker-%s:user.lock",
		 world_dir(w), host);
	return path;
}

/* By the environment that only a process of this world has. */
pid_t
own_worker(struct world *w)
{
	struct run *r;

	if (alive_ask(lock_of(w)) == ALIVE_NO)
		return 0;
	r = run(w, "for p in /proc/[0-9]*; do "
		   "tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
		   "grep -q '/flowrrad --user' && "
		   "tr '\\0' '\\n' <$p/environ 2>/dev/null | "
		   "grep -qx \"XDG_STATE_HOME=$PWD/own\" && "
		   "basename $p; done | head -n 1");
	return (pid_t)atol(r->out);
}

void
own_stop(struct world *w)
{
	const pid_t pid = own_worker(w);

	if (pid > 0)
		kill(pid, SIGTERM);
	WAIT_UNTIL(alive_ask(lock_of(w)) == ALIVE_NO);
	world_stop(w);
}

bool
own_is(struct world *w, const char *id, const char *status)
{
	const struct run *r = own(w, "tasks show %s --json", id);

	return r->status == 0 &&
	       strcmp(json_field(w, r->out, "record.status"), status) == 0;
}

size_t
lines_of(struct world *w, const char *file)
{
	const char *p = world_read(w, file);
	size_t n = 0;

	for (; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}
