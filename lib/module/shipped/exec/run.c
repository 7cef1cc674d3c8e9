/* SPDX-License-Identifier: MIT */
/*
 * One run of a command: from the task that wants it to what came of it.
 *
 * The run lives from run_start() to finish(), which is called once: when the
 * program has ended, or could not be started. A cancelled run is not an
 * exception: it ends when its program does.
 */
#include "module/shipped/exec/run.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <syslog.h>

#include "module/begin.h"
#include "module/ended.h"
#include "module/shipped/exec/adhoc.h"
#include "module/shipped/exec/line.h"
#include "module/shipped/exec/lock.h"
#include "module/shipped/exec/printed.h"
#include "spawn/client.h"
#include "util/err.h"
#include "util/limits.h"

/* The part of [executor] kill_grace that a command has to end by itself; after
 * all of it, flowrrad would kill its executor. */
#define GRACE_PART 0.75

/* Between two tries to begin while memory, say, is short, or a lock is taken. */
#define AGAIN_US 250000
/* Between two looks whether a follower has come further: as long as it takes to read
 * what it may have left. */
static const struct timeval room_tv = {.tv_usec = 5000};

struct run {
	struct run_options o;
	struct spawn *program;
	struct printed printed;
	TAILQ_ENTRY(run) waiting; /* while lock_waits */
	bool lock_waits;	  /* another command has the lock */
	char *lock;		  /* the key; NULL: it has none, or not yet */
	int lock_fd;
	bool cancelled;
	struct event *kill;  /* NULL unless cancelled */
	struct event *again; /* set while something is short */
	struct event *room;  /* set while a follower is slow */
};

/* Those of this process that wait for a lock, in the order of their coming. */
static TAILQ_HEAD(, run) waiting_runs = TAILQ_HEAD_INITIALIZER(waiting_runs);

static void
on_output(void *arg, int fd, const char *p, size_t len)
{
	struct run *r = arg;

	if (!printed_take(&r->printed, fd, p, len) && r->program != NULL &&
	    !evtimer_pending(r->room, NULL)) {
		spawn_pause(r->program, true);
		event_add(r->room, &room_tv);
	}
}

/* A follower may have come further. */
static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	if (!printed_again(&r->printed))
		event_add(r->room, &room_tv);
	else if (r->program != NULL)
		spawn_pause(r->program, false);
}

/* --- the end ------------------------------------------------------------- */

/* Before the run ends, or begins: nobody wakes it then. */
static void
stop_waiting(struct run *r)
{
	if (r->lock_waits)
		TAILQ_REMOVE(&waiting_runs, r, waiting);
	r->lock_waits = false;
}

/* Those that wait look at once: another one of them may have what they want. */
static void
release_lock(struct run *r)
{
	struct run *other;

	if (r->lock != NULL) {
		lock_release(r->o.all->store, r->lock, r->lock_fd);
		TAILQ_FOREACH (other, &waiting_runs, waiting)
			event_active(other->again, EV_TIMEOUT, 0);
	}
	free(r->lock);
}

/* on_end first, since the outcome may point into the run. */
static void
finish(struct run *r, const struct run_outcome *outcome)
{
	stop_waiting(r);
	r->o.on_end(outcome, r->o.arg);
	release_lock(r);
	if (r->kill != NULL)
		event_free(r->kill);
	if (r->again != NULL)
		event_free(r->again);
	if (r->room != NULL)
		event_free(r->room);
	printed_done(&r->printed);
	free(r);
}

static void
fail(struct run *r, bool final, const char *error)
{
	finish(r, &(struct run_outcome){.final = final, .error = error});
}

/* The command was not started. Its timeout is over, or a person has cancelled
 * it, while it waited for what was short: that does not count as an attempt. */
static void
run_unbegun(struct run *r)
{
	finish(r, &(struct run_outcome){
		      .unbegun = true,
		      .error = "it was told to end before it could begin"});
}

static void
succeed(struct run *r, int status)
{
	struct run_outcome outcome = {.success = true};
	struct buf exact = BUF_INIT;
	int64_t left_out;
	const char *why;

	outcome.result = printed_result(&r->printed, &left_out, &exact, &why);
	if (outcome.result == NULL || r->printed.output == OUTPUT_NONE)
		printed_store(&r->printed);
	flowrra_task_command_ended(r->o.task, status, left_out);
	if (!exact.failed)
		outcome.exact = (struct slice){exact.data, exact.len};
	if (outcome.result != NULL)
		finish(r, &outcome);
	else
		fail(r, why != NULL,
		     why != NULL ? why
				 : "out of memory for the command's output");
	buf_done(&exact);
	json_decref(outcome.result);
}

/* The signal's name as kill(1) has it. */
static void
describe_end(const struct run *r, int status, struct buf *out)
{
	const char *name;

	if (WIFEXITED(status)) {
		buf_addf(out, "exit code %d", WEXITSTATUS(status));
	} else {
		name = sigabbrev_np(WTERMSIG(status));
		if (name != NULL)
			buf_addf(out, "killed by SIG%s", name);
		else
			buf_addf(out, "killed by signal %d", WTERMSIG(status));
	}
	if (r->cancelled)
		buf_adds(out, ", after it was told to end");
	printed_add_tail(&r->printed, out);
}

static bool
has_succeeded(const struct run *r, int status)
{
	if (r->o.declared == NULL || !WIFEXITED(status))
		return status == 0;
	return r->o.declared->success[WEXITSTATUS(status)];
}

/* An exit code may be declared final; a signal never is: it mostly comes from
 * outside (the OOM killer, an operator). */
static void
end_ran(struct run *r, int status)
{
	struct buf error = BUF_INIT;
	bool final = r->o.declared != NULL && WIFEXITED(status) &&
		     r->o.declared->final[WEXITSTATUS(status)];

	flowrra_task_command_ended(r->o.task, status, 0);
	if (has_succeeded(r, status)) {
		succeed(r, status);
		return;
	}
	describe_end(r, status, &error);
	printed_tell(&r->printed);
	printed_store(&r->printed);
	fail(r, final, error.failed ? "it failed" : error.data);
	buf_done(&error);
}

static void
on_begin(void *arg)
{
	const struct run *r = arg;

	flowrra_task_begins(r->o.task);
}

static void
on_short(void *arg, const char *why)
{
	const struct run *r = arg;

	flowrra_task_log(r->o.task, LOG_WARNING, "%s", why);
}

/* As a shell says it: 127 for a program that is not there, 126 for one that cannot
 * be run. Too long an argument list will be so again. */
static void
fail_start(struct run *r, const struct spawn_end *end)
{
	if (end->at_execution)
		flowrra_task_command_ended(
		    r->o.task, (end->sys == ENOENT ? 127 : 126) << 8, 0);
	fail(r, end->sys == E2BIG, end->why);
}

static void
on_end(void *arg, const struct spawn_end *end)
{
	struct run *r = arg;

	r->program = NULL;
	printed_end(&r->printed);
	if (end->ran && !end->lost)
		end_ran(r, end->status);
	else if (!end->ran && end->sys == ECANCELED)
		run_unbegun(r);
	else if (end->lost)
		finish(r,
		       &(struct run_outcome){.lost = true, .error = end->why});
	else
		fail_start(r, end);
}

/* --- cancellation -------------------------------------------------------- */

/* The end comes as with any other: on_end() is called by the spawner. */
static void
on_kill(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	if (r->program != NULL)
		spawn_signal(r->program, SIGKILL);
}

void
run_signal(struct run *r, int sig)
{
	if (r->program == NULL || !spawn_pass_signal(r->program, sig))
		flowrra_task_log(r->o.task, LOG_NOTICE,
				 "signal %d comes to nothing: the command does "
				 "not run yet, or is told to end",
				 sig);
}

/* The event is made before the first signal: without it SIGKILL is sent at
 * once, since nothing else would end a program that ignores SIGTERM. */
void
run_cancel(struct run *r)
{
	const double grace = r->o.all->kill_grace * GRACE_PART;
	struct timeval tv = {(time_t)grace, 0};

	tv.tv_usec = (suseconds_t)((grace - (double)tv.tv_sec) * 1e6);
	if (r->program == NULL && evtimer_pending(r->again, NULL)) {
		run_unbegun(r);
		return;
	}
	if (r->cancelled || r->program == NULL)
		return;
	/* A timeout does not count before the command has begun, and one that
	 * begins in this moment gets another. */
	if (flowrra_task_time_left(r->o.task) <= 0 &&
	    spawn_withdraw(r->program))
		return;
	r->cancelled = true;
	r->kill = event_new(r->o.base, -1, 0, on_kill, r);
	if (r->kill == NULL || grace <= 0) {
		spawn_signal(r->program, SIGKILL);
		return;
	}
	spawn_signal(r->program, SIGTERM);
	event_add(r->kill, &tv);
}

/* --- the beginning ------------------------------------------------------- */

static int
spawn(struct run *r, const struct line *line, struct err *err)
{
	const struct spawn_options o = {
	    .orders = {.argv = (const char *const *)line->argv,
		       .envp = (const char *const *)line->envp,
		       .directory = line->directory,
		       .user = line->user,
		       .mask = line->mask},
	    .input = line->input,
	    .input_fd = line->input_fd,
	    .held_fd = r->lock != NULL ? r->lock_fd : 0,
	    .on_output = on_output,
	    .on_end = on_end,
	    .on_begin = on_begin,
	    .on_short = on_short,
	    .arg = r};

	r->program = spawn_start(r->o.spawner, &o, err);
	return r->program != NULL ? 0 : -1;
}

/* Returns as lock_take(). */
static int
take_lock(struct run *r, const struct line *line, struct err *err)
{
	char *key;
	int result;

	if (line->lock == NULL || r->lock != NULL)
		return 0;
	if ((key = strdup(line->lock)) == NULL)
		return err_nomem(err);
	result = lock_take(r->o.all->store, key, &r->lock_fd, err);
	if (result == 0)
		r->lock = key;
	else
		free(key);
	return result;
}

/* Makes all that the program needs, and starts it. 1: another one has its lock. */
static int
begin(struct run *r, struct err *err)
{
	const struct run_options *o = &r->o;
	struct line line;
	int result;

	result =
	    o->declared != NULL
		? line_make(&line, o->declared, o->task, err)
		: adhoc_make(&line, o->all->store, o->task, o->kwargs, err);
	if (result == 0)
		result = take_lock(r, &line, err);
	if (result == 0)
		result = spawn(r, &line, err);
	line_done(&line);
	return result;
}

static void
run_warn_short(const struct run *r, const struct err *why)
{
	char limit[LIMITS_TEXT_MAX];

	if (!limits_warning_due(why->sys))
		return;
	limits_explain(why->sys, limit);
	flowrra_task_log(r->o.task, LOG_WARNING, "commands wait: %s: %s",
			 why->msg, limit);
}

/* Begins, or waits for what is short. A missing argument (ERR_DATA) is final, and
 * so is a store that others can change; anything else may be better the next
 * time. Returns false if that was the end. */
static bool
run_try(struct run *r)
{
	const struct timeval tv = {.tv_usec = AGAIN_US};
	struct err err = ERR_INIT;
	const int begun = begin(r, &err);

	if (begun <= 0)
		stop_waiting(r);
	if (begun == 0)
		return true;
	/* The command that has it may be another process', which tells nobody. */
	if (begun > 0 && event_add(r->again, &tv) == 0) {
		if (!r->lock_waits)
			TAILQ_INSERT_TAIL(&waiting_runs, r, waiting);
		r->lock_waits = true;
		return true;
	}
	if (limits_is_short(err.sys) && event_add(r->again, &tv) == 0) {
		run_warn_short(r, &err);
		return true;
	}
	fail(r,
	     err.code == ERR_DATA || err.code == ERR_REFUSED ||
		 err.code == ERR_CONFIG,
	     err.msg);
	return false;
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	if (run_try(r) && r->program != NULL)
		flowrra_task_begins(r->o.task);
}

struct run *
run_start(const struct run_options *o)
{
	struct run *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->again = evtimer_new(o->base, on_again, r);
		r->room = evtimer_new(o->base, on_room, r);
	}
	if (r == NULL || r->again == NULL || r->room == NULL) {
		if (r != NULL && r->again != NULL)
			event_free(r->again);
		if (r != NULL && r->room != NULL)
			event_free(r->room);
		free(r);
		o->on_end(&(struct run_outcome){.error = "out of memory"},
			  o->arg);
		return NULL;
	}
	r->o = *o;
	printed_init(&r->printed, o->task, o->declared, o->all);
	return run_try(r) ? r : NULL;
}
