/* SPDX-License-Identifier: MIT */
/* What lies at broker and backend, as JSON values. Others have put it there. */
#ifndef CLIENT_LOAD_H
#define CLIENT_LOAD_H

#include <jansson.h>

#include "util/buf.h"

struct broker_item;
struct err;
struct flowrra_client;

/* A new value; what a parser in C cannot take is repaired (codec/repair.h).
 * NULL with *err if the text is not JSON even then. */
json_t *load_json(struct slice text, struct err *err);

/*
 * The task of an item. Of bytes that no worker takes, what can be read, which is
 * the id at least (codec/salvage.h), and *err says what is wrong with them; else
 * err->code is ERR_NONE. NULL with *err if there is not even an id.
 */
struct task *load_task(const struct broker_item *item, struct err *err);

/*
 * The record of a task as it is now: an object, or json_null() if there is none.
 * Its text is appended to *ret_text, unless that is NULL. NULL with *err; a
 * record may be another program's, and be anything.
 */
json_t *load_record(struct flowrra_client *c, const char *id,
		    struct buf *ret_text, struct err *err);

#endif
