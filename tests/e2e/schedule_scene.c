/* SPDX-License-Identifier: MIT */
/* Worlds with schedules, for the tests of the command line. */
#include "e2e/schedule_scene.h"

#include <string.h>

const char *
schedule_config(struct world *w, const char *more)
{
	return world_text(w,
			  "[scheduler]\ndatabase_url = sqlite://%s/"
			  "schedules.db\n%s",
			  world_dir(w), more);
}

struct world *
schedule_world(void)
{
	struct world *w = world_start(NULL);

	world_configure(w, NULL, schedule_config(w, ""));
	return w;
}

void
put_file(struct world *w, const char *name, const char *text)
{
	world_write(w, name, text, strlen(text));
}
