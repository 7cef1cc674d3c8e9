/* SPDX-License-Identifier: MIT */
/* The verbs export and import: tasks and records as lines of JSON. The work is
 * manager/carry.h. */
#include "manager/carry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"
#include "verb.h"

struct carry_options {
	const char *queue, *states;
	bool requeue_dead, dry_run;
};

#define OPTION(...) VERB_OPTION(struct carry_options, 0, __VA_ARGS__)

/* --- export ------------------------------------------------------------ */

static const struct option_spec export_options[] = {
    OPTION("queue", "QUEUE", TEXT, queue, 0, 0, "only tasks of this queue"),
    OPTION("state", "STATE,...", TEXT, states, 0, 0,
	   "only these: waiting, delayed, dead, records"),
};

/* A reader that has gone, or a full disk, ends it. */
static int
on_line(struct slice line, void *arg)
{
	return fwrite(line.p, 1, line.len, stdout) == line.len ? 0 : -1;
}

static int
run_export(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct carry_options *o = options;
	struct carry_export e = {
	    .kinds = CARRY_ALL, .queue = o->queue, .on_line = on_line};
	struct err err = ERR_INIT;
	int status;

	if (o->states != NULL && (e.kinds = carry_parse(o->states, &err)) < 0)
		return complain_of_err(ctl, &err);
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (carry_export(ctl->client, &e, &err) != 0)
		return complain_of_err(ctl, &err);
	if (e.running > 0)
		complain(ctl,
			 "%lld tasks are running, or were just taken, and are "
			 "not in it",
			 (long long)e.running);
	if (e.flows > 0 || e.steps > 0)
		complain(ctl,
			 "workflows are not exported: %lld have not ended, and "
			 "%lld of their tasks are in queues",
			 (long long)e.flows, (long long)e.steps);
	return 0;
}

const struct verb verb_export = {
    .name = "export",
    .summary = "Print tasks and records, one a line, for import",
    .usage = "[--queue QUEUE] [--state STATE,...]",
    .options = export_options,
    .n_options = sizeof(export_options) / sizeof(export_options[0]),
    .options_size = sizeof(struct carry_options),
    .run = run_export,
};

/* --- import ------------------------------------------------------------ */

static const struct option_spec import_options[] = {
    OPTION("queue", "QUEUE", TEXT, queue, 0, 0, "put all into this queue"),
    OPTION("requeue-dead", NULL, FLAG, requeue_dead, 0, 0,
	   "put dead tasks into their queues, to run again"),
    OPTION("dry-run", NULL, FLAG, dry_run, 0, 0,
	   "store nothing; check the lines"),
};

/* What on_refused() needs. */
struct refusals {
	struct ctl *ctl;
	int status;
};

static void
on_refused(size_t line, const struct err *why, void *arg)
{
	struct refusals *r = arg;
	const int status = err_exit_status(why->code);

	complain(r->ctl, "line %zu: %s", line, why->msg);
	r->status = status > r->status ? status : r->status;
}

/* Blank lines are passed over. */
static int
import_lines(struct ctl *ctl, struct carry_import *im, struct err *err)
{
	size_t room = 0, number = 0;
	char *line = NULL;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = getline(&line, &room, stdin)) > 0) {
		number++;
		while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL)
			n--;
		if (n > 0)
			r = carry_import_line(
			    im, number, (struct slice){line, (size_t)n}, err);
		if (number % 1000 == 0)
			show_progress(ctl, (long long)number, "lines");
	}
	if (r == 0 && ferror(stdin))
		r = err_sys(err, ERR_SYSTEM, "cannot read standard input");
	free(line);
	return r == 0 ? carry_import_end(im, err) : r;
}

static void
print_counts(struct ctl *ctl, const struct carry_counts *n)
{
	if (ctl->globals.json)
		print_json_line(json_pack(
		    "{s:I,s:I,s:I,s:I}", "imported", (json_int_t)n->imported,
		    "present", (json_int_t)n->present, "skipped",
		    (json_int_t)n->skipped, "refused", (json_int_t)n->refused));
	else
		printf("%lld imported, %lld were there, %lld skipped, %lld "
		       "refused\n",
		       (long long)n->imported, (long long)n->present,
		       (long long)n->skipped, (long long)n->refused);
}

static int
run_import(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct carry_options *o = options;
	struct refusals refusals = {ctl, 0};
	const struct carry_import_options what = {.queue = o->queue,
						  .requeue_dead =
						      o->requeue_dead,
						  .dry_run = o->dry_run,
						  .on_refused = on_refused,
						  .arg = &refusals};
	struct err err = ERR_INIT;
	struct carry_import *im;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((im = carry_import_new(ctl->client, &what, &err)) == NULL)
		return complain_of_err(ctl, &err);
	status = import_lines(ctl, im, &err) != 0 ? complain_of_err(ctl, &err)
						  : refusals.status;
	end_progress(ctl);
	print_counts(ctl, carry_import_counts(im));
	carry_import_free(im);
	return status;
}

const struct verb verb_import = {
    .name = "import",
    .summary = "Store tasks and records that export has printed",
    .usage = "[--queue QUEUE] [--requeue-dead] [--dry-run] <FILE",
    .options = import_options,
    .n_options = sizeof(import_options) / sizeof(import_options[0]),
    .options_size = sizeof(struct carry_options),
    .run = run_import,
};
