/* SPDX-License-Identifier: MIT */
/* What tasks print and log: where it goes beside the worker's own log. */
#include <stdlib.h>

#include "dispatch/state.h"
#include "util/err.h"
#include "util/log.h"

/* At the first line that is to be kept: most workers keep none. What has failed is
 * not tried again. */
static void
printing_open(struct dispatch *d)
{
	const struct conf *conf = d->conf;
	const struct keep_limits limits = {
	    .total = (uint64_t)conf->exec.output_total,
	    .keep_s = conf->exec.output_keep / 1000000};
	char *directory = capture_directory(conf);
	struct err err;

	if (directory == NULL)
		err_nomem(&err);
	else
		d->keep = keep_new(directory, &limits, &err);
	free(directory);
	if (d->keep == NULL)
		log_warning("what tasks print is not kept: %s", err.msg);
	d->keep_failed = d->keep == NULL;
}

/* Commands have their files from their executor. Not by the handler: that of a job
 * which runs may be gone since a reload. */
static bool
printing_is_of_command(const struct job *job)
{
	const enum pool_kind kind = job->run.kind;

	return kind == POOL_COMMAND || kind == POOL_CPU_COMMAND ||
	       kind == POOL_ALONE_COMMAND;
}

/* Each attempt has a file of its own, from its first line on. */
static void
printing_keep(struct job *job, enum capture_stream stream, struct slice line)
{
	struct dispatch *d = job->dispatch;
	const int64_t max = d->conf->worker.keep_output;

	if (max == 0 || printing_is_of_command(job))
		return;
	if (d->keep == NULL && !d->keep_failed)
		printing_open(d);
	if (d->keep == NULL)
		return;
	if (job->kept == NULL)
		job->kept =
		    keep_begin(d->keep, job->task->id,
			       (unsigned int)(job->task->current_retry + 1),
			       (uint64_t)max);
	keep_line(d->keep, job->kept, stream, line);
}

/* The record's end of the output is always kept; it is small. */
void
printing_take(struct job *job, enum capture_stream stream, struct slice line)
{
	job_print(job, line);
	printing_keep(job, stream, line);
}

/* Lines that come later, from a pipe that is read last, are in the log alone. */
void
printing_end(struct job *job)
{
	keep_end(job->dispatch->keep, job->kept);
	job->kept = NULL;
}

/* All jobs are gone. */
void
printing_close(struct dispatch *d)
{
	keep_free(d->keep);
	d->keep = NULL;
}
