/* SPDX-License-Identifier: MIT */
/*
 * Commands from outside: about one task, or to this worker.
 *
 * Every worker hears every command. That to cancel names a task, which may be
 * here, in another worker, or between the two; the others name a worker. They
 * come over the broker, from anybody who may write there: what makes no sense
 * is dropped, since an answer could reach nobody.
 */
#include "codec/order.h"
#include "codec/scan.h"

#include "core/task.h"
#include "dispatch/cancelled_ids.h"
#include "dispatch/state.h"
#include "util/err.h"
#include "util/log.h"

/* Ends the task with this id, in whatever state its job is. There is no index
 * of ids: commands are rare, and jobs are some hundred. */
static void
control_cancel(struct dispatch *d, struct slice id)
{
	struct job *job = NULL;
	uint32_t i;

	if (!task_id_valid(id))
		return;
	for (i = 0; i < d->cap_jobs; i++) {
		job = d->jobs[i];
		/* One that is lost may be here a second time, claimed again. */
		if (job != NULL && job->task != NULL && !job->lost &&
		    slice_eq(slice_of(job->task->id), id))
			break;
	}
	log_debug("request to cancel %.*s: it is %s", (int)id.len, id.p,
		  i == d->cap_jobs ? "not here, or not yet" : "here");
	/* On its way back to the queue, it may come here again. */
	if (i == d->cap_jobs || job->state == JOB_SETTLING)
		cancelled_ids_add(d->cancelled_ids, id);
	else
		timeout_cancel(job);
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
control_quiet(struct dispatch *d, struct slice worker)
{
	set_quiet(d, true);
}

static void
control_resume(struct dispatch *d, struct slice worker)
{
	set_quiet(d, false);
}

/* The program decides, as it does when a signal asks for the same. */
static void
control_stop(struct dispatch *d, struct slice worker)
{
	d->opt.on_stop_command(d->opt.arg);
}

static void
control_reload(struct dispatch *d, struct slice worker)
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
control_hear(struct dispatch *d, struct slice id)
{
	control_tell(d, RESULTS_BRIEF, id);
}

static void
control_hear_whole(struct dispatch *d, struct slice id)
{
	control_tell(d, RESULTS_WHOLE, id);
}

static const struct {
	void (*fn)(struct dispatch *d, struct slice subject);
	bool to_worker; /* the one that it names */
} commands[] = {
    [ORDER_WAKE] = {NULL, false}, /* the broker's own */
    [ORDER_CANCEL] = {control_cancel, false},
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
		commands[order.kind].fn(d, order.subject);
	buf_done(&scratch);
}
