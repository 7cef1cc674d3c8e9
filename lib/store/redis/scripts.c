/* SPDX-License-Identifier: MIT */
/* The Lua scripts: their names and texts, from lua. */
#include "store/redis/scripts.h"

const struct redis_script rscripts[SCRIPT_COUNT] = {
#define REDIS_SCRIPT(script, file, source)                                     \
	[SCRIPT_##script] = {.name = (file), .text = (source)},
#include "redis_scripts.def"
#undef REDIS_SCRIPT
};
