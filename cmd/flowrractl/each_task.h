/* SPDX-License-Identifier: MIT */
/* The same for each task of a list of IDs. */
#ifndef FLOWRRACTL_EACH_TASK_H
#define FLOWRRACTL_EACH_TASK_H

#include <jansson.h>

struct ctl;
struct err;
struct flowrra_client;

/* What a verb does to one task: an answer, which is new, or NULL with *err. */
typedef json_t *each_task_fn(struct flowrra_client *c, const char *id,
			     struct err *err);

/* Opens the client and does it to each, whatever comes of the others. With --json
 * prints an answer for each, in which `member` is the ID. Returns the highest exit
 * status. */
int each_task(struct ctl *ctl, int argc, char **argv, const char *member,
	      each_task_fn *fn);

#endif
