/* SPDX-License-Identifier: MIT */
/* The verb events: prints what manager/events.h hears, until it is interrupted
 * or has printed --count events. */
#include "manager/events.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "format.h"
#include "util/err.h"
#include "verb.h"

/* As much as a worker tells at once. */
#define EVENTS_BUFFER (size_t)(64u << 10)

/* Filled by the option table, but for the last three, which belong to the run.
 * --follow changes nothing: it is there so that a script can say what it means,
 * and for those who know it from tail(1). */
struct events_options {
	struct ctl *ctl;
	const char *id, *task, *queue, *flow;
	bool follow, full;
	int count; /* 0: without end */
	int seen;
	bool tty; /* a person looks on */
	FILE *out;
};

/* A terminal shows what it is given: it gets what print_json() makes of it. */
static void
print_event(struct slice line)
{
	json_t *event = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);

	if (event != NULL)
		print_json(event);
	json_decref(event);
}

/* Returns 1 to end. One line an event. A line of a pipe is as the worker wrote it:
 * JSON, which was checked, and cheap enough for each of many. */
static int
on_line(struct slice line, void *arg)
{
	struct events_options *o = arg;

	if (o->tty || format_is_chosen()) {
		print_event(line);
	} else {
		fwrite_unlocked(line.p, 1, line.len, o->out);
		putc_unlocked('\n', o->out);
	}
	if (++o->seen == o->count)
		return 1;
	return ferror(o->out) != 0;
}

/* A program that reads the pipe acts on each as it comes; but those that came
 * together are written together. */
static void
on_pause(void *arg)
{
	const struct events_options *o = arg;

	fflush(o->out);
}

/* On standard error: a script can wait for it, and then begin what it wants to
 * see. */
static void
on_ready(void *arg)
{
	const struct events_options *o = arg;

	complain(o->ctl, "following");
}

/* Not an error: listening goes on by itself when the server is back, but a
 * reader that counts must know that its count is not exact any more. */
static void
on_trouble(const struct err *why, void *arg)
{
	const struct events_options *o = arg;

	complain(o->ctl, "some events may be missing: %s", why->msg);
}

/* As on_line(), for one that has been read only now: on_pause() tells. */
static bool
on_asked(void *arg)
{
	const struct events_options *o = arg;

	return ferror(o->out) != 0;
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
					     .flow = o->flow,
					     .whole = o->full,
					     .on_line = on_line,
					     .on_pause = on_pause,
					     .on_ready = on_ready,
					     .stopped = on_asked,
					     .on_trouble = on_trouble,
					     .arg = o};
	struct err err = ERR_INIT;
	int status;

	o->ctl = ctl;
	o->out = stdout;
	o->tty = isatty(STDOUT_FILENO) == 1;
	/* What comes together is written together: on_pause(). */
	setvbuf(stdout, NULL, _IOFBF, EVENTS_BUFFER);
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (events_follow(ctl->client, &follow, &err) != 0)
		return complain_of_err(ctl, &err);
	fflush(stdout);
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
    OPTION("full", NULL, FLAG, full, 0, 0,
	   "with whole records: arguments, results, output"),
    OPTION("task", "NAME", TEXT, task, 0, 0,
	   "only events of tasks with this name"),
    OPTION("queue", "QUEUE", TEXT, queue, 0, 0,
	   "only events of tasks in this queue"),
    OPTION("id", "ID", TEXT, id, 0, 0, "only events of this task"),
    OPTION("flow", "ID", TEXT, flow, 0, 0,
	   "only events of the steps of this workflow"),
};

const struct verb verb_events = {
    .name = "events",
    .summary = "Print task events as they happen, one JSON object per line",
    .usage = "[--follow | --count N] [--full] [--task NAME] [--queue QUEUE] "
	     "[--id ID] [--flow ID]",
    .options = events_options,
    .n_options = sizeof(events_options) / sizeof(events_options[0]),
    .options_size = sizeof(struct events_options),
    .run = run_events,
};
