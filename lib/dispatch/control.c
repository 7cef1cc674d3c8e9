/* SPDX-License-Identifier: MIT */
/*
 * Commands from outside: about one task, or to this worker.
 *
 * Every worker hears every command. That to cancel names a task, which may be
 * here, in another worker, or between the two; the others name a worker. They
 * come over the broker, from anybody who may write there: what makes no sense
 * is dropped, since an answer could reach nobody.
 */
#include <signal.h>
#include <string.h>

#include "codec/order.h"
#include "codec/scan.h"

#include "core/task.h"
#include "dispatch/cancelled_ids.h"
#include "dispatch/state.h"
#include "util/err.h"
#include "util/log.h"

/* There is no index of ids: commands are rare, and jobs are some hundred. NULL: the
 * task is not here. */
static struct job *
control_find(const struct dispatch *d, struct slice id)
{
	struct job *job;
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++) {
		job = d->jobs[i];
		/* One that is lost may be here a second time, claimed again. */
		if (job != NULL && job->task != NULL && !job->lost &&
		    slice_eq(slice_of(job->task->id), id))
			return job;
	}
	return NULL;
}

/* Ends the task with this id, in whatever state its job is. */
static void
control_cancel(struct dispatch *d, const struct order *order)
{
	const struct slice id = order->subject;
	struct job *job;

	if (!task_id_valid(id))
		return;
	job = control_find(d, id);
	log_debug("request to cancel %.*s: it is %s", (int)id.len, id.p,
		  job == NULL ? "not here, or not yet" : "here");
	/* On its way back to the queue, it may come here again. */
	if (job == NULL || job->state == JOB_SETTLING)
		cancelled_ids_add(d->cancelled_ids, id);
	else
		timeout_cancel(job);
}

/* Its number; 0: it has none. Names are those of this machine. */
static int
control_signal_number(struct slice name)
{
	const char *known;
	int i;

	for (i = 1; i < 32; i++) {
		known = sigabbrev_np(i);
		if (known != NULL && slice_eq(name, slice_of(known)))
			return i;
	}
	return 0;
}

static const char *
control_signal_job(struct job *job, int sig)
{
	if (job->state != JOB_RUNNING)
		return "not_running";
	if (!job->handler->command)
		return "no_command";
	if (sig == 0)
		return "unknown_signal";
	pool_signal(&job->run, sig);
	log_info("task %s: signal %d", job->task->id, sig);
	return "sent";
}

/* Only the worker that has the task answers. */
static void
control_signal(struct dispatch *d, const struct order *order)
{
	struct buf event = BUF_INIT;
	struct job *job;

	if (!task_id_valid(order->subject) || !task_id_valid(order->asker) ||
	    (job = control_find(d, order->subject)) == NULL)
		return;
	results_expect(d->results, RESULTS_BRIEF);
	buf_adds(&event, RESULTS_SIGNALLED ",\"id\":");
	scan_quote(&event, order->asker);
	buf_adds(&event, ",\"worker\":");
	scan_quote(&event, slice_of(d->opt.worker));
	buf_addf(&event, ",\"outcome\":\"%s\"}",
		 control_signal_job(job, control_signal_number(order->signal)));
	if (!event.failed)
		results_event(d->results, RESULTS_BRIEF,
			      (struct slice){event.data, event.len});
	buf_done(&event);
}

/* Quiet: no more claims; what is here ends as usual. A worker that stops is
 * more than quiet already. */
static void
set_quiet(struct dispatch *d, bool quiet)
{
	if (d->quiet == quiet || dispatch_is_stopping(d))
		return;
	d->quiet = quiet;
	log_notice(quiet ? "quiet: claiming no more tasks"
			 : "resumed: claiming tasks again");
	/* So that who gave the command sees it followed. */
	heartbeat_send(d);
	dispatch_turn(d);
}

static void
control_quiet(struct dispatch *d, const struct order *order)
{
	set_quiet(d, true);
}

static void
control_resume(struct dispatch *d, const struct order *order)
{
	set_quiet(d, false);
}

/* The program decides, as it does when a signal asks for the same. */
static void
control_stop(struct dispatch *d, const struct order *order)
{
	d->opt.on_stop_command(d->opt.arg);
}

static void
control_reload(struct dispatch *d, const struct order *order)
{
	d->opt.on_reload_command(d->opt.arg);
}

/* Somebody listens to events, and begins when all workers have said that they
 * tell them: on the same way, in their order. */
static void
control_tell(struct dispatch *d, enum results_detail detail, struct slice id)
{
	struct buf event = BUF_INIT;

	if (!task_id_valid(id))
		return;
	results_expect(d->results, detail);
	buf_adds(&event, RESULTS_HEARD ",\"id\":");
	scan_quote(&event, id);
	buf_adds(&event, ",\"worker\":");
	scan_quote(&event, slice_of(d->opt.worker));
	buf_addc(&event, '}');
	if (!event.failed)
		results_event(d->results, detail,
			      (struct slice){event.data, event.len});
	buf_done(&event);
}

static void
control_hear(struct dispatch *d, const struct order *order)
{
	control_tell(d, RESULTS_BRIEF, order->subject);
}

static void
control_hear_whole(struct dispatch *d, const struct order *order)
{
	control_tell(d, RESULTS_WHOLE, order->subject);
}

static const struct {
	void (*fn)(struct dispatch *d, const struct order *order);
	bool to_worker; /* the one that it names */
} commands[] = {
    [ORDER_WAKE] = {NULL, false}, /* the broker's own */
    [ORDER_CANCEL] = {control_cancel, false},
    [ORDER_SIGNAL] = {control_signal, false},
    [ORDER_QUIET] = {control_quiet, true},
    [ORDER_RESUME] = {control_resume, true},
    [ORDER_STOP] = {control_stop, true},
    [ORDER_RELOAD] = {control_reload, true},
    [ORDER_HEAR] = {control_hear, false},
    [ORDER_HEAR_WHOLE] = {control_hear_whole, false},
};

void
control_take(struct dispatch *d, struct slice message)
{
	struct buf scratch = BUF_INIT;
	struct order order;
	struct err err;

	if (order_read(message, &scratch, &order, &err) != 0)
		/* Perhaps one of a later version: no reason to fill the log. */
		log_debug("invalid worker command: %s", err.msg);
	else if (commands[order.kind].fn != NULL &&
		 (!commands[order.kind].to_worker ||
		  slice_eq(order.subject, slice_of(d->opt.worker))))
		commands[order.kind].fn(d, &order);
	buf_done(&scratch);
}
