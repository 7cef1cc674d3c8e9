/* SPDX-License-Identifier: MIT */
/*
 * The worker's description, which goes with each heartbeat: what those who
 * watch over workers see of it. flowrrad(8) has its form.
 */
#include <sys/utsname.h>
#include <unistd.h>

#include "codec/scan.h"
#include "codec/write.h"
#include "dispatch/state.h"
#include "util/proc.h"

/* So many running tasks are named. */
#define NAMED_MAX 100

static void
write_slots(struct buf *out, struct slice key, int64_t slots,
	    unsigned int tasks)
{
	buf_add(out, key.p, key.len);
	write_whole(out, WRITE_FIRST("slots"), slots);
	write_whole(out, WRITE_NEXT("tasks"), tasks);
	write_end(out);
}

static void
describe_slots(const struct dispatch *d, struct buf *out)
{
	const struct conf_executor *conf = &d->conf->executor;
	const struct runner *r;
	unsigned int n[KIND_COUNT] = {0};
	enum job_kind kind;

	TAILQ_FOREACH (r, &d->runners, link)
		for (kind = 0; kind < KIND_COUNT; kind++)
			n[kind] += r->count[kind];
	buf_adds(out, ",\"slots\":");
	write_slots(out, WRITE_FIRST("io"), conf->io_workers, n[KIND_THREAD]);
	write_slots(out, WRITE_NEXT("async"), conf->async_tasks, n[KIND_ASYNC]);
	write_slots(out, WRITE_NEXT("cpu"), d->current->cpu_max, n[KIND_CPU]);
	write_end(out);
}

static void
describe_list(struct buf *out, struct slice key, const char *const *list)
{
	const char *const *text;

	buf_add(out, key.p, key.len);
	buf_addc(out, '[');
	for (text = list; *text != NULL; text++) {
		if (text != list)
			buf_addc(out, ',');
		scan_quote(out, slice_of(*text));
	}
	buf_addc(out, ']');
}

static void
describe_memory(const struct dispatch *d, struct buf *out)
{
	const struct runner *r;
	const char *comma = "";

	buf_adds(out, ",\"memory\":");
	write_whole(out, WRITE_FIRST("flowrrad"), proc_resident(getpid()));
	buf_adds(out, ",\"executors\":[");
	TAILQ_FOREACH (r, &d->runners, link) {
		const pid_t pid = executor_process_pid(r->child);

		buf_adds(out, comma);
		write_whole(out, WRITE_FIRST("pid"), pid);
		write_text(out, WRITE_NEXT("kind"),
			   r->cpu ? SLICE("cpu") : SLICE("io"));
		write_whole(out, WRITE_NEXT("bytes"), proc_resident(pid));
		write_end(out);
		comma = ",";
	}
	buf_adds(out, "]}");
}

static void
describe_totals(const struct dispatch *d, struct buf *out)
{
	buf_adds(out, ",\"totals\":");
	write_whole(out, WRITE_FIRST("succeeded"), d->totals.succeeded);
	write_whole(out, WRITE_NEXT("failed"), d->totals.failed);
	write_whole(out, WRITE_NEXT("retried"), d->totals.retried);
	write_whole(out, WRITE_NEXT("crashed"), d->totals.crashed);
	write_end(out);
}

static void
describe_job(const struct job *job, struct buf *out)
{
	const struct queue *queue = &job->dispatch->queues[job->claim->queue];

	write_text(out, WRITE_FIRST("id"), slice_of(job->task->id));
	write_text(out, WRITE_NEXT("name"), slice_of(job->task->name));
	write_text(out, WRITE_NEXT("queue"), slice_of(queue->name));
	write_whole(out, WRITE_NEXT("attempt"), job->task->current_retry + 1);
	write_time(out, WRITE_NEXT("started_at"), job->started_us);
	write_end(out);
}

/* Executors report only what runs for a moment: the others are gone by the time
 * that somebody looks. */
static void
describe_running(const struct dispatch *d, struct buf *out)
{
	const struct runner *r;
	const struct job *job;
	unsigned int n = 0;

	buf_adds(out, ",\"running\":[");
	TAILQ_FOREACH (r, &d->runners, link)
		TAILQ_FOREACH (job, &r->jobs, link) {
			if (job->started_us == 0 || n == NAMED_MAX)
				continue;
			if (n++ > 0)
				buf_addc(out, ',');
			describe_job(job, out);
		}
	buf_addc(out, ']');
}

void
describe_worker(const struct dispatch *d, struct buf *out)
{
	const char *state = d->stopping ? "stopping"
			    : d->quiet	? "quiet"
					: "running";
	struct utsname host;

	uname(&host);
	write_text(out, WRITE_FIRST("id"), slice_of(d->opt.worker));
	write_text(out, WRITE_NEXT("host"), slice_of(host.nodename));
	write_whole(out, WRITE_NEXT("pid"), getpid());
	write_text(out, WRITE_NEXT("version"), SLICE(FLOWRRA_VERSION));
	write_time(out, WRITE_NEXT("started_at"), d->started_us);
	write_text(out, WRITE_NEXT("state"), slice_of(state));
	describe_list(out, WRITE_NEXT("queues"), d->opt.queues);
	describe_list(out, WRITE_NEXT("modules"),
		      (const char *const *)d->current->modules);
	describe_slots(d, out);
	describe_memory(d, out);
	describe_totals(d, out);
	describe_running(d, out);
	write_end(out);
}
