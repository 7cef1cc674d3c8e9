/* SPDX-License-Identifier: MIT */
/* The verbs about workers: workers, and worker quiet, resume, reload and stop.
 * The work is manager/workers.h. */
#include "manager/workers.h"

#include "columns.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* Shared with top (columns.h). For programs the order is part of the interface:
 * add new columns at the end. */
const struct column worker_columns[N_WORKER_COLUMNS] = {
    {"WORKER", "worker", NULL, false},
    {"STATE", "state", NULL, false},
    {"IN-FLIGHT", "in_flight", NULL, true},
    {"SLOTS", "slots", cell_slots, false},
    {"MEMORY", "memory.total", cell_bytes, true},
    {"UPTIME", "uptime", cell_duration, true},
    {"VERSION", "version", NULL, false},
    {"PID", "pid", NULL, true},
    {"QUEUES", "queues", cell_list, false},
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
	if (ctl->globals.json)
		print_json_line(answer);
	else
		json_decref(answer);
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

ORDER(quiet, WORKER_QUIET, "Make a worker take no more tasks");
ORDER(resume, WORKER_RESUME, "Make a quiet worker take tasks again");
ORDER(reload, WORKER_RELOAD,
      "Reload a worker's configuration and modules, as SIGHUP does");
ORDER(stop, WORKER_STOP, "Stop a worker gracefully, as SIGTERM does");
