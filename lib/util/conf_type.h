/* SPDX-License-Identifier: MIT */
/*
 * The types of configuration values: what conf_keys.def and conf_task_keys.def
 * call them, and the C type in which each is kept. CONF_C_<TYPE> makes the
 * members of struct conf and struct conf_task.
 */
#ifndef UTIL_CONF_TYPE_H
#define UTIL_CONF_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"
#include "util/log.h"

/* Texts are never NULL; those that were not given are empty. */
#define CONF_C_STRING char *
#define CONF_C_SECRET char *
#define CONF_C_QUEUES char *
#define CONF_C_WORKER char *
#define CONF_C_COMMAND char *
#define CONF_C_ENVIRONMENT char *
#define CONF_C_DIRECTORY char *
#define CONF_C_USER char *
#define CONF_C_QUEUE char *
#define CONF_C_LINE char *
#define CONF_C_CODES char *
#define CONF_C_ARGUMENTS char *
#define CONF_C_OUTPUT char *
#define CONF_C_STATUSES char *
#define CONF_C_RATE char *
#define CONF_C_PATH char *

/* Those that are OPTIONAL are CONF_UNSET when they were not given. */
#define CONF_C_UINT int64_t
#define CONF_C_DURATION int64_t /* µs; 0: never, where that is allowed */
#define CONF_C_SIZE int64_t	/* bytes */

#define CONF_C_BOOL bool
#define CONF_C_LEVEL enum log_level
#define CONF_C_FORMAT enum log_format
#define CONF_C_TIMES enum clock_form
#define CONF_C_ADHOC enum conf_adhoc

/* Whose commands a worker runs that nobody has declared (exec.run). */
enum conf_adhoc {
	CONF_ADHOC_NO,
	CONF_ADHOC_OWNER /* those of the store's owner, who is its user */
};

/* No allowed value is negative. */
#define CONF_UNSET (-1)

#endif
