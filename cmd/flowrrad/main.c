/* SPDX-License-Identifier: MIT */
/*
 * flowrrad: the worker daemon. This file wires configuration, signals and
 * systemd (util/daemon.h) to the dispatcher, which does the work.
 */
#include <stddef.h>
#include <stdlib.h>

#include "check.h"
#include "dispatch/dispatch.h"
#include "files.h"
#include "identity.h"
#include "leftovers.h"
#include "metrics/endpoint.h"
#include "modules.h"
#include "store/store.h"
#include "trace/exporter.h"
#include "util/conf.h"
#include "util/daemon.h"
#include "util/err.h"
#include "util/log.h"
#include "util/proc.h"

/* What the callbacks of daemon and dispatcher share. All members are set by
 * start(), in the order in which they stand here, and dropped by finish(), also
 * after a start that failed half-way. */
struct worker {
	struct daemon *daemon;
	struct identity who;
	char **queues;
	char *executor;
	struct dispatch *dispatch;
	struct metrics_endpoint *metrics; /* NULL: not served */
	/* the first signal has come: the second ends it at once */
	bool stopping;
};

static const char usage[] =
    "Takes tasks from the broker's queues, has executors run them, and stores\n"
    "their results.\n";

static const char notes[] =
    "--check also loads all modules, without calling their init().\n"
    "\n"
    "Signals: TERM and INT stop it when what runs has finished, a second one "
    "at\n"
    "once; HUP loads configuration and modules again. See flowrrad(8) and\n"
    "flowrra.conf(5).\n";

/* Executors are up and the broker has been reached: only now does systemd start
 * what is ordered after the service. */
static void
on_ready(void *arg)
{
	const struct worker *w = arg;

	log_notice("worker %s is ready", w->who.id);
	daemon_ready(w->daemon);
}

static void
on_reloaded(const struct err *why, void *arg)
{
	const struct worker *w = arg;

	daemon_reloaded(w->daemon, why);
}

static void
on_stopped(const struct err *why, void *arg)
{
	const struct worker *w = arg;

	daemon_ended(w->daemon, why);
}

/* An operator's orders (flowrractl worker stop, reload) take the way of the
 * signals, so that both mean the same. */
static void
on_stop_command(void *arg)
{
	const struct worker *w = arg;

	daemon_stop(w->daemon);
}

static void
on_reload_command(void *arg)
{
	const struct worker *w = arg;

	daemon_reload(w->daemon);
}

static void
on_leaving(bool leaving, void *arg)
{
	const struct worker *w = arg;

	identity_leave(&w->who, leaving);
}

/* The modules are read before anything is opened: a wrong configuration ends
 * the program before it has claimed a task. They are read again at each reload,
 * and not kept. */
static int
open_dispatch(struct worker *w, struct dispatch_options *options,
	      struct err *err)
{
	struct modules modules;

	if (modules_read(options->conf, &modules, err) == 0) {
		options->modules = modules_loadable(&modules);
		w->dispatch = dispatch_new(options, err);
	}
	modules_done(&modules);
	return w->dispatch != NULL ? 0 : -1;
}

static void
write_metrics(struct metrics_text *m, void *arg)
{
	const struct worker *w = arg;

	dispatch_write_metrics(w->dispatch, m);
}

/* A worker whose port another one has works all the same; a monitor finds it
 * missing. */
static void
open_metrics(struct worker *w, const struct conf *conf)
{
	const struct metrics_endpoint_options options = {
	    .base = daemon_base(w->daemon),
	    .key = "[metrics] listen",
	    .listen = conf->metrics.listen,
	    .write = write_metrics,
	    .arg = w};
	struct err err;

	if (options.listen[0] == '\0')
		return;
	if ((w->metrics = metrics_endpoint_new(&options, &err)) == NULL)
		log_warning("metrics are not served: %s", err.msg);
}

static int
start(struct daemon *d, void *arg, struct err *err)
{
	struct worker *w = arg;
	const struct conf *conf = daemon_conf(d);
	struct dispatch_options options = {.base = daemon_base(d),
					   .conf = conf,
					   .on_ready = on_ready,
					   .on_reloaded = on_reloaded,
					   .on_stop_command = on_stop_command,
					   .on_reload_command =
					       on_reload_command,
					   .on_leaving = on_leaving,
					   .on_stopped = on_stopped,
					   .arg = w};

	w->daemon = d;
	/* The lock before all else: a second worker with this ID must not get
	 * as far as the broker. */
	if (identity_take(conf, &w->who, err) != 0)
		return -1;
	log_set_worker(w->who.id);
	leftovers_adopt(&w->who);
	options.worker = w->who.id;
	options.token = w->who.token;
	options.predecessor = w->who.predecessor;
	options.spool = w->who.spool;
	if ((w->queues = conf_list(conf->worker.queues)) == NULL)
		return err_nomem(err);
	options.queues = (const char *const *)w->queues;
	w->executor = proc_beside("../libexec/flowrra/flowrra-executor", err);
	if ((options.executor = w->executor) == NULL)
		return -1;
	if (open_dispatch(w, &options, err) != 0)
		return -1;
	open_metrics(w, conf);
	return 0;
}

/* -1 with *err leaves the worker as it was: nothing of the old configuration is
 * given up before the new one has been read as a whole. */
static int
reload(void *arg, const struct conf *next, struct err *err)
{
	struct worker *w = arg;
	struct pool_modules loadable;
	struct modules modules;
	int status = -1;

	if (modules_read(next, &modules, err) == 0) {
		loadable = modules_loadable(&modules);
		status = dispatch_reload(w->dispatch, next, &loadable, err);
	}
	modules_done(&modules);
	return status;
}

static void
reloaded(void *arg, const struct err *why)
{
	const struct worker *w = arg;

	dispatch_note_reload(w->dispatch, why);
}

/* Returns how many microseconds the daemon waits for the end. The first call
 * lets what runs finish; the second, a person who does not want to wait, gives
 * it no time. */
static int64_t
stop(void *arg)
{
	struct worker *w = arg;
	const bool again = w->stopping;

	w->stopping = true;
	dispatch_stop(w->dispatch);
	return again ? 0 : daemon_conf(w->daemon)->worker.stop_timeout;
}

static void
status(const void *arg, char *text, size_t size)
{
	const struct worker *w = arg;

	dispatch_status(w->dispatch, text, size);
}

/* The lock is dropped last: as long as the dispatcher has connections, no other
 * process may use the ID. */
static void
finish(void *arg)
{
	struct worker *w = arg;

	metrics_endpoint_free(w->metrics);
	dispatch_free(w->dispatch);
	conf_list_free(w->queues);
	free(w->executor);
	log_set_worker(NULL);
	identity_drop(&w->who);
}

/* The files first: without them, looking at users and modules may fail. */
static int
check(const struct conf *conf, struct err *err)
{
	return stores_check(conf, err) == 0 && files_check(conf, err) == 0 &&
		       metrics_endpoint_check("[metrics] listen",
					      conf->metrics.listen, err) == 0 &&
		       (conf->trace.export[0] == '\0' ||
			exporter_check(conf->trace.export, err) == 0)
		   ? modules_check(conf, err)
		   : -1;
}

int
main(int argc, char **argv)
{
	static const struct daemon_program program = {.name = "flowrrad",
						      .usage = usage,
						      .notes = notes,
						      .personal = true,
						      .children_dump = true,
						      .check = check,
						      .examine = check_examine,
						      .stores = stores_names,
						      .start = start,
						      .reload = reload,
						      .reloaded = reloaded,
						      .stop = stop,
						      .status = status,
						      .finish = finish};
	struct worker w = {.who = {.lock_fd = -1}};

	return daemon_run(&program, &w, argc, argv);
}
