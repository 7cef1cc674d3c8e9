/* SPDX-License-Identifier: MIT */
/*
 * flowrrad: the worker daemon. This file wires configuration, signals and
 * systemd to the dispatcher, which does the work.
 */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "dispatch/dispatch.h"
#include "identity.h"
#include "modules.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/proc.h"

#define SETTINGS_MAX 64
#define STATUS_S 5

struct daemon {
	const char *config;
	const char *settings[SETTINGS_MAX + 1];
	size_t n_settings;
	struct conf *conf;
	struct conf *next; /* of a reload under way */
	bool again;	   /* another one was asked for meanwhile */
	bool ready;
	struct identity who;
	struct event_base *base;
	struct dispatch *dispatch;
	struct event *term, *interrupt, *hangup, *status, *watchdog;
	int exit_status;
};

static const char usage[] =
    "usage: flowrrad [-c FILE] [-o SECTION.KEY=VALUE]...\n"
    "\n"
    "Takes tasks from the broker's queues, has executors run them, and stores\n"
    "their results.\n"
    "\n"
    "  -c, --config FILE      read this configuration file\n"
    "  -o SECTION.KEY=VALUE   set a key, before all other sources\n"
    "      --dump-config      print the configuration in force, and end\n"
    "  -h, --help             print this help, and end\n"
    "  -V, --version          print the version, and end\n"
    "\n"
    "Signals: TERM and INT stop it when what runs has finished, a second one "
    "at\n"
    "once; HUP loads configuration and modules anew. See flowrrad(8) and\n"
    "flowrra.conf(5).\n";

/* --- reloading --------------------------------------------------------- */

static void
tell_ready(const struct daemon *d)
{
	if (d->ready)
		sd_notify(0, "READY=1");
}

static void reload(struct daemon *d);

static void
on_reloaded(const struct err *why, void *arg)
{
	struct daemon *d = arg;
	const bool again = d->again;

	if (why != NULL) {
		log_error("reload failed, all stays as it was: %s", why->msg);
		conf_free(d->next);
	} else {
		log_set_level(d->next->worker.log_level);
		conf_free(d->conf);
		d->conf = d->next;
		log_notice("reloaded");
	}
	d->next = NULL;
	d->again = false;
	if (again)
		reload(d);
	else
		tell_ready(d);
}

static void
reload(struct daemon *d)
{
	struct conf *next = NULL;
	char **modules = NULL, *frozen;
	struct err err;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)clock_mono_us());
	if (conf_load(d->config, d->settings, &next, &err) != 0 ||
	    (modules = modules_resolve(next->worker.modules, &err)) == NULL ||
	    dispatch_reload(d->dispatch, next, (const char *const *)modules,
			    &err) != 0) {
		log_error("reload failed, all stays as it was: %s", err.msg);
		conf_free(next);
		tell_ready(d);
	} else {
		d->next = next;
		frozen = conf_frozen_changes(d->conf, next);
		if (frozen != NULL)
			log_warning("a change of these needs a restart: %s",
				    frozen);
		free(frozen);
	}
	conf_list_free(modules);
}

static void
on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	/* What is being loaded may be older than what is meant. */
	if (d->next != NULL)
		d->again = true;
	else
		reload(d);
}

/* --- starting and stopping --------------------------------------------- */

static void
on_stop_signal(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_notice("stopping");
	d->ready = false;
	sd_notify(0, "STOPPING=1");
	dispatch_stop(d->dispatch);
}

static void
on_ready(void *arg)
{
	struct daemon *d = arg;

	d->ready = true;
	log_notice("worker %s is ready", d->who.id);
	if (d->next == NULL)
		tell_ready(d);
}

static void
on_stopped(const struct err *why, void *arg)
{
	struct daemon *d = arg;

	if (why != NULL) {
		log_error("%s", why->msg);
		d->exit_status = err_exit_status(why->code);
	}
	/* What was sent at last leaves in this turn of the loop. */
	event_base_loopexit(d->base, &(struct timeval){.tv_usec = 20000});
}

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	const struct daemon *d = arg;
	char text[160];

	(void)fd;
	(void)what;
	dispatch_status(d->dispatch, text, sizeof(text));
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

static int
make_loop(struct daemon *d, struct err *err)
{
	uint64_t watchdog_us = 0;

	signal(SIGPIPE, SIG_IGN);
	if ((d->base = event_base_new()) == NULL ||
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

static int
start(struct daemon *d, struct err *err)
{
	char **queues = conf_list(d->conf->worker.queues);
	char **modules = modules_resolve(d->conf->worker.modules, err);
	char *executor =
	    proc_beside("../libexec/flowrra/flowrra-executor", err);
	const struct dispatch_options options = {
	    .base = d->base,
	    .conf = d->conf,
	    .worker = d->who.id,
	    .executor = executor,
	    .spool = d->who.spool,
	    .queues = (const char *const *)queues,
	    .modules = (const char *const *)modules,
	    .on_ready = on_ready,
	    .on_reloaded = on_reloaded,
	    .on_stopped = on_stopped,
	    .arg = d};
	int status = -1;

	if (queues == NULL || modules == NULL || executor == NULL)
		goto out;
	if ((d->dispatch = dispatch_new(&options, err)) == NULL)
		goto out;
	event_base_dispatch(d->base);
	status = 0;
out:
	dispatch_free(d->dispatch);
	conf_list_free(queues);
	conf_list_free(modules);
	free(executor);
	return status;
}

static void
finish(struct daemon *d)
{
	struct event *events[] = {d->term, d->interrupt, d->hangup, d->status,
				  d->watchdog};
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (d->base != NULL)
		event_base_free(d->base);
	conf_free(d->conf);
	conf_free(d->next);
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
				fprintf(stderr, "flowrrad: too many -o\n");
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
			puts("flowrrad " FLOWRRA_VERSION);
			return 0;
		default:
			fputs("Try flowrrad --help.\n", stderr);
			return err_exit_status(ERR_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "flowrrad: unexpected argument \"%s\"\n",
			argv[optind]);
		return err_exit_status(ERR_USAGE);
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct daemon d = {.who = {.lock_fd = -1}};
	struct err err;
	int dump = 0, status;

	proc_hold_standard_fds();
	log_init("flowrrad");
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
	if (identity_take(d.conf, &d.who, &err) != 0 ||
	    make_loop(&d, &err) != 0 || start(&d, &err) != 0)
		goto fail;
	finish(&d);
	identity_drop(&d.who);
	return d.exit_status;
fail:
	log_error("%s", err.msg);
	finish(&d);
	identity_drop(&d.who);
	return err_exit_status(err.code);
}
