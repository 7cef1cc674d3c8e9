/* SPDX-License-Identifier: MIT */
/* What the tests of workflows share. */
#include "e2e/workflow_scene.h"

#include <string.h>

const char *
flow(struct world *w, const char *id, const char *path)
{
	return answer(w, world_text(w, "workflow show %s", id), path);
}

bool
flow_is(struct world *w, const char *id, const char *state)
{
	return strcmp(flow(w, id, "state"), state) == 0;
}

const char *
at(struct world *w, const char *id, const char *name)
{
	return world_text(w, "%s.%s", id, name);
}

void
ck_is_skipped(struct world *w, const char *id)
{
	WAIT_UNTIL(is(w, id, "status", "failed"));
	ck_assert_str_eq(told(w, id, "reason"), "skipped");
}

const char *
submit_file(struct world *w, const char *text, const char *options)
{
	world_write(w, "flow.json", text, strlen(text));
	return ctl_ok(w, "workflow submit flow.json %s", options);
}
