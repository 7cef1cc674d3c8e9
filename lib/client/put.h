/* SPDX-License-Identifier: MIT */
/* Storing the final records of tasks that will not run, and of what is moved. */
#ifndef CLIENT_PUT_H
#define CLIENT_PUT_H

#include "client/client.h"
#include "store/results.h"

/* A query that stores a record: its key is the task's id. */
struct put_query {
	struct query q; /* of_results, send: put_send_failed() */
	struct slice record;
	enum results_answer answer; /* once it has succeeded */
};

/*
 * Stores the record of a task that failed, for as long as the configuration
 * says, and tells those who wait for the task and those who listen to events.
 * Sent again, it stores the same. A store that is away is waited for longer than
 * by other queries, since the task is in no queue any more; then it fails with
 * ERR_UNAVAILABLE, and the record is stored all the same if the store takes it
 * while the client is open.
 */
void put_send_failed(struct query *q);
/* The same of a task that succeeded, elsewhere. */
void put_send_succeeded(struct query *q);
/* The same of a record that is not final; a final one that is there stays. */
void put_send_open(struct query *q);
/* Waits until the events of the records that were stored before have left: a
 * program that ends after a put loses them otherwise. */
void put_flush(struct flowrra_client *c);
/* Drops what the results, which have been closed, did not confirm. */
void put_drop(struct flowrra_client *c);

#endif
