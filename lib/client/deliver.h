/* SPDX-License-Identifier: MIT */
/* Tasks on their way to another queue. */
#ifndef CLIENT_DELIVER_H
#define CLIENT_DELIVER_H

#include <stdint.h>

struct err;
struct flowrra_client;

/* Delivers all that have left a queue (broker_deliver()): how many, or -1 with *err. */
int64_t client_deliver(struct flowrra_client *c, const char *queue,
		       struct err *err);

#endif
