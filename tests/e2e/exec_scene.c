/* SPDX-License-Identifier: MIT */
#include "e2e/exec_scene.h"

#include <signal.h>
#include <string.h>

struct world *
start(const char *config)
{
	const struct world_options o = {
	    .embedded = true, .modules = "", .config = config};

	return world_start(&o);
}

const char *
told(struct world *w, const char *id, const char *name)
{
	const struct run *r = ctl(w, "result %s --json", id);

	return r->out[0] != '\0' ? json_field(w, r->out, name) : "";
}

bool
is(struct world *w, const char *id, const char *name, const char *value)
{
	return strcmp(told(w, id, name), value) == 0;
}

const char *
end_of(struct world *w, const char *id)
{
	ctl(w, "wait %s --timeout 30", id);
	return id;
}

void
reload(struct world *w, const char *config)
{
	struct worker *k = worker_of(w);

	world_configure(w, "", config);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_notified(k, "READY=1");
}
