/* SPDX-License-Identifier: MIT */
/* Arguments of commands: numbers, and names of keys and channels. */
#ifndef STORE_REDIS_ARG_H
#define STORE_REDIS_ARG_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

/* INT64_MIN has 20 characters, and there is a NUL behind it. */
#define ARG_NUMBER_SIZE 21

/* A number; `text` holds it. */
struct slice arg_number(char text[ARG_NUMBER_SIZE], int64_t value);

/* Adds prefix and id, such as "flowrra:task:<id>", to `key`. The slice is good
 * until `key` changes, and empty if key->failed. */
struct slice arg_key(struct buf *key, const char *prefix, struct slice id);

/* What the name of a record's key begins with: the broker stores pending
 * records where the results look for them. */
extern const char ARG_RECORD[];

/* Channel: orders to all workers. */
extern const char RBROKER_CONTROL[];
/* Hash: what workers have registered, by task name. */
extern const char RBROKER_REGISTRY[];
/* Sorted set: names of those, by when a worker has registered them last. */
extern const char RBROKER_REGISTERED[];
/* The default of [broker] queue_key. */
#define RBROKER_DEFAULT "flowrra:queue"
/* The same as RBROKER_REGISTERED in a Cluster, beside the registry. */
extern const char RBROKER_REGISTERED_BESIDE[];
/* Set: other values of it whose queues' records are in this database, and "" if
 * queues of some records are elsewhere. */
extern const char RBROKER_KEYS[];
/* Sorted set: workers' ids by the time of their last heartbeat. */
extern const char RBROKER_WORKERS[];
/* Followed by a worker's id: its heartbeat, a key that expires. */
extern const char RBROKER_WORKER[];
/* Followed by [broker] queue_key: the id of the worker that does the
 * housekeeping, while it does. */
extern const char RBROKER_KEEPER[];
/* Stands in a queue where a task was withdrawn: taking it out of the middle of
 * a list would move all that is behind. */
extern const char RBROKER_WITHDRAWN[];

/* Followed by a task's id, a channel: its final record is stored. */
extern const char RRESULTS_COMPLETE[];
/* The same: another record is stored that is not final. A channel of its own, or
 * all who wait for the end would be woken by each step on the way. */
extern const char RRESULTS_CHANGED[];
/* Channels: task events, with whole records; and brief ones, a line each. */
extern const char RRESULTS_EVENTS[];
extern const char RRESULTS_BRIEF[];
/* Hash: how many tasks succeeded and failed. */
extern const char RRESULTS_STATS[];
/* The lists of tasks that have ended, and the hash of how many; see index.c. */
struct slice arg_index_list(bool cluster, bool failed);
struct slice arg_index_totals(bool cluster);
struct slice arg_index_field(bool failed);
/* Followed by a minute (seconds since 1970), "hour:" and an hour, or "total": a
 * hash of numbers (measures.h) by "what:queue:task". */
extern const char RRESULTS_MEASURE[];

#endif
