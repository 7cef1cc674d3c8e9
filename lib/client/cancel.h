/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are. */
#ifndef CLIENT_CANCEL_H
#define CLIENT_CANCEL_H

#include <stdbool.h>

struct err;
struct flowrra_client;

enum cancel_outcome {
	CANCEL_DONE,   /* it will not run, and its record says so */
	CANCEL_ORDERED /* a worker has it, and has been told */
};

/*
 * Cancels a task that has not finished. One that waits, or is delayed, is taken
 * out of its queue and its record becomes a failed one. So does the record of a
 * task that is nowhere, since who took it out could not store that. The
 * workers are told of one that runs, and its record shows what comes of it.
 *
 * ERR_DATA: not a valid id. ERR_NOT_FOUND: there is no record. ERR_REFUSED: it
 * has finished, or a worker of another program runs it. After ERR_UNAVAILABLE the call can be repeated.
 */
int client_cancel(struct flowrra_client *c, const char *id,
		  enum cancel_outcome *ret_outcome, struct err *err);

/*
 * Takes a waiting or delayed task out of a queue, for good; its record stays.
 * *ret_found: it was there. 0, or -1 with *err.
 */
int client_take_out(struct flowrra_client *c, const char *queue, const char *id,
		    bool *ret_found, struct err *err);

#endif
