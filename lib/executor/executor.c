/* SPDX-License-Identifier: MIT */
/*
 * An executor: loads the task modules and runs their handlers.
 *
 * A task comes as RUN, is collected with the others of its batch in `blocking`
 * or `asynchronous`, and is handed to the threads or to the loop for handlers;
 * their outbox sends its DONE. Messages are read by one thread at a time, a
 * worker or the calling one: what is marked as the reader's below needs no
 * lock, since the lead passes from thread to thread under the lock of the
 * workers.
 */
#include "executor/executor.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "executor/async.h"
#include "executor/handler.h"
#include "executor/outbox.h"
#include "executor/ready.h"
#include "executor/submit.h"
#include "executor/task.h"
#include "executor/task_socket.h"
#include "executor/workers.h"
#include "module/loader.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"
#include "util/timer.h"

/* A trade: ends that nobody writes at once wait this long at most. Well below
 * IPC_STARTED_AFTER_MS, as the tick also reports what has started. */
#define TICK_NS 1000000
/* Between two tries to start threads that could not be started: processes that
 * end make room. */
#define FILL_MS 250
/* The maximum of [executor] io_workers: more is not an order of flowrrad's. */
#define THREADS_MAX 1024

struct executor {
	struct ipc_channel channel; /* its reading half */
	struct event_base *base;
	struct event *readable;
	struct event *tick;
	int tick_fd; /* a timer that any thread can set without waking us */
	atomic_bool ticking;
	struct timer *fill;    /* set while threads are missing */
	struct timer *stopped; /* fired by the last thread that ends */
	struct outbox *outbox;
	struct submits *submits;
	struct task_sockets *sockets;
	struct loader *loader;
	struct workers *workers; /* NULL before INIT */
	struct async *async;	 /* NULL if there is none */
	struct task_env env;
	/* Of the thread that reads: see workers.h. */
	struct task_list blocking; /* read, not yet handed over */
	struct task_list asynchronous;
	bool stopping;
	bool failed; /* *err says why */
	struct err *err;
};

/* --- the tick ------------------------------------------------------------ */

static void
tick_set_in(const struct executor *e, long in_ns)
{
	const struct itimerspec in = {.it_value = {0, in_ns}};

	timerfd_settime(e->tick_fd, 0, &in, NULL);
}

/* Any thread: the first that asks sets it, at the cost of one system call a
 * millisecond, and not one a task. */
static void
set_tick(void *arg)
{
	struct executor *e = arg;

	if (!atomic_exchange(&e->ticking, true))
		tick_set_in(e, TICK_NS);
}

/* A handler waits for an answer that nobody may be reading. */
static void
tick_now(void *arg)
{
	struct executor *e = arg;

	atomic_store(&e->ticking, true);
	tick_set_in(e, 1);
}

static void
executor_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct executor *e = arg;
	struct workers_tick tick;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; /* it was set again meanwhile */
	atomic_store(&e->ticking, false);
	/* In this order: a worker that is about to put an end without writing
	 * it has another task, so the tick goes on. */
	tick = workers_tick(e->workers);
	if (e->async != NULL)
		tick.again = async_report(e->async) || tick.again;
	if (tick.again)
		set_tick(e);
	outbox_flush(e->outbox);
	/* This thread reads only while no worker does: two readers would tear
	 * frames apart. */
	if (tick.read)
		event_add(e->readable, NULL);
	else
		event_del(e->readable);
}

/* Hands over what was read so far: a batch for one lock hold and one wake-up.
 */
static void
executor_hand_over(struct executor *e)
{
	if (TAILQ_EMPTY(&e->blocking) && TAILQ_EMPTY(&e->asynchronous))
		return;
	if (!TAILQ_EMPTY(&e->blocking))
		workers_add(e->workers, &e->blocking);
	if (!TAILQ_EMPTY(&e->asynchronous))
		async_add(e->async, &e->asynchronous);
	set_tick(e);
}

/* --- what flowrrad says -------------------------------------------------- */

/* It has not begun: flowrrad runs it elsewhere, and does not count it. */
static void
send_returned(struct executor *e, struct flowrra_task *t)
{
	struct outbox_frame frame = {.type = IPC_RETURNED, .task = t->number};

	outbox_put(e->outbox, &frame, false);
	task_free(t);
}

/* The last first: each goes back in front of the ones before it. */
static void
return_all(struct executor *e)
{
	struct task_list list = TAILQ_HEAD_INITIALIZER(list);
	struct flowrra_task *t;

	executor_hand_over(e);
	workers_recall(e->workers, &list);
	if (e->async != NULL)
		async_recall(e->async, &list);
	while ((t = TAILQ_LAST(&list, task_list)) != NULL) {
		TAILQ_REMOVE(&list, t, entry);
		send_returned(e, t);
	}
}

/* -1 ends the executor: that is for a broken channel and for lack of memory.
 * What is wrong with one task fails that task. */
static int
executor_on_run(struct executor *e, const struct ipc_message *m)
{
	const struct loader_task *type;
	struct ipc_run_parts parts;
	struct flowrra_task *t;

	if (ipc_run_parts(m, &parts, e->err) != 0)
		return -1;
	if ((type = loader_find(e->loader, parts.name)) == NULL) {
		task_send_refusal(
		    e->outbox, m->task,
		    "no module of this executor provides the task");
		return 0;
	}
	if (type->type.start != NULL && e->async == NULL) {
		task_send_refusal(e->outbox, m->task,
				  "the task is asynchronous, and this executor "
				  "has no event loop for it");
		return 0;
	}
	if ((t = task_new(m, &parts, type, &e->env)) == NULL)
		return err_nomem(e->err);
	/* It was under way when STOP was read, or is flowrrad's mistake: in
	 * neither case is it lost. */
	if (e->stopping)
		send_returned(e, t);
	else if (type->type.start != NULL)
		TAILQ_INSERT_TAIL(&e->asynchronous, t, entry);
	else
		TAILQ_INSERT_TAIL(&e->blocking, t, entry);
	return 0;
}

/* What is not here has ended meanwhile, and its DONE is under way. */
static int
executor_on_cancel(struct executor *e, const struct ipc_message *m)
{
	struct flowrra_task *t = NULL;

	/* It may be in the batch that is being read. */
	executor_hand_over(e);
	if (!workers_cancel(e->workers, m->task, &t) && e->async != NULL)
		async_cancel(e->async, m->task, &t);
	if (t != NULL)
		send_returned(e, t);
	return 0;
}

/* What is not here has ended meanwhile. */
static int
executor_on_signal(struct executor *e, const struct ipc_message *m)
{
	const struct ipc_signal *s = m->fixed;

	/* It may be in the batch that is being read. */
	executor_hand_over(e);
	if (!workers_signal(e->workers, m->task, s->signal) && e->async != NULL)
		async_signal(e->async, m->task, s->signal);
	return 0;
}

/* flowrrad takes back what has not begun; RECALLED says that all of it was
 * sent. */
static int
executor_on_recall(struct executor *e, const struct ipc_message *m)
{
	struct outbox_frame frame = {.type = IPC_RECALLED, .task = m->task};

	return_all(e);
	outbox_put(e->outbox, &frame, true);
	return 0;
}

/* At once, by the reader: a busy loop answers later, and then the next PONG
 * says how far behind it is. */
static int
executor_on_ping(struct executor *e, const struct ipc_message *m)
{
	struct ipc_pong pong = {.missed = 0};
	struct outbox_frame frame = {.type = IPC_PONG, .fixed = &pong};

	if (e->async != NULL)
		pong.missed = async_ping(e->async, &frame.task);
	outbox_put(e->outbox, &frame, true);
	return 0;
}

static int
executor_on_submitted(struct executor *e, const struct ipc_message *m)
{
	submits_answer(e->submits, m);
	return 0;
}

/* The threads end when what they run has ended, however long that takes: to
 * kill an executor that is too slow is flowrrad's business. */
static int
executor_on_stop(struct executor *e, const struct ipc_message *m)
{
	if (e->stopping)
		return 0;
	e->stopping = true;
	return_all(e);
	workers_stop(e->workers);
	if (e->async != NULL)
		async_stop(e->async);
	return 0;
}

/* Fired by each of the two that end; the second one finds both stopped. */
static void
executor_on_stopped(void *arg)
{
	struct executor *e = arg;

	if (workers_stopped(e->workers) &&
	    (e->async == NULL || async_stopped(e->async)))
		event_base_loopbreak(e->base);
}

/* In the last worker thread, or in the loop's. */
static void
tell_stopped(void *arg)
{
	struct executor *e = arg;

	timer_fire(e->stopped);
}

/* With fewer threads, tasks wait longer; what waits for too long is called back
 * and runs elsewhere. */
static void
executor_on_fill(void *arg)
{
	struct executor *e = arg;
	char limit[LIMITS_TEXT_MAX];
	struct err err;

	if (workers_fill(e->workers, &err) == 0)
		return;
	timer_set_ms(e->fill, FILL_MS);
	if (!limits_warning_due(err.sys))
		return;
	limits_explain(err.sys, limit);
	log_warning("tasks wait for threads: %s: %s", err.msg, limit);
}

static bool read_waiting(void *arg);

static int
start_threads(struct executor *e, const struct ipc_init *init)
{
	struct workers_options wo = {.n = init->threads,
				     .read = read_waiting,
				     .tick = set_tick,
				     .on_stopped = tell_stopped,
				     .arg = e};
	struct async_options lo = {
	    .outbox = e->outbox, .on_stopped = tell_stopped, .arg = e};

	/* The loop's thread first: there can be fewer of the others, but not
	 * none. */
	if (init->asynchronous && (e->async = async_new(&lo, e->err)) == NULL)
		return -1;
	if ((e->workers = workers_new(&wo, e->err)) == NULL)
		return -1;
	executor_on_fill(e);
	return 0;
}

/* Names the module before its code runs, and waits until the message has left:
 * if the executor dies in it, flowrrad knows by which. */
static void
executor_say_loading(const char *path, void *arg)
{
	struct executor *e = arg;
	struct outbox_frame frame = {.type = IPC_LOADING,
				     .rest = slice_of(path)};

	outbox_put(e->outbox, &frame, true);
	outbox_drain(e->outbox);
}

/* Modules are loaded before a thread is started: what they set up in their init
 * functions is seen by all threads, and needs no lock. */
static int
executor_on_init(struct executor *e, const struct ipc_message *m)
{
	const struct ipc_init *init = m->fixed;
	struct outbox_frame frame = {.type = IPC_READY};
	struct buf ready = BUF_INIT;

	if (init->version != IPC_VERSION)
		return err_set(e->err, ERR_DATA,
			       "ipc: flowrrad speaks version %u, this executor "
			       "%u: they come from different installations",
			       init->version, IPC_VERSION);
	if (init->threads < 1 || init->threads > THREADS_MAX)
		return err_set(e->err, ERR_DATA,
			       "ipc: INIT asks for %u threads; 1 to %d are "
			       "possible",
			       init->threads, THREADS_MAX);
	e->env = (struct task_env){e->outbox, e->submits, e->sockets,
				   init->max_result};
	if (ready_load(e->loader, m->rest, executor_say_loading, e, &ready,
		       e->err) != 0 ||
	    start_threads(e, init) != 0) {
		buf_done(&ready);
		return -1;
	}
	frame.rest = (struct slice){ready.data, ready.len};
	outbox_put(e->outbox, &frame, true);
	buf_done(&ready);
	return 0;
}

static const struct {
	int (*take)(struct executor *e, const struct ipc_message *m);
	bool first; /* comes once, before all others */
} messages[] = {
    [IPC_INIT] = {.take = executor_on_init, .first = true},
    [IPC_RUN] = {.take = executor_on_run},
    [IPC_CANCEL] = {.take = executor_on_cancel},
    [IPC_SIGNAL] = {.take = executor_on_signal},
    [IPC_RECALL] = {.take = executor_on_recall},
    [IPC_SUBMITTED] = {.take = executor_on_submitted},
    [IPC_PING] = {.take = executor_on_ping},
    [IPC_STOP] = {.take = executor_on_stop},
};

static int
take_message(struct executor *e, const struct ipc_message *m)
{
	/* The codec lets nothing through that is not for an executor, and
	 * every one of those is in the table. */
	if (messages[m->type].first != (e->workers == NULL))
		return err_set(e->err, ERR_DATA, "ipc: %s came %s INIT",
			       ipc_name(m->type),
			       e->workers == NULL ? "before" : "after");
	return messages[m->type].take(e, m);
}

/* Takes all messages that were read. `r` is what the reading returned. Returns
 * whether a worker is to read on. */
static bool
take_all(struct executor *e, int r)
{
	struct ipc_message m;

	while (r >= 0 && (r = ipc_channel_next(&e->channel, &m, e->err)) == 1)
		r = take_message(e, &m);
	/* Also in a worker's thread: the calling one wakes up from its loop and
	 * returns the error, while handlers go on until the process ends. */
	if (r < 0) {
		e->failed = true;
		event_base_loopbreak(e->base);
		return false;
	}
	executor_hand_over(e);
	/* Refusals and what was given back. */
	outbox_flush(e->outbox);
	return !e->stopping;
}

static void
executor_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct executor *e = arg;

	take_all(e, ipc_channel_read(&e->channel, e->err));
}

/* The same, in a thread that would be idle. */
static bool
read_waiting(void *arg)
{
	struct executor *e = arg;

	return take_all(e, ipc_channel_wait(&e->channel, e->err));
}

/* --- its life ------------------------------------------------------------ */

int
executor_is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* Nothing is undone on failure: the process ends. */
static int
make_parts(struct executor *e, int fd)
{
	if (evthread_use_pthreads() != 0 ||
	    (e->base = event_base_new()) == NULL)
		return err_set(e->err, ERR_SYSTEM, "cannot make an event loop");
	if ((e->outbox = outbox_new(fd, e->base, e->err)) == NULL)
		return -1;
	e->readable = event_new(e->base, fd, EV_READ | EV_PERSIST,
				executor_on_readable, e);
	e->tick_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (e->tick_fd < 0)
		return err_sys(e->err, ERR_SYSTEM, "cannot make a timer");
	e->tick = event_new(e->base, e->tick_fd, EV_READ | EV_PERSIST,
			    executor_on_tick, e);
	e->stopped = timer_new(e->base, executor_on_stopped, e);
	e->fill = timer_new(e->base, executor_on_fill, e);
	e->submits = submits_new(e->outbox, tick_now, e);
	if (e->submits != NULL)
		e->sockets = task_sockets_new(&e->env);
	e->loader = loader_new();
	if (e->readable == NULL || e->tick == NULL || e->stopped == NULL ||
	    e->fill == NULL || e->sockets == NULL || e->loader == NULL ||
	    event_add(e->readable, NULL) != 0 || event_add(e->tick, NULL) != 0)
		return err_nomem(e->err);
	return 0;
}

/* The first message; flowrrad compares the version before it sends INIT. */
static void
say_hello(struct executor *e)
{
	struct ipc_hello hello = {IPC_VERSION, getpid()};
	struct outbox_frame frame = {.type = IPC_HELLO, .fixed = &hello};

	outbox_put(e->outbox, &frame, true);
}

/* After STOP: no thread runs any more. */
static void
executor_finish(struct executor *e)
{
	/* In this order: fini of a module may still have events on the loop,
	 * and their callbacks are code of the module. So the loop goes after
	 * fini, and before the modules are unloaded. */
	workers_free(e->workers);
	loader_fini(e->loader);
	outbox_drain(e->outbox);
	async_free(e->async);
	loader_free(e->loader);
	if (e->submits != NULL)
		submits_close(e->submits);
	task_sockets_free(e->sockets);
	submits_free(e->submits);
	event_free(e->readable);
	event_free(e->tick);
	close(e->tick_fd);
	timer_free(e->stopped);
	timer_free(e->fill);
	outbox_free(e->outbox);
	event_base_free(e->base);
	ipc_channel_done(&e->channel);
}

int
executor_run(int fd, const struct flowrra_module *own, struct err *err)
{
	/* Static: after a failure, threads use it until the process ends. */
	static struct executor executor;
	struct executor *e = &executor;

	handler_link();
	/* It may be the second one of this process, after the first has ended. */
	*e = (struct executor){.err = err};
	TAILQ_INIT(&e->blocking);
	TAILQ_INIT(&e->asynchronous);
	ipc_channel_init(&e->channel, fd, IPC_TO_EXECUTOR);
	if (make_parts(e, fd) != 0)
		return -1;
	loader_set_own(e->loader, own);
	say_hello(e);
	event_base_dispatch(e->base);
	if (e->failed)
		return -1;
	executor_finish(e);
	return 0;
}
