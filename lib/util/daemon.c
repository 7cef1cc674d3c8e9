/* SPDX-License-Identifier: MIT */
/*
 * What the daemons have in common: the configuration and its reload, signals,
 * the service manager, the event loop. daemon_args.c has the command line.
 *
 * A program fills a struct daemon_program with what differs. Its life: start()
 * before the loop, reload() and stop() from the loop, finish() after it.
 * Nothing here knows about tasks.
 */
#include "util/daemon.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "util/clock.h"
#include "util/conf.h"
#include "util/conf_read.h"
#include "util/daemon_args.h"
#include "util/daemon_check.h"
#include "util/daemon_running.h"
#include "util/err.h"
#include "util/journal.h"
#include "util/limits.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/proc.h"
#include "util/running.h"
#include "util/suspend.h"

/* How old `systemctl status` may be: it costs one datagram each time. */
#define STATUS_S 5
/* Twice the longest, which has two assignments and a number of 64 bits. */
#define STATE_MAX 128
/* Beyond what the program needs to stop, before the service manager kills. */
#define STOP_MARGIN_US 15000000

/* `next` is set from the start of a reload until the program says that it is
 * over (daemon_reloaded()); `stopping` is never cleared. */
struct daemon {
	const struct daemon_program *program;
	void *arg;
	struct daemon_args args;
	struct conf *conf;
	/* A reload under way: it is being read, then taken over. */
	struct conf_read *reading;
	struct conf *next;
	bool again;		      /* another one was asked for meanwhile */
	struct running_file *running; /* others are told that it runs */
	bool ready;
	bool stopping;
	char untold[STATE_MAX]; /* a state the service manager must hear of */
	struct event_base *base;
	struct event *term, *interrupt, *hangup, *status, *watchdog;
	int exit_status;
};

struct event_base *
daemon_base(const struct daemon *d)
{
	return d->base;
}

const struct conf *
daemon_conf(const struct daemon *d)
{
	return d->conf;
}

const char *
daemon_config_file(const struct daemon *d)
{
	return d->args.config;
}

const char *const *
daemon_settings(const struct daemon *d)
{
	return d->args.settings;
}

/* --- the service manager ----------------------------------------------- */

/* A state that cannot be told now is told later, unless another one has taken
 * its place by then. */
static void
daemon_tell_state(struct daemon *d, const char *state)
{
	if (notify_send(state) == 0)
		d->untold[0] = '\0';
	else if (state != d->untold)
		snprintf(d->untold, sizeof(d->untold), "%s", state);
}

/*
 * Also ends a reload: READY=1 is what a manager with Type=notify-reload waits
 * for (sd_notify(3)). A stopping service must not send it, or `systemctl stop`
 * would see it start again.
 */
static void
tell_ready(struct daemon *d)
{
	if (d->ready && !d->stopping)
		daemon_tell_state(d, "READY=1");
}

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	char text[256] = "STATUS=";
	const size_t len = strlen(text);

	if (d->untold[0] != '\0')
		daemon_tell_state(d, d->untold);
	d->program->status(d->arg, text + len, sizeof(text) - len);
	notify_send(text);
}

/* Sent from the loop, so a loop that hangs is noticed and the service
 * restarted. */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	notify_send("WATCHDOG=1");
}

void
daemon_ready(struct daemon *d)
{
	d->ready = true;
	/* Stores need a restart to change. */
	if (d->running == NULL)
		d->running = daemon_tell_running(d->program, d->conf);
	if (d->reading == NULL && d->next == NULL)
		tell_ready(d);
}

/* --- reloading --------------------------------------------------------- */

static void daemon_start_reload(struct daemon *d);

/* At the start and after each reload, so both keys can be changed without a
 * restart. */
static void
set_log(const struct conf *conf)
{
	log_set_level(conf->worker.log_level);
	log_set_format(conf->worker.log_format);
}

/*
 * The new configuration is in force: the program has taken over what can
 * change. The keys that cannot are named, so that the user does not wait for
 * their effect.
 */
static void
replace_conf(struct daemon *d)
{
	char *frozen = conf_frozen_changes(d->conf, d->next);

	if (frozen != NULL)
		log_warning("changes of these keys need a restart: %s", frozen);
	free(frozen);
	set_log(d->next);
	conf_free(d->conf);
	d->conf = d->next;
	d->next = NULL;
}

/*
 * A reload that failed leaves the daemon as it was: a typo must not stop a
 * running worker. The manager gets READY=1 in both cases; it has no word for a
 * reload that failed, and the log has the reason.
 */
void
daemon_reloaded(struct daemon *d, const struct err *why)
{
	const bool again = d->again;

	if (why != NULL) {
		log_error(
		    "reload failed, the old configuration stays in use: %s",
		    why->msg);
		conf_free(d->next);
		d->next = NULL;
	} else {
		replace_conf(d);
		log_notice("reloaded");
	}
	if (d->program->reloaded != NULL)
		d->program->reloaded(d->arg, why);
	d->again = false;
	if (again && !d->stopping)
		daemon_start_reload(d);
	else
		tell_ready(d);
}

/* A worker that looked where nobody submits would be as bad as the reverse.
 * What it has for itself is announced to the commands that its tasks run. */
static int
daemon_check_conf(const struct conf *conf, struct err *err)
{
	return conf_check_store(conf, CONF_STORE_BROKER, err) != 0 ||
		       conf_check_store(conf, CONF_STORE_BACKEND, err) != 0 ||
		       conf_announce(conf, err) != 0
		   ? -1
		   : 0;
}

/* reload() may take several turns of the loop: executors are replaced one after
 * the other. */
static void
on_conf_read(struct conf *conf, const struct err *why, void *arg)
{
	struct daemon *d = arg;
	struct err err;
	int result = -1;

	if (why != NULL)
		err = *why;
	conf_read_free(d->reading);
	d->reading = NULL;
	d->next = conf;
	if (why == NULL && daemon_check_conf(conf, &err) == 0)
		result = d->program->reload(d->arg, conf, &err);
	if (result != 0)
		daemon_reloaded(d, result > 0 ? NULL : &err);
}

static void
daemon_start_reload(struct daemon *d)
{
	const struct conf_read_options options = {.base = d->base,
						  .path = d->args.config,
						  .settings = d->args.settings,
						  .check = d->program->check,
						  .on_done = on_conf_read,
						  .arg = d};
	char state[STATE_MAX];
	struct err err;

	/* The time tells a manager which of its orders this is. */
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)clock_mono_us());
	daemon_tell_state(d, state);
	if ((d->reading = conf_read_start(&options, &err)) == NULL)
		daemon_reloaded(d, &err);
}

void
daemon_reload(struct daemon *d)
{
	if (d->stopping)
		return;
	/* What is being loaded may be older than what is meant. */
	if (d->reading != NULL || d->next != NULL)
		d->again = true;
	else
		daemon_start_reload(d);
}

static void
on_hangup(evutil_socket_t fd, short what, void *arg)
{
	daemon_reload(arg);
}

/* --- starting and stopping --------------------------------------------- */

/* What runs may finish, however short the unit's TimeoutStopSec= is. */
void
daemon_stop(struct daemon *d)
{
	char state[STATE_MAX];
	int64_t us;

	log_notice("stopping");
	/* Before stop(), which may end at once and must not seem ready. */
	d->stopping = true;
	conf_read_free(d->reading);
	d->reading = NULL;
	us = d->program->stop(d->arg);
	snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
		 (long long)us + STOP_MARGIN_US);
	daemon_tell_state(d, state);
}

/* A second signal is passed on as well: the program may then stop faster. */
static void
on_stop_signal(evutil_socket_t fd, short what, void *arg)
{
	daemon_stop(arg);
}

void
daemon_ended(struct daemon *d, const struct err *why)
{
	if (why != NULL) {
		log_error("%s", why->msg);
		d->exit_status = err_exit_status(why->code);
	}
	/* What was sent at last leaves in this turn of the loop. */
	event_base_loopexit(d->base, &(struct timeval){.tv_usec = 20000});
}

/* Persistent: these run for the life of the process. */
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

static struct event_base *
make_base(const struct daemon_program *program)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* epoll_wait() counts in milliseconds. */
	if (!program->precise_timers ||
	    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int
make_loop(struct daemon *d, struct err *err)
{
	uint64_t watchdog_us = 0;

	/* A peer that closes its end is an error of write(), to be handled
	 * there. */
	signal(SIGPIPE, SIG_IGN);
	/* libevent ends a process whose loop gets no descriptors. */
	if (limits_check_files(LIMITS_CHECK_MAX, err) != 0)
		return -1;
	if ((d->base = make_base(d->program)) == NULL ||
	    add_signal(d, &d->term, SIGTERM, on_stop_signal) != 0 ||
	    add_signal(d, &d->interrupt, SIGINT, on_stop_signal) != 0 ||
	    add_signal(d, &d->hangup, SIGHUP, on_hangup) != 0)
		return err_set(err, ERR_SYSTEM, "cannot make the event loop");
	if (notify_wanted() &&
	    add_timer(d, &d->status, on_status, STATUS_S * 1000000) != 0)
		return err_nomem(err);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0 &&
	    add_timer(d, &d->watchdog, on_watchdog, watchdog_us / 3) != 0)
		return err_nomem(err);
	return 0;
}

/* The program first: its objects hold events of this loop. Run also when the
 * start failed half-way, hence the checks for NULL. */
static void
daemon_finish(struct daemon *d)
{
	struct event *events[] = {d->term, d->interrupt, d->hangup, d->status,
				  d->watchdog};
	sigset_t all;
	size_t i;

	running_withdraw(d->running);
	d->program->finish(d->arg);
	conf_read_free(d->reading);
	/* It ends anyhow: one more signal would only change the exit status. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (d->base != NULL)
		event_base_free(d->base);
	conf_free(d->conf);
	conf_free(d->next);
	libevent_global_shutdown();
}

/* --- the whole --------------------------------------------------------- */

static void
daemon_warn_strange(const char *variable, const char *closest, void *arg)
{
	log_warning("ignoring the unknown variable %s; did you mean %s?",
		    variable, closest);
}

/* --dump-config and --check stop before anything is opened: they must work
 * while another instance runs. */
static int
daemon_loop(struct daemon *d, struct err *err)
{
	if (d->args.check) {
		d->exit_status = daemon_check(d->program, &d->args);
		return 0;
	}
	if (conf_load(d->args.config, d->args.settings, &d->conf, err) != 0)
		return -1;
	if (d->args.dump) {
		conf_dump(d->conf, true, stdout);
		return 0;
	}
	set_log(d->conf);
	conf_tell_strange(daemon_warn_strange, NULL);
	if (d->args.print)
		return d->program->print(d->conf, err);
	if (d->program->check != NULL && d->program->check(d->conf, err) != 0)
		return -1;
	if (daemon_check_conf(d->conf, err) != 0 ||
	    log_start_thread(err) != 0 || make_loop(d, err) != 0 ||
	    d->program->start(d, d->arg, err) != 0)
		return -1;
	event_base_dispatch(d->base);
	return 0;
}

/* The descriptors first, before anything opens a file, and at once what others of
 * our user can see; the log next, so that all errors after it are seen. */
int
daemon_run(const struct daemon_program *program, void *arg, int argc,
	   char **argv)
{
	struct daemon d = {.program = program, .arg = arg};
	struct err err;
	int status;

	if (program->children_dump)
		proc_forbid_tracing();
	else
		proc_forbid_dumps();
	proc_hold_standard_fds();
	proc_reset_signals();
	suspend_defer();
	limits_raise_files();
	log_init(program->name);
	log_set_journal(journal_send);
	if ((status = daemon_args_parse(program, argc, argv, &d.args)) >= 0)
		return status;
	if (conf_hide_environment(&err) != 0 || daemon_loop(&d, &err) != 0) {
		log_error("%s", err.msg);
		d.exit_status = err_exit_status(err.code);
	}
	daemon_finish(&d);
	log_stop_thread();
	return d.exit_status;
}
