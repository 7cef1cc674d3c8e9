/* SPDX-License-Identifier: MIT */
/*
 * A Redis server whose answers are made of the bytes of a fuzz target's input: each
 * command takes some of them, which choose between a good answer and all that can
 * be wrong with one. Once they are used up, all answers are good.
 */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct peer;

/* What is left of the input. */
struct peer_input {
	const uint8_t *p;
	size_t len;
};
/* 0 when there is none left. */
uint8_t peer_next(struct peer_input *in);
/* A number of eight bytes, or one of those at which sums break. */
int64_t peer_number(struct peer_input *in);

/* Listens at a socket of that path; `in` is used up by its answers. */
struct peer *peer_new(struct event_base *base, const char *path,
		      struct peer_input *in);
void peer_free(struct peer *peer);
/* Commands that came in so far. */
size_t peer_commands(const struct peer *peer);

#endif
