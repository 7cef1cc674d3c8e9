/* SPDX-License-Identifier: MIT */
/*
 * The thread that listens to the events of tasks (the topic feed), only while
 * somebody wants them.
 * Private to the hub.
 */
#ifndef WEB_FEEDER_H
#define WEB_FEEDER_H

#include <stdbool.h>

#include "web/topics.h"

struct err;
struct flowrra_client;
struct feeder;
struct samples;
struct web_shared;

/* Other threads may use `client` as well; `daemon` has the mask that is in force;
 * events go into `samples`. All three must last. */
struct feeder *feeder_new(struct flowrra_client *client,
			  const struct web_shared *daemon,
			  struct samples *samples, struct err *err);
/* What somebody wants from now on. Of two, whole records are for both. */
void feeder_want(struct feeder *f, enum feed feed);
/* Has the thread end soon, without waiting for it. */
void feeder_stop(struct feeder *f);
/* Waits for the thread. NULL is allowed. */
void feeder_free(struct feeder *f);

#endif
