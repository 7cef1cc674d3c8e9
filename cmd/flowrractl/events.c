/* SPDX-License-Identifier: MIT */
/* The verb events: prints what manager/events.h hears, until it is interrupted
 * or has printed --count events. */
#include "manager/events.h"

#include <signal.h>
#include <stdio.h>

#include "util/err.h"
#include "verb.h"

/* Filled by the option table, but for the last two, which belong to the run.
 * --follow changes nothing: it is there so that a script can say what it means,
 * and for those who know it from tail(1). */
struct events_options {
	struct ctl *ctl;
	const char *id, *task, *queue;
	bool follow;
	int count; /* 0: without end */
	int seen;
};

/* Returns 1 to end. One line an event, and flushed at once: a program that
 * reads the pipe acts on each as it comes. An event that cannot be encoded, for
 * want of memory, is dropped rather than ending a watch that may have run for
 * days. */
static int
on_event(const json_t *event, void *arg)
{
	struct events_options *o = arg;

	print_json(event);
	if (fflush(stdout) != 0)
		return 1;
	return ++o->seen == o->count;
}

/* Not an error: listening goes on by itself when the server is back, but a
 * reader that counts must know that its count is no longer exact. */
static void
on_trouble(const struct err *why, void *arg)
{
	const struct events_options *o = arg;

	complain(o->ctl, "some events may be missing: %s", why->msg);
}

/* Returns when --count was reached or nobody reads; a signal ends the program
 * as any other. */
static int
run_events(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct events_options *o = options;
	const struct events_follow follow = {.id = o->id,
					     .task = o->task,
					     .queue = o->queue,
					     .on_event = on_event,
					     .on_trouble = on_trouble,
					     .arg = o};
	struct err err = ERR_INIT;
	int status;

	o->ctl = ctl;
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (events_follow(ctl->client, &follow, &err) != 0)
		return complain_of_err(ctl, &err);
	/* The client keeps SIGPIPE away while it waits; nobody reads any more:
	 * end as any other program in a pipe does. */
	if (ferror(stdout))
		raise(SIGPIPE);
	return 0;
}

#define OPTION(...) VERB_OPTION(struct events_options, 0, __VA_ARGS__)

static const struct option_spec events_options[] = {
    OPTION("follow", NULL, FLAG, follow, 0, 0,
	   "run until interrupted (the default)"),
    OPTION("count", "N", INT, count, 1, 2147483647, "exit after N events"),
    OPTION("task", "NAME", TEXT, task, 0, 0,
	   "only events of tasks with this name"),
    OPTION("queue", "QUEUE", TEXT, queue, 0, 0,
	   "only events of tasks in this queue"),
    OPTION("id", "ID", TEXT, id, 0, 0, "only events of this task"),
};

const struct verb verb_events = {
    .name = "events",
    .summary = "Print task events as they happen, one JSON object per line",
    .usage = "[--follow | --count N] [--task NAME] [--queue QUEUE] [--id ID]",
    .options = events_options,
    .n_options = sizeof(events_options) / sizeof(events_options[0]),
    .options_size = sizeof(struct events_options),
    .run = run_events,
};
