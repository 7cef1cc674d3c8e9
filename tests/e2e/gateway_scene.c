/* SPDX-License-Identifier: MIT */
/* The services of a machine, with a gateway. */
#include "e2e/gateway_scene.h"

#include <signal.h>
#include <stdlib.h>

void
services_start_web(struct services *s)
{
	s->web = run_start(s->w, AS_SERVICE "flowrra-web");
	WAIT_UNTIL(run(s->w, "curl -sf --unix-socket " SOCKET
			     " http://localhost/healthz")
		       ->status == 0);
	/* As the unit of the socket may have it. */
	ck_run(run(s->w, "chmod 666 " SOCKET), 0, "");
}

struct services *
services_start(bool embedded, const char *lines)
{
	static struct services s;

	if ((s.w = machine_start(embedded)) == NULL)
		return NULL;
	unsetenv("FLOWRRA_WORKER_MODULES");
	ck_run(run(s.w,
		   "echo flowrra:x:" SERVICE ": >>/etc/group && "
		   "printf '[worker]\\nmodules = demo\\n[web]\\nlisten = "
		   "unix:" SOCKET "\\n%s\\n' >/etc/flowrra/flowrra.conf",
		   lines),
	       0, "");
	if (!embedded)
		ck_run(run(s.w,
			   "echo '%s' >url && install -m 640 -g " SERVICE
			   " url /etc/flowrra/credentials/broker.url && chmod "
			   "755 $(find . -type d -name '*redis*') && chmod 777 "
			   "$(find . -type s)",
			   world_url(s.w)),
		       0, "");
	s.worker = run_start(s.w, AS_SERVICE "flowrrad");
	services_start_web(&s);
	WAIT_UNTIL(run(s.w, AS_SERVICE "flowrractl tasks info echo")->status ==
		   0);
	return &s;
}

void
services_stop(struct services *s)
{
	kill(s->web->pid, SIGTERM);
	kill(s->worker->pid, SIGTERM);
	ck_assert_int_eq(run_end(s->w, s->web)->status, 0);
	ck_assert_int_eq(run_end(s->w, s->worker)->status, 0);
	world_stop(s->w);
}
