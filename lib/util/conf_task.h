/* SPDX-License-Identifier: MIT */
/*
 * Tasks that the configuration declares: its [task NAME] sections, each of
 * which says what command to run. The table conf_task_keys.def has the keys;
 * conf_key.h reads and prints their values.
 */
#ifndef UTIL_CONF_TASK_H
#define UTIL_CONF_TASK_H

#include <stdbool.h>

#include "util/conf_type.h"

struct err;

struct conf_task {
	char *name;
	char *location; /* "file:line" of its section; NULL: not from a file */
#define TASK_KEY(name, type, ...) CONF_C_##type name;
#include "util/conf_task_keys.def"
};

/* A task with the defaults of all keys; `command` must be set. NULL with *err
 * (ERR_CONFIG) for what is not a valid name, or when memory runs out. */
struct conf_task *conf_task_new(const char *name, struct err *err);
void conf_task_free(struct conf_task *t);

/* What several keys say together; -1 with *err (ERR_CONFIG). */
int conf_task_check(const struct conf_task *t, struct err *err);

/* Whether it says how many of these tasks may run or start. */
bool conf_task_has_limit(const struct conf_task *t);

/* 8 bits of a status are an exit code. */
#define CONF_N_CODES 256
/* Reads a list of exit codes; -1 with *err (ERR_CONFIG). */
int conf_task_codes(const char *text, bool ret[CONF_N_CODES], struct err *err);
/* The same with 0, which is no failure. */
int conf_task_statuses(const char *text, bool ret[CONF_N_CODES],
		       struct err *err);

#endif
