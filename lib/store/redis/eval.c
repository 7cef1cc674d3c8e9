/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: its scripts, as the server's version needs them.
 *
 * Redis 7 reads flags from a script's first line, and most scripts need one: a
 * full server must still move tasks. Redis before 7 takes that line for Lua
 * that is wrong. The texts with flags are the default; workers and operators
 * ask for the version before their first script, and the producers' script has
 * no such line.
 */
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/info.h"
#include "store/redis/limit.h"

/*
 * A text without its first line is a part of the same constant: redis/script.c
 * compares texts by address, and loads a script again when its text has
 * changed.
 */
void
rbroker_choose_scripts(struct rbroker *b, bool flags)
{
	size_t i;

	for (i = 0; i < SCRIPT_COUNT; i++)
		b->scripts[i] =
		    flags ? rscripts[i] : rscripts_bare((enum rscript)i);
}

void
rbroker_take_version(struct rbroker *b, struct slice info)
{
	const bool known = redis_info_text(info, "redis_version").p != NULL;

	b->version_known = true;
	b->flow.together =
	    !b->url.cluster &&
	    slice_eq(redis_info_text(info, "redis_mode"), SLICE("standalone"));
	rbroker_choose_scripts(
	    b, !known || redis_info_number(info, "redis_version") >= 7);
}

int
rbroker_eval(struct rbroker *b, enum rscript script, redis_reply_fn *on_reply,
	     void *arg, size_t n_keys, const struct slice *keys, size_t n_args,
	     const struct slice *args)
{
	rlimit_flush(b);
	return redis_eval(b->redis, &b->scripts[script], on_reply, arg, n_keys,
			  keys, n_args, args);
}
