/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: its operations, of which broker.c makes a table, and the hub of
 * a Cluster another one (spread.h). store/broker.h says what each of them does.
 */
#ifndef STORE_REDIS_OPS_H
#define STORE_REDIS_OPS_H

#include "store/redis/broker.h"

/* --- enter.c ------------------------------------------------------------- */

void rbroker_heartbeat(struct broker *b, struct slice description);
void rbroker_deregister(struct broker *b);
bool rbroker_is_sure(const struct broker *b, unsigned int queue);

/* --- claim.c ------------------------------------------------------------- */

void rbroker_want(struct broker *b, unsigned int queue, unsigned int n);
unsigned int rbroker_coming(const struct broker *b, unsigned int queue);
bool rbroker_idle(const struct broker *b);

/* --- inflight.c, settle.c ------------------------------------------------ */

void rbroker_drop(struct broker *b, struct broker_claim *claim);
void rbroker_doubt(struct broker *b, struct broker_claim *claim);
void rbroker_settle(struct broker *b, struct broker_settle *settle);
size_t rbroker_unsettled(const struct broker *b);

/* --- submit.c ------------------------------------------------------------ */

bool rbroker_look(struct broker *b);
void rbroker_push(struct broker *b);
void rbroker_submit(struct broker *b, struct broker_submit *batch, size_t n,
		    broker_submitted_fn *on_done, void *arg);

/* --- registry.c, served.c ------------------------------------------------ */

void rbroker_registered(struct broker *b, struct slice name,
			broker_value_fn *on_value, void *arg);
void rbroker_registered_names(struct broker *b, broker_names_fn *on_names,
			      void *arg);
void rbroker_registry(struct broker *b, broker_entries_fn *on_entries,
		      void *arg);
void rbroker_control(struct broker *b, struct slice message,
		     broker_value_fn *on_sent, void *arg);
void rbroker_served(struct broker *b, const struct broker_served *question,
		    broker_value_fn *on_value, void *arg);

/* --- tidy.c -------------------------------------------------------------- */

void rbroker_tidy(struct broker *b, const struct broker_limits *limits);

#endif
