/* SPDX-License-Identifier: MIT */
/* Result records as the callers of the library see them. */
#ifndef CLIENT_RECORD_H
#define CLIENT_RECORD_H

#include "util/buf.h"

struct err;
struct flowrra_client;
struct flowrra_record;

/* A copy of a record, decoded, in one allocation. NULL with *err (ERR_DATA). */
struct flowrra_record *record_new(struct slice json, struct err *err);
/* The record of a task, to be freed by flowrra_record_free(): flowrra_result() with
 * an error of ours. 0, or -1 with *err. */
int record_fetch(struct flowrra_client *c, const char *id,
		 struct flowrra_record **ret, struct err *err);
/* Whether a record says that its task has finished. */
bool record_final(const struct flowrra_record *record);

#endif
