/* SPDX-License-Identifier: MIT */
/* A database that is damaged, in another way each time. */
#ifndef TESTS_FUZZ_SQLITE_DAMAGE_DAMAGE_H
#define TESTS_FUZZ_SQLITE_DAMAGE_DAMAGE_H

#include "fuzz/redis_store/peer.h"

/* A directory, which goes with the process. */
const char *damage_dir(void);
/* Puts the rows of an SQL text into a database whose tables are there, and keeps
 * the file as what is damaged. `path` is borrowed; nobody has it open. */
void damage_prepare(const char *path, const char *content);
/* Makes the file what it was, and does to it what `in` says. */
void damage(struct peer_input *in);

/* Requests of flowrra-web: those that look, and those that change something. */
struct damage_asks {
	const char *const *settings; /* as of web_ask_open() */
	const char *const *looks;    /* "GET /path" */
	size_t n_looks;
	const char *const *changes;
	size_t n_changes;
};
/* Some of both, as `in` says. */
void damage_ask(const struct damage_asks *asks, struct peer_input *in);

#endif
