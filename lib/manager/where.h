/* SPDX-License-Identifier: MIT */
/* Which stores a command uses and why, and which ones the daemons of this machine
 * use. */
#ifndef MANAGER_WHERE_H
#define MANAGER_WHERE_H

#include <jansson.h>
#include <sys/types.h>

struct conf;
struct err;

/*
 * {"mode", "user", "runs_as", "configuration", "stores": […], "running": […],
 * "warnings": […]}, as flowrractl(1) has it. `asked_by` is the user before this
 * program became the owner of a database. Opens no store and asks no server.
 * *ret_refused is set where a command would be refused: one error for all. NULL with
 * *err.
 */
json_t *where_describe(const struct conf *conf, uid_t asked_by,
		       struct err *ret_refused, struct err *err);

#endif
