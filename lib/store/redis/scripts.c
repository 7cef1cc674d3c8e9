/* SPDX-License-Identifier: MIT */
/* The Lua scripts: their names and texts, from lua. */
#include "store/redis/scripts.h"

#include <string.h>

const struct redis_script rscripts[SCRIPT_COUNT] = {
#define REDIS_SCRIPT(script, file, source, digest, bare)                       \
	[SCRIPT_##script] = {.name = (file), .text = (source), .sha = (digest)},
#include "redis_scripts.def"
#undef REDIS_SCRIPT
};

static const char *const bare_sums[SCRIPT_COUNT] = {
#define REDIS_SCRIPT(script, file, source, digest, bare)                       \
	[SCRIPT_##script] = (bare),
#include "redis_scripts.def"
#undef REDIS_SCRIPT
};

struct redis_script
rscripts_bare(enum rscript script)
{
	const struct redis_script *full = &rscripts[script];
	const char *text = full->text;

	if (strncmp(text, "#!", 2) == 0)
		text = strchr(text, '\n') + 1;
	return (struct redis_script){
	    .name = full->name, .text = text, .sha = bare_sums[script]};
}
