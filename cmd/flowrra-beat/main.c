/* SPDX-License-Identifier: MIT */
/*
 * flowrra-beat: the scheduler daemon. This file wires configuration, signals
 * and systemd to the scheduler, which does the work.
 */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "beat/beat.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/proc.h"

#define SETTINGS_MAX 64
#define STATUS_S 5
#define ID_SIZE 128

struct daemon {
	const char *config;
	const char *settings[SETTINGS_MAX + 1];
	size_t n_settings;
	struct conf *conf;
	char id[ID_SIZE];
	struct event_base *base;
	struct beat *beat;
	struct event *term, *interrupt, *hangup, *status, *watchdog;
	int exit_status;
};

static const char usage[] =
    "usage: flowrra-beat [-c FILE] [-o SECTION.KEY=VALUE]...\n"
    "\n"
    "Puts the tasks of schedules into their queues when they are due. Any "
    "number of\n"
    "them may run on one database.\n"
    "\n"
    "  -c, --config FILE      read this configuration file\n"
    "  -o SECTION.KEY=VALUE   set a key, before all other sources\n"
    "      --dump-config      print the configuration in force, and end\n"
    "  -h, --help             print this help, and end\n"
    "  -V, --version          print the version, and end\n"
    "\n"
    "Signals: TERM and INT stop it; HUP reads configuration and time zones\n"
    "anew. See flowrra-beat(8) and flowrra.conf(5).\n";

/* --- reloading --------------------------------------------------------- */

/* Only the log's level can change; the rest is named. */
static void
reload(struct daemon *d)
{
	struct conf *next = NULL;
	struct err err;
	char *frozen;

	if (conf_load(d->config, d->settings, &next, &err) != 0) {
		log_error("reload failed, all stays as it was: %s", err.msg);
	} else {
		log_set_level(next->worker.log_level);
		frozen = conf_frozen_changes(d->conf, next);
		if (frozen != NULL)
			log_warning("a change of these needs a restart: %s",
				    frozen);
		free(frozen);
		conf_free(next);
		beat_reload(d->beat);
		log_notice("reloaded");
	}
	sd_notify(0, "READY=1");
}

static void
on_hangup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)clock_mono_us());
	reload(arg);
}

/* --- starting and stopping --------------------------------------------- */

static void
on_stop_signal(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_notice("stopping");
	sd_notify(0, "STOPPING=1");
	beat_stop(d->beat);
}

static void
on_ready(void *arg)
{
	const struct daemon *d = arg;

	log_notice("scheduler %s is ready%s", d->id,
		   d->conf->scheduler.enabled
		       ? ""
		       : ", but [scheduler] enabled is no: nothing is put into "
			 "the queues");
	sd_notify(0, "READY=1");
}

static void
on_stopped(const struct err *why, void *arg)
{
	struct daemon *d = arg;

	if (why != NULL) {
		log_error("%s", why->msg);
		d->exit_status = err_exit_status(why->code);
	}
	event_base_loopbreak(d->base);
}

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	const struct daemon *d = arg;
	char text[200];

	(void)fd;
	(void)what;
	beat_status(d->beat, text, sizeof(text));
	sd_notifyf(0, "STATUS=%s", text);
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sd_notify(0, "WATCHDOG=1");
}

static int
add_timer(struct daemon *d, struct event **ret, event_callback_fn fn,
	  uint64_t every_us)
{
	const struct timeval tv = {.tv_sec = (time_t)(every_us / 1000000),
				   .tv_usec =
				       (suseconds_t)(every_us % 1000000)};

	*ret = event_new(d->base, -1, EV_PERSIST, fn, d);
	return *ret != NULL ? event_add(*ret, &tv) : -1;
}

static int
add_signal(struct daemon *d, struct event **ret, int sig, event_callback_fn fn)
{
	*ret = evsignal_new(d->base, sig, fn, d);
	return *ret != NULL ? event_add(*ret, NULL) : -1;
}

/* Due times are to be met closer than by the milliseconds of epoll_wait(). */
static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	return base;
}

static int
make_loop(struct daemon *d, struct err *err)
{
	uint64_t watchdog_us = 0;

	signal(SIGPIPE, SIG_IGN);
	if ((d->base = make_base()) == NULL ||
	    add_signal(d, &d->term, SIGTERM, on_stop_signal) != 0 ||
	    add_signal(d, &d->interrupt, SIGINT, on_stop_signal) != 0 ||
	    add_signal(d, &d->hangup, SIGHUP, on_hangup) != 0)
		return err_set(err, ERR_SYSTEM, "making the event loop");
	if (getenv("NOTIFY_SOCKET") != NULL &&
	    add_timer(d, &d->status, on_status, STATUS_S * 1000000) != 0)
		return err_nomem(err);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0 &&
	    add_timer(d, &d->watchdog, on_watchdog, watchdog_us / 3) != 0)
		return err_nomem(err);
	return 0;
}

static void
make_id(struct daemon *d)
{
	struct utsname host;

	uname(&host);
	snprintf(d->id, sizeof(d->id), "%.100s:%ld", host.nodename,
		 (long)getpid());
}

static int
start(struct daemon *d, struct err *err)
{
	const struct beat_options options = {.base = d->base,
					     .conf = d->conf,
					     .id = d->id,
					     .on_ready = on_ready,
					     .on_stopped = on_stopped,
					     .arg = d};

	if ((d->beat = beat_new(&options, err)) == NULL)
		return -1;
	event_base_dispatch(d->base);
	return 0;
}

static void
finish(struct daemon *d)
{
	struct event *events[] = {d->term, d->interrupt, d->hangup, d->status,
				  d->watchdog};
	size_t i;

	beat_free(d->beat);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (d->base != NULL)
		event_base_free(d->base);
	conf_free(d->conf);
	libevent_global_shutdown();
}

/* --- the command line -------------------------------------------------- */

/* Returns -1 to go on, or the exit status. */
static int
parse_arguments(struct daemon *d, int argc, char **argv, int *ret_dump)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"dump-config", no_argument, NULL, 'D'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "c:o:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			d->config = optarg;
			break;
		case 'o':
			if (d->n_settings == SETTINGS_MAX) {
				fprintf(stderr, "flowrra-beat: too many -o\n");
				return err_exit_status(ERR_USAGE);
			}
			d->settings[d->n_settings++] = optarg;
			break;
		case 'D':
			*ret_dump = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("flowrra-beat " FLOWRRA_VERSION);
			return 0;
		default:
			fputs("Try flowrra-beat --help.\n", stderr);
			return err_exit_status(ERR_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "flowrra-beat: unexpected argument \"%s\"\n",
			argv[optind]);
		return err_exit_status(ERR_USAGE);
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct daemon d = {.config = NULL};
	struct err err;
	int dump = 0, status;

	proc_hold_standard_fds();
	log_init("flowrra-beat");
	if ((status = parse_arguments(&d, argc, argv, &dump)) >= 0)
		return status;
	if (conf_load(d.config, d.settings, &d.conf, &err) != 0)
		goto fail;
	if (dump) {
		conf_dump(d.conf, stdout);
		conf_free(d.conf);
		return 0;
	}
	log_set_level(d.conf->worker.log_level);
	make_id(&d);
	if (make_loop(&d, &err) != 0 || start(&d, &err) != 0)
		goto fail;
	finish(&d);
	return d.exit_status;
fail:
	log_error("%s", err.msg);
	finish(&d);
	return err_exit_status(err.code);
}
