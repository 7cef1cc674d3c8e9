/* SPDX-License-Identifier: MIT */
/* A task that a handler submits, as JSON for flowrrad. */
#ifndef EXECUTOR_SUBMIT_JSON_H
#define EXECUTOR_SUBMIT_JSON_H

#include <jansson.h>

struct flowrra_submit_options;

/* Takes what the module knows of the options: members that are newer than the
 * module keep their defaults, those that are newer than us are ignored. NULL, or
 * what is wrong. */
const char *submit_options_read(const struct flowrra_submit_options *given,
				struct flowrra_submit_options *ret);

/* What flowrrad would refuse, too, or could not read: NaN and infinity have no
 * JSON. NULL if nothing is wrong. */
const char *submit_why_bad(const json_t *args, const json_t *kwargs,
			   const struct flowrra_submit_options *o);

/* The task's JSON text; free() it. NULL with *ret_why. */
char *submit_json(const char *id, const char *name, const json_t *args,
		  const json_t *kwargs, const struct flowrra_submit_options *o,
		  const char **ret_why);

#endif
