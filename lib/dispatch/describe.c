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

/* The most running tasks that are named: some 20 KiB, which every
 * heartbeat sends and every listing of workers reads. */
#define NAMED_MAX 100
/* The most registered tasks that are named: some 5 KiB as a rule. */
#define TASKS_NAMED_MAX 200

/* Commands have slots of their own; those who look see them together with those
 * of the modules. */
static void
write_slots(const struct dispatch *d, struct buf *out, struct slice key,
	    enum pool_kind kind, enum pool_kind commands)
{
	unsigned int n = pool_slots(d->pool, kind);
	unsigned int tasks = pool_running(d->pool, kind);

	if (commands != kind) {
		n += pool_slots(d->pool, commands);
		tasks += pool_running(d->pool, commands);
	}
	buf_add(out, key.p, key.len);
	write_whole(out, WRITE_FIRST("slots"), n);
	write_whole(out, WRITE_NEXT("tasks"), tasks);
	write_end(out);
}

static void
describe_slots(const struct dispatch *d, struct buf *out)
{
	buf_adds(out, ",\"slots\":");
	write_slots(d, out, WRITE_FIRST("io"), POOL_THREAD, POOL_THREAD);
	write_slots(d, out, WRITE_NEXT("async"), POOL_ASYNC, POOL_COMMAND);
	write_slots(d, out, WRITE_NEXT("cpu"), POOL_CPU, POOL_CPU_COMMAND);
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

/* Of more tasks their names would be most of each heartbeat; then there is no
 * member, and nobody knows. */
static void
describe_tasks(const struct handlers *handlers, struct buf *out)
{
	size_t i;

	write_whole(out, WRITE_NEXT("tasks"), (int64_t)handlers->n);
	if (handlers->n > TASKS_NAMED_MAX)
		return;
	buf_adds(out, ",\"task_names\":[");
	for (i = 0; i < handlers->n; i++) {
		if (i > 0)
			buf_addc(out, ',');
		scan_quote(out, handlers->list[i].name);
	}
	buf_addc(out, ']');
}

/* A start goes on without what it could not load; those who watch must see it.
 */
static void
describe_refused(const struct dispatch *d, struct buf *out)
{
	const struct handlers *handlers = pool_handlers(d->pool);
	size_t i, n = handlers != NULL ? handlers->n_refused : 0;

	buf_adds(out, ",\"refused\":[");
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(out, ',');
		scan_quote(out, slice_of(handlers->refused[i]));
	}
	buf_addc(out, ']');
}

static void
describe_reloads(const struct dispatch *d, struct buf *out)
{
	const struct err *why = &d->reloads.why;

	buf_adds(out, ",\"reloads\":");
	write_whole(out, WRITE_FIRST("count"), d->reloads.n);
	if (why->code != ERR_NONE)
		write_text(out, WRITE_NEXT("error"), slice_of(why->msg));
	write_end(out);
}

/* What this process and each executor have resident, in bytes: those who look
 * for a module that leaks compare it over time. */
static void
describe_memory(const struct dispatch *d, struct buf *out)
{
	const struct executor *e = NULL;
	struct pool_member member;
	const char *comma = "";

	buf_adds(out, ",\"memory\":");
	write_whole(out, WRITE_FIRST("flowrrad"), proc_resident(getpid()));
	buf_adds(out, ",\"executors\":[");
	while ((e = pool_next_executor(d->pool, e, &member)) != NULL) {
		buf_adds(out, comma);
		write_whole(out, WRITE_FIRST("pid"), member.pid);
		write_text(out, WRITE_NEXT("kind"), slice_of(member.kind));
		write_whole(out, WRITE_NEXT("bytes"),
			    proc_resident(member.pid));
		write_end(out);
		comma = ",";
	}
	buf_adds(out, "]}");
}

/* Executors that do not answer. */
static void
describe_stuck(const struct dispatch *d, struct buf *out)
{
	const struct executor *e = NULL;
	struct pool_member member;
	const char *comma = "";

	buf_adds(out, ",\"stuck\":[");
	while ((e = pool_next_executor(d->pool, e, &member)) != NULL) {
		if (member.silent_s == 0)
			continue;
		buf_adds(out, comma);
		write_whole(out, WRITE_FIRST("pid"), member.pid);
		write_text(out, WRITE_NEXT("kind"), slice_of(member.kind));
		write_whole(out, WRITE_NEXT("seconds"), member.silent_s);
		if (member.blocker != NULL)
			write_text(out, WRITE_NEXT("task"),
				   slice_of(member.blocker->task->id));
		write_end(out);
		comma = ",";
	}
	buf_addc(out, ']');
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

/* In the order of flowrrad(8), as all that is written here. */
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
	struct pool_job *run = NULL;
	const struct job *job;
	unsigned int n = 0;

	buf_adds(out, ",\"running\":[");
	while (n < NAMED_MAX && (run = pool_next_job(d->pool, run)) != NULL) {
		job = job_of(run);
		if (job->started_us == 0)
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
	const char *state = dispatch_is_stopping(d) ? "stopping"
			    : d->quiet		    ? "quiet"
						    : "running";
	struct utsname host;

	uname(&host);
	write_text(out, WRITE_FIRST("id"), slice_of(d->opt.worker));
	write_text(out, WRITE_NEXT("host"), slice_of(host.nodename));
	write_whole(out, WRITE_NEXT("pid"), getpid());
	write_text(out, WRITE_NEXT("version"), SLICE(FLOWRRA_VERSION));
	write_time(out, WRITE_NEXT("started_at"), d->started_us);
	write_time(out, WRITE_NEXT("heartbeat_at"), clock_wall_us());
	write_text(out, WRITE_NEXT("state"), slice_of(state));
	describe_list(out, WRITE_NEXT("queues"), d->opt.queues);
	describe_list(out, WRITE_NEXT("modules"), pool_modules(d->pool));
	if (pool_handlers(d->pool) != NULL)
		describe_tasks(pool_handlers(d->pool), out);
	describe_refused(d, out);
	describe_reloads(d, out);
	describe_slots(d, out);
	describe_memory(d, out);
	describe_stuck(d, out);
	describe_totals(d, out);
	describe_running(d, out);
	write_end(out);
}
