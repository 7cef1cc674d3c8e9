/* SPDX-License-Identifier: MIT */
/*
 * An executor in a thread of this process, and flowrrad's side of its channel.
 *
 * The executor is the real one, socket and all, so that what is tried here is
 * what a worker runs. The caller's thread sends RUN and takes what comes until
 * DONE; it never runs a handler.
 */
#include "executor/solo.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/task.h"
#include "executor/executor.h"
#include "module/loader.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/err.h"
#include "util/uuid.h"

/* The only task at a time has always this number. */
#define NUMBER 1

struct solo {
	struct ipc_channel channel;
	pthread_t thread;
	const struct flowrra_module *own;
	int executor_fd;
	/* Of the thread, for after its end. */
	int result;
	struct err err;
	json_t *ready;
	bool stuck; /* a handler has not ended */
};

/* What goes on while a task runs. */
struct solo_run {
	struct solo *solo;
	const struct solo_task *task;
	struct solo_end *end;
	int64_t cancel_us; /* when to; INT64_MAX: never, or done */
	int64_t give_up_us;
	bool started; /* STARTED has come */
	bool cancelled;
	bool ended;
};

static void *
solo_main(void *arg)
{
	struct solo *s = arg;

	s->result = executor_run(s->executor_fd, s->own, &s->err);
	/* The other side hears of it, and nothing is closed that a thread of
	 * the executor may still use. */
	if (s->result != 0)
		shutdown(s->executor_fd, SHUT_RDWR);
	return NULL;
}

/* --- the channel --------------------------------------------------------- */

static int
solo_wait(const struct solo *s, short events, int64_t until_us)
{
	struct pollfd p = {.fd = s->channel.fd, .events = events};
	int64_t left_ms = until_us == INT64_MAX
			      ? -1
			      : (until_us - clock_mono_us() + 999) / 1000;

	if (until_us != INT64_MAX && left_ms < 0)
		left_ms = 0;
	return poll(&p, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
}

static int
solo_flush(struct solo *s, struct err *err)
{
	int r;

	while ((r = ipc_channel_flush(&s->channel, err)) == 0)
		solo_wait(s, POLLOUT, INT64_MAX);
	return r == 1 ? 0 : -1;
}

/* Returns 1 with the next message, 0 at `until_us`, or -1. */
static int
solo_next(struct solo *s, int64_t until_us, struct ipc_message *ret,
	  struct err *err)
{
	int r;

	while ((r = ipc_channel_next(&s->channel, ret, err)) == 0) {
		/* What is past still gives what has come already. */
		if (solo_wait(s, POLLIN, until_us) == 0)
			return 0;
		if (ipc_channel_read(&s->channel, err) < 0)
			return -1;
	}
	return r;
}

/* Why the channel has ended is known to the executor. */
static int
solo_gone(struct solo *s, struct err *err)
{
	if (err->code == ERR_UNAVAILABLE && s->result != 0)
		*err = s->err;
	return -1;
}

/* --- opening ------------------------------------------------------------- */

static int
solo_send_init(struct solo *s, const struct solo_options *o, struct err *err)
{
	const struct ipc_init init = {.version = IPC_VERSION,
				      .threads = 1,
				      .asynchronous = 1,
				      .max_result = o->max_result};
	json_t *j = json_pack("{s[s], sO*}", "modules",
			      o->own != NULL ? LOADER_OWN : o->path, "config",
			      (json_t *)o->config);
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	struct slice rest;

	json_decref(j);
	if (text == NULL)
		return err_set(err, ERR_DATA,
			       "the path or the configuration of the module is "
			       "not UTF-8");
	rest = slice_of(text);
	ipc_put(&s->channel.out, IPC_INIT, 0, &init, &rest, 1);
	free(text);
	return solo_flush(s, err);
}

static int
solo_take_ready(struct solo *s, struct slice json, struct err *err)
{
	const json_t *refused;

	s->ready = json_loadb(json.p, json.len, 0, NULL);
	refused = json_array_get(json_object_get(s->ready, "refused"), 0);
	if (s->ready == NULL)
		return err_nomem(err);
	if (refused == NULL)
		return 0;
	return err_set(err, ERR_CONFIG, "%s",
		       json_string_value(json_object_get(refused, "error")));
}

/* HELLO and LOADING say nothing that is of use here. */
static int
solo_await_ready(struct solo *s, struct err *err)
{
	struct ipc_message m;

	do
		if (solo_next(s, INT64_MAX, &m, err) < 0)
			return solo_gone(s, err);
	while (m.type != IPC_READY);
	return solo_take_ready(s, m.rest, err);
}

static int
solo_start(struct solo *s, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a socket pair");
	ipc_channel_init(&s->channel, pair[0], IPC_TO_DAEMON);
	s->executor_fd = pair[1];
	errno = pthread_create(&s->thread, NULL, solo_main, s);
	if (errno == 0)
		return 0;
	err_sys(err, ERR_SYSTEM, "cannot start a thread");
	close(pair[1]);
	ipc_channel_done(&s->channel);
	return -1;
}

struct solo *
solo_open(const struct solo_options *o, struct err *err)
{
	struct solo *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->own = o->own;
	if (solo_start(s, err) != 0) {
		free(s);
		return NULL;
	}
	if (solo_send_init(s, o, err) != 0 || solo_await_ready(s, err) != 0) {
		solo_close(s);
		return NULL;
	}
	return s;
}

void
solo_close(struct solo *s)
{
	struct err err;

	/* Its memory is the executor's as long as that runs: for good, then. */
	if (s == NULL || s->stuck)
		return;
	ipc_put(&s->channel.out, IPC_STOP, 0, NULL, NULL, 0);
	solo_flush(s, &err);
	pthread_join(s->thread, NULL);
	ipc_channel_done(&s->channel);
	json_decref(s->ready);
	free(s);
}

const json_t *
solo_tasks(const struct solo *s)
{
	return json_object_get(s->ready, "tasks");
}

/* --- a task -------------------------------------------------------------- */

static const json_t *
solo_find(const struct solo *s, const char *name)
{
	const json_t *task;
	size_t i;

	json_array_foreach (solo_tasks(s), i, task)
		if (strcmp(json_string_value(json_object_get(task, "name")),
			   name) == 0)
			return task;
	return NULL;
}

static double
solo_number(const json_t *type, const char *key, double otherwise)
{
	const json_t *n = json_object_get(type, key);

	return json_is_number(n) ? json_number_value(n) : otherwise;
}

static int64_t
solo_us(const json_t *type, const char *key)
{
	const double seconds = solo_number(type, key, TASK_UNSET);

	return seconds < 0 ? TASK_UNSET : (int64_t)(seconds * 1e6 + 0.5);
}

/* A worker without a configuration has the defaults. */
static void
solo_standard(struct conf *conf, const char *name)
{
	struct err err;
	const struct conf_key *key = conf_key_find("executor", name, &err);

	if (key != NULL)
		conf_key_set(key, conf, key->standard, &err);
}

/* What the module says of the task, and what a worker adds. */
static void
solo_settle(const json_t *type, struct task *ret)
{
	const struct task_settings unset = TASK_SETTINGS_UNSET;
	struct conf conf = {.standard = false};

	*ret = (struct task){
	    .max_retries =
		(int64_t)solo_number(type, "max_retries", TASK_UNSET),
	    .retry = {.delay_us = solo_us(type, "retry_delay"),
		      .backoff = solo_number(type, "retry_backoff", TASK_UNSET),
		      .delay_max_us = solo_us(type, "retry_delay_max"),
		      .jitter = solo_number(type, "retry_jitter", TASK_UNSET)},
	    .timeout_us = solo_us(type, "timeout")};
	solo_standard(&conf, "max_retries");
	solo_standard(&conf, "retry_delay");
	task_resolve(ret, &unset, &conf.executor);
	task_set_standards(ret);
}

/* What a worker would do after a failure; of the part of the delay that is left
 * to chance, all. */
static int64_t
solo_retry_us(const struct task *settled, const struct solo_run *run)
{
	const struct solo_end *end = run->end;
	const uint32_t attempt = run->task->attempt;

	if (run->cancelled || end->done.outcome == IPC_SUCCESS ||
	    end->done.outcome == IPC_FAILED_FINAL ||
	    attempt > settled->max_retries)
		return -1;
	return retry_delay_us(&settled->retry, attempt, 1);
}

static void
solo_put_run(const struct solo_run *run, const struct task *settled)
{
	const struct solo_task *t = run->task;
	char id[UUID_TEXT_SIZE] = "";
	struct slice parts[] = {slice_of(t->id != NULL ? t->id : id),
				slice_of(t->name),
				slice_of(t->args != NULL ? t->args : "[]"),
				slice_of(t->kwargs != NULL ? t->kwargs : "{}")};
	struct ipc_run fixed = {.timeout_us = t->timeout_us,
				.attempt = t->attempt,
				.max_attempts = run->end->max_attempts,
				.name_len = (uint32_t)parts[1].len,
				.args_len = (uint32_t)parts[2].len,
				.kwargs_len = (uint32_t)parts[3].len};

	if (t->id == NULL) {
		uuid_make(id);
		parts[0] = slice_of(id);
	}
	fixed.id_len = (uint32_t)parts[0].len;
	if (t->timeout_us < 0)
		fixed.timeout_us = settled->timeout_us;
	ipc_put(&run->solo->channel.out, IPC_RUN, NUMBER, &fixed, parts, 4);
}

static void
solo_on_submit(struct solo_run *run, const struct ipc_message *m)
{
	const struct ipc_submit *submit = m->fixed;
	const struct solo_hooks *hooks = &run->task->hooks;
	struct ipc_submitted fixed = {.request = submit->request};
	struct buf answer = BUF_INIT;
	struct slice rest;

	if (hooks->on_submit != NULL)
		fixed.code = hooks->on_submit(m->rest, &answer, hooks->arg);
	rest = (struct slice){answer.data, answer.len};
	ipc_put(&run->solo->channel.out, IPC_SUBMITTED, 0, &fixed, &rest, 1);
	buf_done(&answer);
}

/* There is no other task here, but what the caller says. */
static void
solo_on_await(struct solo_run *run, const struct ipc_message *m)
{
	const struct ipc_await *await = m->fixed;
	const struct solo_hooks *hooks = &run->task->hooks;
	struct ipc_submitted fixed = {.request = await->request,
				      .code = ERR_NOT_FOUND};
	struct buf answer = BUF_INIT;
	struct slice rest;

	if (hooks->on_await != NULL)
		fixed.code = hooks->on_await(m->rest, &answer, hooks->arg);
	if (answer.len == 0)
		buf_adds(&answer, "the task has no record");
	rest = (struct slice){answer.data, answer.len};
	ipc_put(&run->solo->channel.out, IPC_SUBMITTED, 0, &fixed, &rest, 1);
	buf_done(&answer);
}

static int
solo_on_done(struct solo_run *run, const struct ipc_message *m, struct err *err)
{
	run->ended = true;
	memcpy(&run->end->done, m->fixed, sizeof(run->end->done));
	run->end->text = strndup(m->rest.len > 0 ? m->rest.p : "", m->rest.len);
	return run->end->text != NULL ? 0 : err_nomem(err);
}

static int
solo_take(struct solo_run *run, const struct ipc_message *m, struct err *err)
{
	const struct solo_hooks *hooks = &run->task->hooks;

	switch (m->type) {
	case IPC_STARTED:
		run->started = true;
		break;
	case IPC_LOG:
		if (hooks->on_log != NULL)
			hooks->on_log(((const struct ipc_log *)m->fixed)->level,
				      m->rest, hooks->arg);
		break;
	case IPC_PROGRESS:
		if (hooks->on_progress != NULL)
			hooks->on_progress(m->rest, hooks->arg);
		break;
	case IPC_SUBMIT:
		solo_on_submit(run, m);
		return solo_flush(run->solo, err);
	case IPC_AWAIT:
		solo_on_await(run, m);
		return solo_flush(run->solo, err);
	case IPC_DONE:
		return solo_on_done(run, m, err);
	case IPC_RETURNED:
		return err_set(err, ERR_UNAVAILABLE,
			       "the handler has not begun its work, since "
			       "something is short");
	default:
		break;
	}
	return 0;
}

/* Up to the next moment at which something is to be done. */
static int64_t
solo_until(const struct solo_run *run)
{
	if (run->started && run->cancel_us < run->give_up_us)
		return run->cancel_us;
	return run->give_up_us;
}

static int
solo_on_late(struct solo_run *run, struct err *err)
{
	const int64_t now = clock_mono_us();

	if (run->started && now >= run->cancel_us) {
		run->cancel_us = INT64_MAX;
		run->cancelled = true;
		ipc_put(&run->solo->channel.out, IPC_CANCEL, NUMBER, NULL, NULL,
			0);
		return solo_flush(run->solo, err);
	}
	if (now < run->give_up_us)
		return 0;
	run->solo->stuck = true;
	return err_set(err, ERR_TIMEOUT, "the handler of %s has not ended",
		       run->task->name);
}

static int
solo_go(struct solo_run *run, struct err *err)
{
	struct ipc_message m;
	int r;

	while (!run->ended) {
		r = solo_next(run->solo, solo_until(run), &m, err);
		if (r == 0)
			r = solo_on_late(run, err);
		else if (r == 1)
			r = solo_take(run, &m, err);
		if (r < 0)
			return solo_gone(run->solo, err);
	}
	return 0;
}

static int
solo_check_json(const char *json, bool object, const char *what,
		struct err *err)
{
	json_error_t why;
	json_t *j;
	bool fits;

	if (json == NULL)
		return 0;
	j = json_loads(json, JSON_REJECT_DUPLICATES, &why);
	if (j == NULL)
		return err_set(err, ERR_DATA, "%s: not JSON: %s", what,
			       why.text);
	fits = object ? json_is_object(j) : json_is_array(j);
	json_decref(j);
	return fits ? 0
		    : err_set(err, ERR_DATA, "%s: not a JSON %s", what,
			      object ? "object" : "array");
}

int
solo_check_task(const struct solo_task *t, struct err *err)
{
	if (solo_check_json(t->args, false, "args", err) != 0)
		return -1;
	return solo_check_json(t->kwargs, true, "kwargs", err);
}

int
solo_run(struct solo *s, const struct solo_task *t, struct solo_end *ret,
	 struct err *err)
{
	const int64_t now = clock_mono_us();
	const json_t *type = solo_find(s, t->name);
	struct solo_end end = {.text = NULL};
	struct task settled;
	struct solo_run run = {
	    .solo = s,
	    .task = t,
	    .end = &end,
	    .cancel_us =
		t->cancel_after_us < 0 ? INT64_MAX : now + t->cancel_after_us,
	    .give_up_us = t->give_up_us == 0 ? INT64_MAX : now + t->give_up_us};

	if (type == NULL)
		return err_set(err, ERR_NOT_FOUND,
			       "the module has no task \"%.64s\"", t->name);
	solo_settle(type, &settled);
	end.max_attempts = 1 + (uint32_t)settled.max_retries;
	solo_put_run(&run, &settled);
	if (solo_flush(s, err) != 0 || solo_go(&run, err) != 0) {
		free(end.text);
		return -1;
	}
	end.retry_us = solo_retry_us(&settled, &run);
	*ret = end;
	return 0;
}
