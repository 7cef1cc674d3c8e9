/* SPDX-License-Identifier: MIT */
/* The verbs about limits: how many tasks of a queue, of a name or of a group run at
 * once. The work is manager/limits.h. */
#include "manager/limits.h"

#include <stdio.h>

#include "core/limit.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

static const struct column limit_columns[] = {
    {"QUEUE", "queue", NULL, COLUMN_WHOLE},
    {"LIMIT", "scope", NULL, COLUMN_WHOLE},
    {"KEY", "key", NULL, 0},
    {"CONCURRENCY", "concurrency", NULL, COLUMN_RIGHT},
    {"RUNNING", "running", NULL, COLUMN_RIGHT},
    {"HELD", "held", NULL, COLUMN_RIGHT},
    {"GROUP-BY", "by", NULL, COLUMN_DROP(1)},
    {"RATE", "rate", NULL, COLUMN_RIGHT},
    {"PERIOD", "period", cell_duration, COLUMN_RIGHT},
    {"BURST", "burst", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"DECLARED-BY", "declared_by", NULL, COLUMN_DROP(1)},
};
#define N_LIMIT_COLUMNS (sizeof(limit_columns) / sizeof(limit_columns[0]))

static int
run_list(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	list = limits_list(ctl->client, argc > 0 ? argv[0] : NULL, &err);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, limit_columns, N_LIMIT_COLUMNS, list);
}

/* One queue; none is worth a word, as it may be misspelt. */
static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	list = limits_list(ctl->client, argv[0], &err);
	if (list != NULL && json_array_size(list) > 0)
		return print_list(ctl, limit_columns, N_LIMIT_COLUMNS, list);
	if (list != NULL)
		err_set(&err, ERR_NOT_FOUND, "queue \"%s\" has no limits",
			argv[0]);
	json_decref(list);
	return complain_of_err(ctl, &err);
}

/* --- changing -------------------------------------------------------------- */

struct limit_options {
	struct limits_target target;
	int concurrency, burst;
};

#define OPTION(...) VERB_OPTION(struct limit_options, 0, __VA_ARGS__)
#define TARGET_OPTIONS                                                         \
	OPTION("task", "NAME", TEXT, target.task, 0, 0,                        \
	       "the tasks of this name"),                                      \
	    OPTION("group", "KEY", TEXT, target.group, 0, 0,                   \
		   "the tasks of this group"),                                 \
	    OPTION("each-group", NULL, FLAG, target.each_group, 0, 0,          \
		   "each group that has no limit of its own")

static const struct option_spec set_options[] = {
    TARGET_OPTIONS,
    OPTION("by", "PATH", TEXT, target.by, 0, 0,
	   "where a task without a group has it: kwargs.NAME, args.NUMBER; - "
	   "for nowhere"),
    OPTION("concurrency", "N", INT, concurrency, 1, LIMIT_CONCURRENCY_MAX,
	   "tasks that run at once"),
    OPTION("rate", "N/DURATION", TEXT, target.rate, 0, 0,
	   "tasks that start in this time, such as 100/1m"),
    OPTION("burst", "N", INT, burst, 1, LIMIT_RATE_MAX,
	   "with --rate: tasks that may start at once after a pause; 1 by "
	   "default"),
    OPTION("declared", NULL, FLAG, target.declared, 0, 0,
	   "restore the limit that a worker declared last from its "
	   "configuration"),
};

static const struct option_spec unset_options[] = {
    TARGET_OPTIONS,
};

static int
limit_change(struct ctl *ctl, const char *queue, struct limit_options *o,
	     json_t *(*change)(struct flowrra_client *,
			       const struct limits_target *, struct err *))
{
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	o->target.queue = queue;
	if ((answer = change(ctl->client, &o->target, &err)) == NULL)
		return complain_of_err(ctl, &err);
	print_if_json(ctl, answer);
	return 0;
}

static int
run_set(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct limit_options *o = options;
	struct err err;

	o->target.concurrency = o->concurrency;
	o->target.burst = o->burst;
	if (o->concurrency == 0 && o->target.rate == NULL &&
	    !o->target.declared) {
		err_set(&err, ERR_USAGE,
			"missing --concurrency or --rate; usage: flowrractl "
			"limit set QUEUE --concurrency N");
		return complain_of_err(ctl, &err);
	}
	return limit_change(ctl, argv[0], o, limits_set);
}

static int
run_unset(struct ctl *ctl, int argc, char **argv, void *options)
{
	return limit_change(ctl, argv[0], options, limits_unset);
}

const struct verb verb_limit_set = {
    .name = "limit set",
    .summary =
	"Limit how many tasks of a queue run at once, or start in a time",
    .usage = "QUEUE [--task NAME | --group KEY | --each-group] "
	     "[--concurrency N] [--rate N/DURATION] | --declared",
    .options = set_options,
    .n_options = sizeof(set_options) / sizeof(set_options[0]),
    .options_size = sizeof(struct limit_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_set,
};

const struct verb verb_limit_list = {
    .name = "limit list",
    .looks = true,
    .summary = "List the limits of all queues, or of one",
    .usage = "[QUEUE]",
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_list,
};

const struct verb verb_limit_show = {
    .name = "limit show",
    .looks = true,
    .summary = "Show the limits of a queue",
    .usage = "QUEUE",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_show,
};

const struct verb verb_limit_unset = {
    .name = "limit unset",
    .summary = "Take a limit away",
    .usage = "QUEUE [--task NAME | --group KEY | --each-group]",
    .options = unset_options,
    .n_options = sizeof(unset_options) / sizeof(unset_options[0]),
    .options_size = sizeof(struct limit_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_QUEUE,
    .run = run_unset,
};
