/* SPDX-License-Identifier: MIT */
/* The verb stats: the figures of the whole (manager/stats.h), once. top shows
 * them live. */
#include "manager/stats.h"

#include "table.h"
#include "util/err.h"
#include "verb.h"

static int
run_stats(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *stats;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((stats = stats_get(ctl->client, &err)) == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(stats);
		return 0;
	}
	/* A line each, named as in JSON: awk '$1 == "waiting"' finds one. */
	print_members(stats);
	json_decref(stats);
	return 0;
}

const struct verb verb_stats = {
    .name = "stats",
    .summary = "Print numbers of tasks and workers",
    .usage = "",
    .run = run_stats,
};
