/* SPDX-License-Identifier: MIT */
/* What the tests of flowrractl's verbs share: a world on either broker. */
#ifndef E2E_OPERATE_SCENE_H
#define E2E_OPERATE_SCENE_H

#include <stdbool.h>

#include "e2e/look.h"
#include "e2e/worker.h"

/* Most tests run on both. */
enum { ON_REDIS, ON_SQLITE, N_BROKERS };
#define TEST_BOTH(name) TEST_LOOP(name, 0, N_BROKERS)

/* A world without a worker. */
struct world *begin(int broker);
/* The same; `config` is appended to its configuration file. */
struct world *begin_with(int broker, const char *config);
/* Submits a task that no worker has registered yet; `rest` are more options. */
char *put(struct world *w, const char *id, const char *rest);

/* A member of the JSON that a verb prints; "0.queue" looks into arrays. */
const char *answer(struct world *w, const char *verb, const char *path);
bool says(struct world *w, const char *verb, const char *path,
	  const char *expected);
/* The only object of the array that it prints. */
const char *only(struct world *w, const char *verb);

#define ck_answer(w, verb, path, expected)                                     \
	ck_assert_str_eq(answer(w, verb, path), expected)
#define ck_only(w, verb, path, expected)                                       \
	ck_assert_str_eq(json_field(w, only(w, verb), path), expected)

#endif
