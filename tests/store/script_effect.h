/* SPDX-License-Identifier: MIT */
/*
 * What a Redis script does at an edge: the world before, the call, its answer, and
 * what the server says of the world behind it.
 */
#ifndef TESTS_STORE_SCRIPT_EFFECT_H
#define TESTS_STORE_SCRIPT_EFFECT_H

#include "store/script_case.h"

/* As an answer to a question: how often something was published. */
#define PUBLISHED "(published)"

struct script_effect {
	const char *what;
	struct script_case call;
	const char *answer;
	/* A question, and the answer. */
	const char *then[3][2];
};

/* On a server of the test's own. */
void script_effects_run(const struct script_effect *effects, size_t n);

#endif
