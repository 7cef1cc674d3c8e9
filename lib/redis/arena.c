/* SPDX-License-Identifier: MIT */
/*
 * Memory for many small things that are freed together: an arena.
 *
 * A reply is a tree of small values that all live until the next reply is read.
 * Taking each from malloc() costs a call and a header of 16 bytes for each
 * member of an array, and freeing them costs a walk through the tree. Here
 * taking moves an offset, and freeing is one call.
 */
#include "redis/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Two pages: a usual reply fits, and each connection keeps one block for its
 * lifetime. */
#define BLOCK_SIZE 8192

/* Blocks form a stack, the newest on top. Only the newest has room: what is
 * left of the others is lost until the reset. */
struct redis_arena_block {
	struct redis_arena_block *before;
	size_t size;
	max_align_t data[];
};

void *
redis_arena_take(struct redis_arena *arena, size_t size)
{
	struct redis_arena_block *block = arena->last;
	size_t block_size;
	void *p;

	/* With this limit the sums below cannot overflow. */
	if (size > SIZE_MAX / 2)
		return NULL;
	size =
	    (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (block == NULL || size > block->size - arena->used) {
		block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		block = malloc(sizeof(*block) + block_size);
		if (block == NULL)
			return NULL;
		block->size = block_size;
		block->before = arena->last;
		arena->last = block;
		arena->used = 0;
	}
	p = (char *)block->data + arena->used;
	arena->used += size;
	return p;
}

void
redis_arena_reset(struct redis_arena *arena)
{
	struct redis_arena_block *block = arena->last, *before;

	arena->used = 0;
	/* One block of the usual size stays for the next reply; a large one
	 * would stay with each connection that ever got a large reply. */
	while (block != NULL && (block->before || block->size > BLOCK_SIZE)) {
		before = block->before;
		free(block);
		block = before;
	}
	arena->last = block;
}

void
redis_arena_done(struct redis_arena *arena)
{
	redis_arena_reset(arena);
	free(arena->last);
	arena->last = NULL;
}
