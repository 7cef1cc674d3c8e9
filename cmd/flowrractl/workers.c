/* SPDX-License-Identifier: MIT */
/* The verbs about workers: workers, and worker quiet, resume, reload and stop.
 * The work is manager/workers.h. */
#include "manager/workers.h"

#include "columns.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* How many modules and commands it could not load; the doctor names them. */
static void
cell_refused(const json_t *value, struct buf *out)
{
	if (json_array_size(value) > 0)
		buf_addf(out, "%zu", json_array_size(value));
}

/* Shared with top (columns.h). For programs the order is part of the interface:
 * add new columns at the end. */
const struct column worker_columns[N_WORKER_COLUMNS] = {
    {"WORKER", "worker", NULL, COLUMN_WHOLE},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"IN-FLIGHT", "in_flight", NULL, COLUMN_RIGHT},
    {"SLOTS", "slots", cell_slots, COLUMN_DROP(1)},
    {"MEMORY", "memory.total", cell_bytes, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"UPTIME", "uptime", cell_duration, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"VERSION", "version", NULL, COLUMN_WHOLE | COLUMN_DROP(4)},
    {"PID", "pid", NULL, COLUMN_RIGHT | COLUMN_DROP(5)},
    {"QUEUES", "queues", cell_list, 0},
    {"REFUSED", "refused", cell_refused, COLUMN_RIGHT},
};

static int
run_workers(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((list = workers_list(ctl->client, &err)) == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, worker_columns, N_WORKER_COLUMNS, list);
}

const struct verb verb_workers = {
    .name = "workers",
    .looks = true,
    .summary = "List the workers and what they run",
    .usage = "",
    .run = run_workers,
};

/* --- orders ------------------------------------------------------------ */

/* 0 means that the order was sent to a worker that lives, not that it has
 * obeyed: `workers` shows that, some seconds later. */
static int
send_order(struct ctl *ctl, const char *worker, enum worker_order order)
{
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	answer = worker_order(ctl->client, worker, order, &err);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	print_if_json(ctl, answer);
	return 0;
}

/* A verb's run function has no argument of its own to tell the order by: so
 * each order has one. */
#define ORDER(word, order, text)                                               \
	static int run_##word(struct ctl *ctl, int argc, char **argv,          \
			      void *options)                                   \
	{                                                                      \
		(void)argc;                                                    \
		(void)options;                                                 \
		return send_order(ctl, argv[0], order);                        \
	}                                                                      \
	const struct verb verb_worker_##word = {                               \
	    .name = "worker " #word,                                           \
	    .summary = (text),                                                 \
	    .usage = "WORKER",                                                 \
	    .min_args = 1,                                                     \
	    .max_args = 1,                                                     \
	    .words = WORD_WORKER,                                              \
	    .run = run_##word,                                                 \
	}

/* reload is not among them: it waits. */
ORDER(quiet, WORKER_QUIET, "Make a worker take no more tasks");
ORDER(resume, WORKER_RESUME, "Make a quiet worker take tasks again");
ORDER(stop, WORKER_STOP, "Stop a worker gracefully, as SIGTERM does");

/* --- reload ------------------------------------------------------------ */

struct reload_options {
	double timeout_s;
};

/* New executors load their modules meanwhile, which takes some of them
 * seconds. */
static void
reload_init(void *options)
{
	((struct reload_options *)options)->timeout_s = 30;
}

/* Unlike the others it waits: a reload may fail, and then a deployment must
 * not go on. */
static int
run_reload(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct reload_options *o = options;
	struct err err = ERR_INIT;
	json_t *answer;
	bool told;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	answer = worker_reload(ctl->client, argv[0], o->timeout_s, &told, &err);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	if (!told)
		complain(ctl,
			 "worker \"%s\" has an older version, which does not "
			 "tell how its reload ends; its log does",
			 argv[0]);
	print_if_json(ctl, answer);
	return 0;
}

static const struct option_spec reload_options[] = {
    VERB_OPTION(struct reload_options, 0, "timeout", "DURATION", SECONDS,
		timeout_s, 0, 86400,
		"wait at most this long for the outcome (30 s)"),
};

const struct verb verb_worker_reload = {
    .name = "worker reload",
    .summary = "Reload a worker's configuration and modules, as SIGHUP does",
    .usage = "WORKER [--timeout DURATION]",
    .options = reload_options,
    .n_options = sizeof(reload_options) / sizeof(reload_options[0]),
    .options_size = sizeof(struct reload_options),
    .init = reload_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_WORKER,
    .run = run_reload,
};
