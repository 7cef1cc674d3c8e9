/* SPDX-License-Identifier: MIT */
#include "e2e/operate_scene.h"

#include <stdlib.h>
#include <string.h>

struct world *
begin(int broker)
{
	return begin_with(broker, NULL);
}

struct world *
begin_with(int broker, const char *config)
{
	const struct world_options o = {.no_worker = true, .config = config};
	struct world *w = world_start(&o);

	if (broker == ON_SQLITE)
		setenv("FLOWRRA_BROKER_URL",
		       world_text(w, "sqlite://%s/flowrra.db", world_dir(w)),
		       1);
	setenv("FLOWRRA_SCHEDULER_DATABASE_URL",
	       world_text(w, "sqlite://%s/schedules.db", world_dir(w)), 1);
	return w;
}

char *
put(struct world *w, const char *id, const char *rest)
{
	return submit(w, "add 2 3 --id %s --force --queue io %s", id, rest);
}

const char *
answer(struct world *w, const char *verb, const char *path)
{
	return json_field(w, ctl_ok(w, "%s --json", verb), path);
}

bool
says(struct world *w, const char *verb, const char *path, const char *expected)
{
	return strcmp(answer(w, verb, path), expected) == 0;
}

const char *
only(struct world *w, const char *verb)
{
	char *text = ctl_ok(w, "%s --json", verb);
	const size_t len = strlen(text);

	ck_assert_msg(len > 2 && text[0] == '[', "%s: %s", verb, text);
	text[len - 1] = '\0';
	return text + 1;
}
