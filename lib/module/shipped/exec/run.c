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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>

#include "codec/capture.h"
#include "module/begin.h"
#include "module/ended.h"
#include "module/shipped/exec/adhoc.h"
#include "module/shipped/exec/captures.h"
#include "module/shipped/exec/line.h"
#include "module/shipped/exec/result.h"
#include "spawn/client.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/lines.h"
#include "util/utf8.h"

/* What of standard error an error shows. */
#define TAIL_BYTES 2048
#define TAIL_LINES 10
/* What of standard output a failed command leaves: as much as its attempt keeps
 * (codec/history.h), in fewer lines than the log takes from one executor. */
#define OUTPUT_BYTES 4096
#define OUTPUT_LINES 50
/* The part of [executor] kill_grace that a command has to end by itself; after
 * all of it, flowrrad would kill its executor. */
#define GRACE_PART 0.75

/* Between two tries to begin while memory, say, is short. */
#define AGAIN_US 250000

struct run {
	struct run_options o;
	struct spawn *program;
	enum output output;	 /* what standard output becomes */
	struct buf out;		 /* its beginning; with OUTPUT_NONE, its end */
	uint64_t n_out;		 /* bytes of it in all */
	struct capture *capture; /* NULL: nothing is kept in files */
	struct lines lines;
	struct lines_sink sink;
	struct buf tail; /* the end of standard error */
	bool cancelled;
	struct event *kill;  /* NULL unless cancelled */
	struct event *again; /* set while something is short */
};

/* --- output -------------------------------------------------------------- */

static void
on_error_line(void *arg, struct slice line)
{
	const struct run *r = arg;
	struct buf text = BUF_INIT;

	/* A NUL byte must not end the line. */
	utf8_add(&text, line.p, line.len);
	if (!text.failed)
		flowrra_task_log(r->o.task, LOG_NOTICE, "%s",
				 text.data != NULL ? text.data : "");
	buf_done(&text);
}

static void
keep_tail(struct buf *tail, const char *p, size_t len, size_t max)
{
	if (len > max) {
		p += len - max;
		len = max;
	}
	buf_add(tail, p, len);
	/* Not each time: each time moves what is left. */
	if (tail->len > 4 * max)
		buf_drain(tail, tail->len - max);
}

/* A full disk takes nothing from the command but what would be kept of it. */
static void
keep_capture(struct run *r, int fd, const char *p, size_t len)
{
	const enum capture_stream stream =
	    fd == 2 ? CAPTURE_STDERR : CAPTURE_STDOUT;
	struct err err = ERR_INIT;

	captures_wrote(len);
	if (capture_add(r->capture, stream, p, len, &err) != 0)
		flowrra_task_log(r->o.task, LOG_WARNING, "%s", err.msg);
}

/* What is too much is read all the same: the command may do more than talk. */
static void
keep_output(struct run *r, const char *p, size_t len)
{
	const size_t room = r->o.all->max_result_size - r->out.len;

	r->n_out += len;
	if (r->output == OUTPUT_NONE)
		keep_tail(&r->out, p, len, OUTPUT_BYTES);
	else
		buf_add(&r->out, p, len < room ? len : room);
}

/* Reading never stops, even when nothing is kept: a command whose pipe is full
 * would wait for ever. Lines of a command that nobody declared are not the
 * worker's log's affair. */
static void
on_output(void *arg, int fd, const char *p, size_t len)
{
	struct run *r = arg;

	if (r->capture != NULL)
		keep_capture(r, fd, p, len);
	if (fd != 2) {
		keep_output(r, p, len);
		return;
	}
	keep_tail(&r->tail, p, len, TAIL_BYTES);
	if (r->o.declared != NULL)
		lines_take(&r->lines, p, len);
}

/* Appends the last lines of standard error. */
static void
add_tail(const struct run *r, struct buf *out)
{
	const char *p = r->tail.data, *end, *begin;
	size_t lines = 0;

	if (r->tail.len == 0)
		return;
	end = p + r->tail.len;
	while (end > p && end[-1] == '\n')
		end--;
	for (begin = end; begin > p && end - begin < TAIL_BYTES; begin--)
		if (begin[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	if (begin < end)
		buf_adds(out, ": ");
	/* A NUL byte must not end the error. */
	utf8_add(out, begin, (size_t)(end - begin));
}

/* What a command that failed wrote to standard output is not a result; its end
 * says what was done until then, so it goes where standard error goes. */
static void
tell_output(struct run *r)
{
	const char *p = r->out.data, *end = p + r->out.len, *begin, *line;
	size_t lines = 0;

	if (r->out.len == 0)
		return;
	while (end > p && end[-1] == '\n')
		end--;
	for (begin = end; begin > p && end - begin < OUTPUT_BYTES; begin--)
		if (begin[-1] == '\n' && ++lines == OUTPUT_LINES)
			break;
	for (; begin < end; begin = line + 1) {
		if ((line = memchr(begin, '\n', (size_t)(end - begin))) == NULL)
			line = end;
		on_error_line(r, (struct slice){begin, (size_t)(line - begin)});
	}
}

/* --- the end ------------------------------------------------------------- */

/* on_end first, since the outcome may point into the run. */
static void
finish(struct run *r, const struct run_outcome *outcome)
{
	r->o.on_end(outcome, r->o.arg);
	if (r->kill != NULL)
		event_free(r->kill);
	if (r->again != NULL)
		event_free(r->again);
	buf_done(&r->out);
	buf_done(&r->tail);
	capture_free(r->capture);
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

/* The value, and *ret_left_out, the bytes that it lacks. NULL when memory runs
 * out. */
static json_t *
result_value(const struct run *r, int64_t *ret_left_out)
{
	const struct slice output = {r->out.data, r->out.len};
	size_t used = output.len;
	json_t *value;

	*ret_left_out = 0;
	if (r->out.failed)
		return NULL;
	if (r->output == OUTPUT_NONE)
		return json_null();
	if (r->n_out == output.len && r->output != OUTPUT_TEXT &&
	    result_is_json(output))
		return result_of(output);
	value = result_text(output, r->o.all->max_result_size, &used);
	*ret_left_out = (int64_t)(r->n_out - used);
	return value;
}

/* A promise that was broken; another try would break it, too. */
static void
fail_output(struct run *r)
{
	char error[256];

	if (r->n_out > r->out.len)
		snprintf(error, sizeof(error),
			 "it succeeded, but wrote more to standard output than "
			 "%zu bytes, the limit of a result ([executor] "
			 "max_result_size)",
			 r->o.all->max_result_size);
	else
		snprintf(
		    error, sizeof(error),
		    "it succeeded, but what it wrote to standard output is "
		    "not JSON");
	fail(r, true, error);
}

static void
succeed(struct run *r, int status)
{
	const struct slice output = {r->out.data, r->out.len};
	struct run_outcome outcome = {.success = true};
	struct buf exact = BUF_INIT;
	int64_t left_out;

	if (r->output == OUTPUT_JSON &&
	    (r->n_out > r->out.len || !result_is_json(output))) {
		fail_output(r);
		return;
	}
	if ((outcome.result = result_value(r, &left_out)) == NULL) {
		fail(r, false, "out of memory for the command's output");
		return;
	}
	flowrra_task_command_ended(r->o.task, status, left_out);
	if (r->output != OUTPUT_NONE && r->output != OUTPUT_TEXT &&
	    left_out == 0)
		result_exact(output, &exact);
	if (!exact.failed)
		outcome.exact = (struct slice){exact.data, exact.len};
	finish(r, &outcome);
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
	add_tail(r, out);
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
	tell_output(r);
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
	lines_end(&r->lines);
	lines_sink_end(&r->sink);
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
	    .on_output = on_output,
	    .on_end = on_end,
	    .on_begin = on_begin,
	    .on_short = on_short,
	    .arg = r};

	r->program = spawn_start(r->o.spawner, &o, err);
	return r->program != NULL ? 0 : -1;
}

/* Makes all that the program needs, and starts it. */
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

	if (begin(r, &err) == 0)
		return true;
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

/* Without memory for that, a command runs without. */
static void
begin_capture(struct run *r)
{
	const struct declarations *all = r->o.all;
	const struct capture_options o = {.directory = all->captures,
					  .id = flowrra_task_id(r->o.task),
					  .attempt =
					      flowrra_task_attempt(r->o.task),
					  .max = all->capture_max};

	if (all->captures == NULL)
		return;
	captures_sweep(all);
	r->capture = capture_new(&o);
}

struct run *
run_start(const struct run_options *o)
{
	struct run *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->again = evtimer_new(o->base, on_again, r);
	if (r == NULL || r->again == NULL) {
		free(r);
		o->on_end(&(struct run_outcome){.error = "out of memory"},
			  o->arg);
		return NULL;
	}
	r->o = *o;
	r->output = o->declared != NULL ? o->declared->output : OUTPUT_NONE;
	begin_capture(r);
	r->sink = (struct lines_sink){.on_line = on_error_line, .arg = r};
	r->lines.sink = &r->sink;
	return run_try(r) ? r : NULL;
}
