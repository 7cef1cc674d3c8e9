/* SPDX-License-Identifier: MIT */
/* What executors load, and what they are told: modules and their own part of
 * the configuration. */
#ifndef FLOWRRAD_MODULES_H
#define FLOWRRAD_MODULES_H

#include "dispatch/dispatch.h"

struct conf;
struct conf_task;
struct err;

struct modules {
	char **paths;	       /* absolute, NULL-ended */
	char *config;	       /* JSON by module name; see module_config.h */
	char *commands_config; /* the same for what runs commands */
	char *exec;	       /* which of them runs commands; NULL: none */
	char **refused;	       /* what is wrong with tasks that cannot be run */
};

/*
 * Makes each member of [worker] modules an absolute path: one with a slash in
 * it or ".so" at its end is taken from the working directory, a bare name is
 * looked up where modules are installed ("demo": ../lib/flowrra/demo.so, seen
 * from the program). Whether they can be loaded, the executor says. Where there
 * are [task NAME] sections, the module "exec" comes by itself, and is told of
 * them, and of nothing else but the limits for its commands; other modules are
 * told what their own sections say. A section whose
 * program is missing is left out, and told among the refused. modules_done() it
 * in any case.
 */
int modules_read(const struct conf *conf, struct modules *ret, struct err *err);
/* The same for a check, which has told the rest: without the warnings about
 * commands, and without tasks that cannot have their user. */
int modules_read_good(const struct conf *conf, struct modules *ret,
		      struct err *err);
/* Whether this process could run each [task NAME] as its user; -1 with *err.
 * May block, for as long as a directory service does not answer. */
int modules_check(const struct conf *conf, struct err *err);
/* The parts of it: whether root may trust the file, and whether one task can
 * have its user. */
int modules_check_origin(const struct conf *conf, struct err *err);
int modules_check_user(const struct conf_task *t, struct err *err);
void modules_done(struct modules *m);

/* The same for the dispatcher; borrowed. */
struct pool_modules modules_loadable(const struct modules *m);

#endif
