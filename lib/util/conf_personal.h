/* SPDX-License-Identifier: MIT */
/*
 * Personal mode: a store, a worker and its state in the user's own directory,
 * with nothing set up. Private to conf.c; others see CONF_PERSONAL of conf.h.
 */
#ifndef UTIL_CONF_PERSONAL_H
#define UTIL_CONF_PERSONAL_H

#include <stdbool.h>

struct conf;
struct err;

/* Whether a list of settings asks for it. */
bool conf_personal_is_asked(const char *const *settings);

/* What is the default there, and what no file and no variable can change: where
 * all of it lies. Called before the files are read, and after the environment. */
int conf_personal_set_defaults(struct conf *conf, struct err *err);
int conf_personal_set_place(struct conf *conf, struct err *err);

#endif
