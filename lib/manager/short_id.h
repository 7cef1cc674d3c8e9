/* SPDX-License-Identifier: MIT */
/* IDs of tasks of which a person has typed the beginning. */
#ifndef MANAGER_SHORT_ID_H
#define MANAGER_SHORT_ID_H

#include <stdbool.h>

#include "core/task.h"

struct err;
struct flowrra_client;

#define SHORT_ID_MIN 6
/* How many of the newest tasks of each list are looked at. */
#define SHORT_ID_DEPTH 1000

/* Whether it can be the beginning of an ID that Flowrra has made, a UUID; the small
 * numbers of a user's own store are none. */
bool short_id_is_one(const char *word);
/*
 * The one recent task whose ID begins so, among those that wait, run, have ended or are
 * dead. A task whose whole ID it is goes first. 1; 0 if there is none; -1 with *err, of
 * several ERR_DATA, which lists some.
 */
int short_id_find(struct flowrra_client *c, const char *word,
		  char id[TASK_ID_MAX + 1], struct err *err);

#endif
