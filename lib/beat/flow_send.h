/* SPDX-License-Identifier: MIT */
/*
 * Puts the workflow of a fire into the store, as a whole: it is begun under the
 * fire's ID, its steps are added, and it is sealed; before that, nothing of it
 * runs. All of it may be done again, by another scheduler at the same time, too: of
 * one that is there and not open any more, nothing but the seal is left to do. For
 * lib/beat only.
 */
#ifndef BEAT_FLOW_SEND_H
#define BEAT_FLOW_SEND_H

#include <stdbool.h>

#include "util/clock.h"

struct broker;
struct err;
struct flow_send;
struct results;
struct schedule_fire;

/* Called from the loop: `why` has no code if the workflow is there. */
typedef void flow_sent_fn(const struct err *why, void *arg);

/* All is borrowed until the answer; the fire is one of a workflow. */
struct flow_send_options {
	struct broker *broker;
	struct results *results;
	bool one_store; /* the broker stores the records, too */
	enum clock_form times;
	const struct schedule_fire *fire;
	flow_sent_fn *on_sent;
	void *arg;
};
/* NULL with *err: it makes no sense (ERR_DATA), or there is no memory; on_sent() is
 * not called then. Else the answer frees it. */
struct flow_send *flow_send_start(const struct flow_send_options *options,
				  struct err *err);
/* Calls nobody back. The stores are closed before it. */
void flow_send_free(struct flow_send *f);

#endif
