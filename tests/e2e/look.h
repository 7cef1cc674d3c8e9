/* SPDX-License-Identifier: MIT */
/* Looking at tasks and records of a world, as they lie in Redis. */
#ifndef TESTS_E2E_LOOK_H
#define TESTS_E2E_LOOK_H

#include "e2e/world.h"

struct redisReply;

/* Replies as what they hold; an error, or another type, fails the test. */
long long reply_integer(struct redisReply *reply);
/* NULL for nil. */
char *reply_text(struct world *w, struct redisReply *reply);

#define redis_integer(server, ...)                                             \
	reply_integer(redis_server_command(server, __VA_ARGS__))
#define redis_text(w, server, ...)                                             \
	reply_text(w, redis_server_command(server, __VA_ARGS__))

/* The record of a task; NULL if there is none. */
const char *record(struct world *w, const char *id);
/* A field of a JSON object: strings bare, all else as JSON; "" if there is
 * none. "error.text" looks into objects. */
const char *json_field(struct world *w, const char *json, const char *path);
/* Both. */
const char *field(struct world *w, const char *id, const char *name);
bool has(struct world *w, const char *id, const char *name, const char *value);
#define ck_field(w, id, name, value) ck_assert_str_eq(field(w, id, name), value)

/* Waits until the record says that the task is in this state. */
void wait_status(struct world *w, const char *id, const char *status);
/* Waits for its end, and expects that it succeeded with its first attempt. */
void expect_untouched(struct world *w, const char *id);

/* Puts bytes into queue io, as a foreign producer does. */
void push(struct world *w, const char *bytes);
void push_bytes(struct world *w, const void *p, size_t len);

/* Tasks of queue io, or another, that wait, are in flight, delayed, dead. */
long long waiting(struct world *w, const char *queue);
long long in_flight(struct world *w, const char *queue);
long long delayed(struct world *w, const char *queue);
long long dead(struct world *w, const char *queue);
/* A dead task's bytes and the reason; NULL if it is not there. */
char *dead_task(struct world *w, const char *queue, const char *member);
char *dead_info(struct world *w, const char *queue, const char *member);

/* The only member of the delayed set, its score being ms since 1970. */
char *the_delayed(struct world *w, const char *queue, double *ret_score);
/* Redis' clock in ms. */
double redis_now_ms(struct world *w);

#endif
