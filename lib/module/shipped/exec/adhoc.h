/* SPDX-License-Identifier: MIT */
/*
 * exec.run: a command that nobody has declared, as flowrractl run submits it.
 *
 * Its keyword arguments are {"argv": [WORD, …], "cwd": WORD, "umask": "022",
 * "env": {NAME: WORD, …}, "stdin": WORD, "stdin_file": WORD, "lock": WORD},
 * words as in codec/word.h; all but argv
 * may be missing. Others are ignored; with "env_blob", there must be an "env", which
 * the worker puts there (codec/blob.h).
 *
 * Of commands with the same lock, one runs at a time. (With limits of a broker, the
 * same member can be what they go by.)
 *
 * It runs only while the store that it comes from is this user's alone: what
 * others can write never starts a command.
 */
#ifndef EXEC_ADHOC_H
#define EXEC_ADHOC_H

#include <jansson.h>

struct err;
struct flowrra_task;
struct line;

/*
 * Fills *ret for a command of the database `store`. -1 with *err: ERR_REFUSED or
 * ERR_CONFIG if that can be changed by others, ERR_DATA if the arguments make no
 * command. line_done() it in any case.
 */
int adhoc_make(struct line *ret, const char *store, struct flowrra_task *task,
	       const json_t *kwargs, struct err *err);

#endif
