/* SPDX-License-Identifier: MIT */
/*
 * The Lua scripts. Each file lua/NAME.lua is one: SCRIPT_NAME, which make puts
 * into redis_scripts.def, with what it includes from lua/parts.
 *
 * All keys that a script touches are in KEYS; those of one queue are in one slot
 * of a cluster (those of records and workers are not). It looks at their types before it
 * changes anything, and it takes nothing out before that which replaces it is
 * in: wherever it stops, no task is lost.
 */
#ifndef STORE_REDIS_SCRIPTS_H
#define STORE_REDIS_SCRIPTS_H

#include "redis/redis.h"

enum rscript {
#define REDIS_SCRIPT(script, file, source, digest, bare) SCRIPT_##script,
#include "redis_scripts.def"
#undef REDIS_SCRIPT
	SCRIPT_COUNT
};

/* With their includes. Redis before 7 refuses a first line `#!lua …`. */
extern const struct redis_script rscripts[SCRIPT_COUNT];
/* A script without that line: its text is the same from the second one on. */
struct redis_script rscripts_bare(enum rscript script);

#endif
