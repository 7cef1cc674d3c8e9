/* SPDX-License-Identifier: MIT */
/*
 * Answers by Idempotency-Key: a POST that is sent twice is done once.
 *
 * Answers are kept in memory for a day, each user's apart. The id of a task that is
 * submitted is made of the key, so that a submission is not made twice even if this
 * process was killed in between. Thread-safe.
 */
#ifndef WEB_REPLAY_H
#define WEB_REPLAY_H

#include <stddef.h>

struct err;
struct replay_answer;
struct web_call;
struct web_replay;

#define REPLAY_LIFE_S 86400
#define REPLAY_KEY_MAX 255
/* Of all bodies that are kept; the oldest go first. Most are a task's ID, so that
 * the number is what bounds them, a key each eight seconds of the day. */
#define REPLAY_BYTES_MAX (16u << 20)
#define REPLAY_MAX 10000

struct web_replay *replay_new(struct err *err);
void replay_free(struct web_replay *replay);

/*
 * For a call with the header. 0: it is to be run, and replay_end() called with
 * *ret. -1 with *err: the key is malformed (ERR_USAGE), belongs to another request
 * (ERR_DATA), or its first request is under way (ERR_REFUSED). -1 with ERR_NONE:
 * the call has the answer of the first.
 */
int replay_begin(struct web_replay *replay, struct web_call *call,
		 struct replay_answer **ret, struct err *err);
/* Keeps the answer; from status 500 on, and of 409 and 429, the request may be
 * tried again. */
void replay_end(struct web_replay *replay, struct replay_answer *answer,
		const struct web_call *call);

/* A UUID (version 8) of a user and a key. 0, or -1 without memory. */
int replay_task_id(const char *user, const char *key, char id[static 37]);

#endif
