/* SPDX-License-Identifier: MIT */
/*
 * flowrra-beat: the scheduler daemon. This file wires configuration, signals
 * and systemd (util/daemon.h) to the scheduler (lib/beat), which does the work.
 * It is where a scheduled task begins: its fire becomes a task in a queue, which
 * a worker (flowrrad) then claims like any other.
 */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "beat/beat.h"
#include "metrics/endpoint.h"
#include "schedules/schedules.h"
#include "store/store.h"
#include "util/conf.h"
#include "util/daemon.h"
#include "util/err.h"
#include "util/findings.h"
#include "util/log.h"

/* A name of 100 bytes (Linux has 64), a colon and a number. */
#define ID_SIZE 128

struct scheduler {
	struct daemon *daemon;
	char id[ID_SIZE];
	struct beat *beat;
	struct metrics_endpoint *metrics; /* NULL: not served */
};

static const char usage[] =
    "Puts the tasks of schedules into their queues when they are due. Any "
    "number of\n"
    "them may run on one database.\n";

static const char notes[] =
    "Signals: TERM and INT stop it; HUP reads configuration and time zones\n"
    "again. See flowrra-beat(8) and flowrra.conf(5).\n";

/* A scheduler that is disabled is ready all the same: it can be enabled by a
 * reload. */
static void
on_ready(void *arg)
{
	const struct scheduler *s = arg;

	log_notice("scheduler %s is ready%s", s->id,
		   daemon_conf(s->daemon)->scheduler.enabled
		       ? ""
		       : ", but [scheduler] enabled = no: it enqueues nothing");
	daemon_ready(s->daemon);
}

static void
on_stopped(const struct err *why, void *arg)
{
	const struct scheduler *s = arg;

	daemon_ended(s->daemon, why);
}

/* Stable as long as the process: another one on this machine is another
 * scheduler, and a dead one is removed from the list in time. */
static void
make_id(struct scheduler *s)
{
	struct utsname host;

	uname(&host);
	snprintf(s->id, sizeof(s->id), "%.100s:%ld", host.nodename,
		 (long)getpid());
}

/* A schedule that is made on another machine would be in a file there. */
static void
warn_of_file(const struct conf *conf)
{
	if (schedules_in_file(conf->scheduler.database_url) &&
	    stores_queues_are_elsewhere(conf))
		log_warning("the broker is on another machine, but the "
			    "schedules are in a file of this one; if schedules "
			    "are also made, or schedulers run, on other "
			    "machines, set [scheduler] database_url to a "
			    "database that all of them use");
}

static void
write_metrics(struct metrics_text *m, void *arg)
{
	const struct scheduler *s = arg;

	beat_write_metrics(s->beat, m);
}

/* A scheduler whose port is taken works all the same; a monitor finds it
 * missing. */
static void
open_metrics(struct scheduler *s, const struct conf *conf)
{
	const struct metrics_endpoint_options options = {
	    .base = daemon_base(s->daemon),
	    .key = "[metrics] beat_listen",
	    .listen = conf->metrics.beat_listen,
	    .write = write_metrics,
	    .arg = s};
	struct err err;

	if (options.listen[0] == '\0')
		return;
	if ((s->metrics = metrics_endpoint_new(&options, &err)) == NULL)
		log_warning("metrics are not served: %s", err.msg);
}

/* Nothing need be in reach: the scheduler retries, and systemd is told when
 * it is ready. */
static int
start(struct daemon *d, void *arg, struct err *err)
{
	struct scheduler *s = arg;
	const struct beat_options options = {.base = daemon_base(d),
					     .conf = daemon_conf(d),
					     .id = s->id,
					     .on_ready = on_ready,
					     .on_stopped = on_stopped,
					     .arg = s};

	s->daemon = d;
	make_id(s);
	if (conf_check_store(options.conf, CONF_STORE_SCHEDULES, err) != 0)
		return -1;
	warn_of_file(options.conf);
	s->beat = beat_new(&options, err);
	if (s->beat == NULL)
		return -1;
	open_metrics(s, options.conf);
	return 0;
}

/* Always works: what is wrong with the configuration was found before. */
static int
reload(void *arg, const struct conf *next, struct err *err)
{
	const struct scheduler *s = arg;

	beat_reload(s->beat, next);
	return 1;
}

static int64_t
stop(void *arg)
{
	const struct scheduler *s = arg;

	beat_stop(s->beat);
	return 0; /* what is under way takes no longer than any margin */
}

static void
status(const void *arg, char *text, size_t size)
{
	const struct scheduler *s = arg;

	beat_status(s->beat, text, size);
}

static void
finish(void *arg)
{
	const struct scheduler *s = arg;

	metrics_endpoint_free(s->metrics);
	beat_free(s->beat);
}

static int
beat_check(const struct conf *conf, struct err *err)
{
	return stores_check(conf, err) == 0 &&
		       metrics_endpoint_check("[metrics] beat_listen",
					      conf->metrics.beat_listen,
					      err) == 0
		   ? schedules_check_url(conf->scheduler.database_url, err)
		   : -1;
}

/* The same, and all of it. */
static void
beat_examine(const struct conf *conf, struct findings *findings)
{
	struct err err;

	stores_examine(conf, findings);
	if (metrics_endpoint_check("[metrics] beat_listen",
				   conf->metrics.beat_listen, &err) != 0) {
		conf_prefix_place(conf, "metrics", "beat_listen", &err);
		findings_add(findings, &err);
	}
	if (schedules_check_url(conf->scheduler.database_url, &err) != 0) {
		conf_prefix_place(conf, "scheduler", "database_url", &err);
		findings_add(findings, &err);
	}
}

static int
print_schema(const struct conf *conf, struct err *err)
{
	return schedules_print_schema(conf->scheduler.database_url, stdout,
				      err);
}

int
main(int argc, char **argv)
{
	static const struct daemon_program program = {
	    .name = "flowrra-beat",
	    .usage = usage,
	    .notes = notes,
	    .precise_timers = true,
	    .check = beat_check,
	    .examine = beat_examine,
	    .print_option = "print-schema",
	    .print_help = "print the SQL that makes the tables, and end",
	    .print = print_schema,
	    .stores = beat_store_names,
	    .start = start,
	    .reload = reload,
	    .stop = stop,
	    .status = status,
	    .finish = finish};
	struct scheduler s = {.beat = NULL};

	return daemon_run(&program, &s, argc, argv);
}
