/* SPDX-License-Identifier: MIT */
/* The verbs about queues: queues, and queue pause, resume and purge. The work
 * is manager/queues.h. */
#include "manager/queues.h"

#include <stdio.h>

#include "columns.h"
#include "gateway.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* Shared with top (columns.h). For programs, which get no header, the order is
 * part of the interface: add new columns at the end. */
const struct column queue_columns[N_QUEUE_COLUMNS] = {
    {"QUEUE", "queue", NULL, COLUMN_WHOLE},
    {"WAITING", "waiting", NULL, COLUMN_RIGHT},
    {"DELAYED", "delayed", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"IN-FLIGHT", "in_flight", NULL, COLUMN_RIGHT},
    {"DEAD", "dead", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"OLDEST", "oldest_at", cell_age, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"STATE", "paused", cell_paused, COLUMN_STATE | COLUMN_WHOLE},
};

/* With a name, that queue alone; an unknown one is an error, for it is most
 * likely misspelt. */
static int
run_queues(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	list =
	    ctl->gateway != NULL
		? gateway_queues(ctl->gateway, argc > 0 ? argv[0] : NULL, &err)
		: queues_list(ctl->client, argc > 0 ? argv[0] : NULL, &err);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, queue_columns, N_QUEUE_COLUMNS, list);
}

const struct verb verb_queues = {
    .name = "queues",
    .looks = true,
    .summary = "List queues and how many tasks they hold",
    .usage = "[QUEUE]",
    .max_args = 1,
    .words = WORD_QUEUE,
    .gateway = true,
    .run = run_queues,
};

/* --- pause and resume -------------------------------------------------- */

/* Most likely it is misspelt; but a queue may be paused before its first task
 * comes. What cannot be asked, the pause itself will complain of. */
static void
warn_of_unknown(struct ctl *ctl, const char *name)
{
	struct err err = ERR_INIT;
	json_t *list = queues_list(ctl->client, name, &err);

	if (list == NULL && err.code == ERR_NOT_FOUND)
		complain(ctl,
			 "warning: pausing the unknown queue \"%s\": it has "
			 "never held a task, and no worker serves it",
			 name);
	json_decref(list);
}

/* Tasks that run go on; only claims stop. */
static int
pause_queue(struct ctl *ctl, const char *name, bool paused)
{
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (paused)
		warn_of_unknown(ctl, name);
	if ((answer = queues_pause(ctl->client, name, paused, &err)) == NULL)
		return complain_of_err(ctl, &err);
	print_if_json(ctl, answer);
	return 0;
}

static int
run_pause(struct ctl *ctl, int argc, char **argv, void *options)
{
	return pause_queue(ctl, argv[0], true);
}

static int
run_resume(struct ctl *ctl, int argc, char **argv, void *options)
{
	return pause_queue(ctl, argv[0], false);
}

const struct verb verb_queue_pause = {
    .name = "queue pause",
    .summary = "Pause a queue: workers start no more tasks from it",
    .usage = "QUEUE",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_pause,
};

const struct verb verb_queue_resume = {
    .name = "queue resume",
    .summary = "Resume a paused queue",
    .usage = "QUEUE",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_resume,
};

/* --- purge ------------------------------------------------------------- */

/* Dead tasks and those in flight stay: the one are looked into, the others
 * run. */
struct purge_options {
	bool dry_run;
};

/* A purge of a million tasks takes a while: the person sees that it moves. */
static int
on_progress(int64_t purged, void *arg)
{
	show_progress(arg, purged, "purged");
	return 0;
}

static int
run_purge(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct purge_options *o = options;
	const struct queues_purge purge = {.queue = argv[0],
					   .dry_run = o->dry_run,
					   .on_progress = on_progress,
					   .arg = ctl};
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	answer = queues_purge(ctl->client, &purge, &err);
	end_progress(ctl);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(answer);
		return 0;
	}
	/* The bare number, for scripts; the verb says what it counts. */
	printf("%lld\n", (long long)json_integer_value(
			     json_object_get(answer, "purged")));
	json_decref(answer);
	return 0;
}

static const struct option_spec purge_options[] = {
    {.name = "dry-run",
     .help = "only count the tasks",
     .value = {VALUE_FLAG, offsetof(struct purge_options, dry_run), 0, 0}},
};

const struct verb verb_queue_purge = {
    .name = "queue purge",
    .summary = "Cancel all waiting tasks of a queue and print their number",
    .usage = "QUEUE [--dry-run]",
    .options = purge_options,
    .n_options = sizeof(purge_options) / sizeof(purge_options[0]),
    .options_size = sizeof(struct purge_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_purge,
};
