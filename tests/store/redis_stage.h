/* SPDX-License-Identifier: MIT */
/*
 * What tests of the Redis stores share beside the stage: questions to its server,
 * and final records that somebody waits for.
 */
#ifndef TESTS_STORE_REDIS_STAGE_H
#define TESTS_STORE_REDIS_STAGE_H

#include "store/stage.h"

/* The number that the server answers a command with, 0 for nil; any other answer
 * fails the test. */
long long stage_number(const struct stage *w, const char *command);
/* Whether its answer to a command contains the text. */
bool stage_has(const struct stage *w, const char *command, const char *text);
/* The number behind a label in a section of INFO, 0 if it is not there. */
int stage_info(const struct stage *w, const char *section, const char *label);
/* How often the server has carried out a command, as INFO commandstats names it. */
int stage_calls(const struct stage *w, const char *command);
/* How many clients have this in their line of CLIENT LIST. */
size_t stage_clients(const struct stage *w, const char *part);

/* Stores that the task has ended well, for who waits at `reply_to` ("": nobody),
 * and adds one to *stored when that is done. Eight may be under way. */
void backend_put_to(struct backend *r, const char *id, const char *reply_to,
		    unsigned int *stored);

#endif
