/* SPDX-License-Identifier: MIT */
/*
 * What executors say of their jobs. Here a job's way through the pool ends,
 * unless its executor does (blame.c): each path gives it back exactly once.
 *
 * An executor runs the code of others in its own memory. Nothing that it sends
 * is believed without a check: which job it speaks of, which messages it may
 * send, and that what is to be JSON is.
 */
#include "pool/report.h"

#include "codec/scan.h"
#include "core/task.h"
#include "pool/blame.h"
#include "pool/generation.h"
#include "pool/room.h"
#include "pool/watch.h"
#include "util/log.h"

/* --- messages ---------------------------------------------------------- */

static void
report_started(struct pool *p, struct executor *e, struct pool_job *job,
	       const struct ipc_message *m)
{
	const struct ipc_started *fixed = m->fixed;

	job->started = true;
	p->events->on_started(job, fixed->started_us, p->opt.arg);
}

/* An executor is not to be trusted: its module may have run wild. */
static bool
is_json(struct slice text)
{
	struct scan_value value;

	return scan_check(text, TASK_DEPTH_MAX, &value, NULL) == 0;
}

static void
report_done(struct pool *p, struct executor *e, struct pool_job *job,
	    const struct ipc_message *m)
{
	struct ipc_done done = *(const struct ipc_done *)m->fixed;
	struct slice text = m->rest;

	/* Not to be retried: the module would do the same again. */
	if (done.outcome == IPC_SUCCESS && !is_json(text)) {
		done.outcome = IPC_FAILED_FINAL;
		done.limited = false;
		text =
		    SLICE("its executor sent a result that is not valid JSON");
	}
	if (done.outcome == IPC_LOST) {
		blame_lost(p, e, job, text);
		return;
	}
	/* Its last lines belong to the attempt that has failed. Of a success they
	 * are not worth a system call a task. */
	if (done.outcome != IPC_SUCCESS)
		executor_process_read_output(e->process);
	/* Asynchronous jobs do not wait for one another: how long they take is
	 * nothing that the room for others depends on. */
	if (!pool_kind_is_async(job->kind))
		room_learn(e, done.ran_us);
	/* The user may give the executor another job from on_done, so it must
	 * be known before whether it takes more. */
	executor_remove(e, job);
	executor_count(e);
	p->events->on_done(job, &done, text, p->opt.arg);
}

static void
report_returned(struct pool *p, struct executor *e, struct pool_job *job,
		const struct ipc_message *m)
{
	executor_remove(e, job);
	p->events->on_returned(job, p->opt.arg);
}

/* Progress that is not JSON is dropped, and the job goes on: it is only
 * told. */
static void
report_progress(struct pool *p, struct executor *e, struct pool_job *job,
		const struct ipc_message *m)
{
	if (is_json(m->rest))
		p->events->on_progress(job, m->rest, p->opt.arg);
}

static void
report_log(struct pool *p, struct executor *e, struct pool_job *job,
	   const struct ipc_message *m)
{
	const struct ipc_log *fixed = m->fixed;

	if (fixed->level <= LOG_LEVEL_debug)
		p->events->on_log(job, (int)fixed->level, m->rest, p->opt.arg);
}

static void
report_output(struct pool *p, struct executor *e, struct pool_job *job,
	      const struct ipc_message *m)
{
	p->events->on_output(job, m->rest, p->opt.arg);
}

static void
report_submit(struct pool *p, struct executor *e, struct pool_job *job,
	      const struct ipc_message *m)
{
	p->events->on_submit(job, executor_pid(e), m->fixed, m->rest,
			     p->opt.arg);
}

static void
report_await(struct pool *p, struct executor *e, struct pool_job *job,
	     const struct ipc_message *m)
{
	p->events->on_await(job, executor_pid(e), m->fixed, m->rest,
			    p->opt.arg);
}

static void
report_forget(struct pool *p, struct executor *e, struct pool_job *job,
	      const struct ipc_message *m)
{
	const struct ipc_forget *fixed = m->fixed;

	p->events->on_forget(job, executor_pid(e), fixed->wait, p->opt.arg);
}

/* By message; what is not in it is not an executor's to send after READY. */
static void (*const report_table[])(struct pool *, struct executor *,
				    struct pool_job *,
				    const struct ipc_message *) = {
    [IPC_STARTED] = report_started,   [IPC_DONE] = report_done,
    [IPC_RETURNED] = report_returned, [IPC_PROGRESS] = report_progress,
    [IPC_LOG] = report_log,	      [IPC_SUBMIT] = report_submit,
    [IPC_AWAIT] = report_await,	      [IPC_FORGET] = report_forget,
    [IPC_OUTPUT] = report_output,
};

void
report_message(struct pool *p, struct executor *e, const struct ipc_message *m)
{
	const int pid = (int)executor_pid(e);
	struct pool_job *job;

	if (m->type == IPC_PONG) {
		watch_heard(p, e, m);
		return;
	}
	/* What came back has come before; there may be room to give it to. */
	if (m->type == IPC_RECALLED) {
		e->recalling = false;
		p->events->on_change(p->opt.arg);
		return;
	}
	if (m->type >= sizeof(report_table) / sizeof(report_table[0]) ||
	    report_table[m->type] == NULL) {
		log_error("executor %d sent an unexpected %s; killing it", pid,
			  ipc_name(m->type));
		executor_kill(e);
		return;
	}
	/* A task that is over on our side may still be talked about: a message
	 * was under way when the job was given back. */
	job = p->events->find(m->task, p->opt.arg);
	if (job != NULL && job->executor == e)
		report_table[m->type](p, e, job, m);
	else
		log_debug("executor %d: %s for a task that has ended", pid,
			  ipc_name(m->type));
}

/* --- what handlers print ----------------------------------------------- */

void
report_line(struct pool *p, struct executor *e, struct slice line)
{
	struct pool_job *job = TAILQ_FIRST(&e->jobs);

	/* Whose it is can be told when only one can have printed it: the only
	 * job, or the first one where they run one after the other. */
	if (job != NULL &&
	    (executor_is_serial(e) || TAILQ_NEXT(job, link) == NULL))
		p->events->on_print(job, line, p->opt.arg);
	else
		log_notice("executor %d prints: %.*s", (int)executor_pid(e),
			   (int)line.len, line.p);
}
