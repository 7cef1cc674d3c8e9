/* SPDX-License-Identifier: MIT */
/*
 * Memory for many small things that are thrown away together.
 */
#ifndef REDIS_ARENA_H
#define REDIS_ARENA_H

#include <stddef.h>

struct redis_arena_block;

struct redis_arena {
	struct redis_arena_block *last; /* from which we take */
	size_t used;			/* of it */
};

/* `size` bytes, aligned for anything; NULL when memory runs out. */
void *redis_arena_take(struct redis_arena *arena, size_t size);
/* Gives everything back, but keeps a little memory for the next round. */
void redis_arena_reset(struct redis_arena *arena);
void redis_arena_done(struct redis_arena *arena);

#endif
