/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend, as its own files see it: sqlite.c keeps records,
 * sqlite_watch.c waits for them.
 *
 * Functions named *_run run in the store's I/O thread, in a transaction; all
 * else on the loop.
 */
#ifndef RESULTS_SQLITE_H
#define RESULTS_SQLITE_H

#include "results/results.h"
#include "sqlite/store.h"
#include "sqlite/tx.h"

#define STOPIC_BUCKETS 256

struct stopic;
struct look;

struct sresults {
	struct results pub;
	struct results_options opt;
	struct store_user user;

	/* Records on their way: one job at a time takes all that wait. */
	struct store_job put_job;
	bool putting;
	struct pending_list waiting, sent;
	size_t count; /* in both */

	TAILQ_HEAD(stopics, stopic) topics[STOPIC_BUCKETS];
	struct look *looking; /* under way */
	bool look_again;
};

struct results_watch *sresults_watch(struct results *results, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);
void sresults_unwatch(struct results_watch *watch);
/* Something may have become final. */
void sresults_look(struct sresults *r);
/* Frees what is left of the watches; the store is left already. */
void sresults_watches_free(struct sresults *r);

#endif
