/* SPDX-License-Identifier: MIT */
/*
 * What the daemons have in common: the command line, the configuration and its
 * reloading, the signals, and the talk with the service manager.
 *
 * A daemon runs on one libevent loop. TERM and INT stop it, HUP makes it read
 * its configuration again. The service manager hears that it is ready, reloads,
 * stops and what it does, and, as long as the loop turns, the watchdog's pulse.
 */
#ifndef UTIL_DAEMON_H
#define UTIL_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct daemon;
struct err;
struct event_base;
struct findings;

/* What a daemon does of its own; `arg` is the caller's of daemon_run(). */
struct daemon_program {
	const char *name;
	/* --help: what stands before the options, which are the same for all
	 * daemons, and after them. */
	const char *usage, *notes;
	/* It has the options of a user's own worker, --user and --idle-exit. */
	bool personal;
	/* Due times are to be met closer than by milliseconds. */
	bool precise_timers;
	/*
	 * The programs that it starts may leave core files. Daemons themselves
	 * leave none and cannot be traced, since URLs with passwords are in
	 * their memory; but a core of an executor is what shows why it has
	 * crashed under its tasks.
	 */
	bool children_dump;
	/* Whether this machine can do what the configuration says. May block:
	 * a reload runs it in a thread. NULL: nothing to check. */
	int (*check)(const struct conf *conf, struct err *err);
	/* All that --check finds, in its place, which stops at the first fault;
	 * and what a start may go on without. NULL: it does. */
	void (*examine)(const struct conf *conf, struct findings *findings);
	/*
	 * The stores it uses, to be announced on this machine (util/running.h):
	 * names without passwords, each allocated, by enum conf_store; NULL: it
	 * does not use that one.
	 */
	int (*stores)(const struct conf *conf, char *names[], struct err *err);
	/* An option of its own that prints something of the configuration, and
	 * ends: its name, its line of --help, what it does. NULL: none. */
	const char *print_option, *print_help;
	int (*print)(const struct conf *conf, struct err *err);
	/* Begins its work on daemon_base(), with daemon_conf(). */
	int (*start)(struct daemon *d, void *arg, struct err *err);
	/*
	 * Reloads: 1 if it is done, 0 if it goes on and daemon_reloaded() will
	 * tell the end, -1 with *err. `next` takes the place of daemon_conf()
	 * at the end, if all went well; what borrows from the old one must have
	 * let go by then.
	 */
	int (*reload)(void *arg, const struct conf *next, struct err *err);
	/* A reload is over, wherever it failed (why), or done (NULL). May be
	 * NULL. */
	void (*reloaded)(void *arg, const struct err *why);
	/* Begins to stop; daemon_ended() tells the end. Returns how long that
	 * may take, in µs. A second call means: at once. */
	int64_t (*stop)(void *arg);
	/* One line for people. */
	void (*status)(const void *arg, char *text, size_t size);
	/* Lets go of all, also after a start that failed. */
	void (*finish)(void *arg);
};

/* A daemon's whole life; returns its exit status. */
int daemon_run(const struct daemon_program *program, void *arg, int argc,
	       char **argv);

struct event_base *daemon_base(const struct daemon *d);
/* The configuration in force: valid until a reload has replaced it. */
const struct conf *daemon_conf(const struct daemon *d);

/* Where that came from, for those who read it again: the file of -c (NULL: the
 * standard places), and the settings of -o, NULL-ended. */
const char *daemon_config_file(const struct daemon *d);
const char *const *daemon_settings(const struct daemon *d);

/* Somebody orders what the signals TERM and HUP do. */
void daemon_stop(struct daemon *d);
void daemon_reload(struct daemon *d);

/* It does its work from now on. */
void daemon_ready(struct daemon *d);
/* A reload that went on is over: `why` is NULL, or says why all stays as it
 * was. */
void daemon_reloaded(struct daemon *d, const struct err *why);
/* It has ended: as it was told to (NULL), or since it cannot go on. */
void daemon_ended(struct daemon *d, const struct err *why);

#endif
