/* SPDX-License-Identifier: MIT */
/*
 * The thread that listens to the events of tasks (the topic feed), only while
 * somebody wants them: a listener makes each worker publish every record.
 * Private to the hub.
 */
#ifndef WEB_LISTENER_H
#define WEB_LISTENER_H

#include <stdbool.h>

struct err;
struct flowrra_client;
struct listener;
struct samples;
struct web_shared;

/* Other threads may use `client` as well; `daemon` has the mask that is in force;
 * events go into `samples`. All three must last. */
struct listener *listener_new(struct flowrra_client *client,
			      const struct web_shared *daemon,
			      struct samples *samples, struct err *err);
/* Whether somebody wants events from now on. */
void listener_want(struct listener *l, bool feed);
/* Has the thread end soon, without waiting for it. */
void listener_stop(struct listener *l);
/* Waits for the thread. NULL is allowed. */
void listener_free(struct listener *l);

#endif
