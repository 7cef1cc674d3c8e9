/* SPDX-License-Identifier: MIT */
/*
 * Opening the stores that a configuration names: the one with the queues
 * (broker.h, section [broker]) and the one with the records (results.h, section
 * [backend]), which are often the same.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct broker;
struct broker_claim;
struct broker_ops;
struct broker_trimmed;
struct broker_options;
struct conf;
struct err;
struct findings;
struct event_base;
struct results;
struct results_ops;
struct results_options;

struct stores_options {
	struct event_base *base;
	/* Read while a store is opened, and not kept. */
	const struct conf *conf;
	/* As in struct broker_options, where each is explained. */
	void (*on_broker_state)(bool up, bool final, const struct err *why,
				void *arg);
	void (*on_results_state)(bool up, bool final, const struct err *why,
				 void *arg);
	bool (*may_block)(void *arg);
	void *arg; /* of all the callbacks */
	bool creates;
	/* For workers; a producer leaves these empty. */
	const char *worker, *token, *predecessor;
	const char *const *queues;
	unsigned int n_queues;
	void (*on_claim)(struct broker_claim *claim, void *arg);
	void (*on_lost)(struct broker_claim *claim, void *arg);
	void (*on_kept)(struct broker_claim *claim, void *arg);
	void (*on_idle)(void *arg);
	void (*on_control)(struct slice message, void *arg);
	void (*on_trimmed)(const struct broker_trimmed *trimmed, void *arg);
	bool (*on_pending)(struct slice record, struct buf *queue,
			   struct buf *ended, void *arg);
	/*
	 * If both are one store, its records are left closed until
	 * stores_open_results(): a program that only submits then needs no
	 * second connection. A store of their own is opened at once, for the
	 * errors in its URL.
	 */
	bool results_later;
	/* NULL: broker_open() and results_open(). Tests pass their own. */
	struct broker *(*open_broker)(const struct broker_options *options,
				      struct err *err);
	struct results *(*open_results)(const struct results_options *options,
					struct err *err);
};

/* The most descriptors that a worker has open for one store, and one more for
 * each queue: Redis has a connection each for orders, records, events, and
 * tries; SQLite has the database, its log and its index, locks and sockets. */
#define STORE_FILES 10

struct stores {
	struct broker *broker;	 /* broker_close() */
	struct results *results; /* results_close(); NULL if left for later */
	bool one;		 /* they are the same store: stores_are_one() */
	bool
	    claims_count; /* records may follow from claims: they are, or are the
			      same Cluster */
};

/* Opens both. 0, or -1 with *err (ERR_CONFIG, mostly) and nothing left open;
 * *ret is then as it was. The servers may be out of reach. */
int stores_open(const struct stores_options *options, struct stores *ret,
		struct err *err);
/* Opens the records that `results_later` has left out. NULL with *err. */
struct results *stores_open_results(const struct stores_options *options,
				    struct err *err);

/* What stores_open() would say of the URLs; asks no server, and opens no file. */
int stores_check(const struct conf *conf, struct err *err);
/* All that is wrong with them, with its place, and whether a file can be made. */
void stores_examine(const struct conf *conf, struct findings *findings);
/* The same of one; `section` is where the URL stands. */
int stores_check_url(const char *url, const char *section, struct err *err);

/* Names of both for people, and to tell whether two configurations mean the same:
 * URLs without user, password and options; [CONF_STORE_BROKER] and
 * [CONF_STORE_BACKEND], which free() frees. -1 with *err, and then *names are NULL. */
int stores_names(const struct conf *conf, char *names[], struct err *err);

/* Whether records are stored where the queues are: [backend] has no URL, or the
 * same text as [broker]. Two different URLs of one store work too; they only
 * cost an extra connection, and a submission in two steps. */
bool stores_are_one(const struct conf *conf);
/* Whether the queues are for certain on another machine: a server that has a
 * name, or an address, which is not of this machine alone. */
bool stores_queues_are_elsewhere(const struct conf *conf);
/* How long a command for records may wait for its answer: socket_timeout of
 * their own store, or of the one that both share. */
int64_t stores_results_timeout_ms(const struct conf *conf);

/* --- implementations --------------------------------------------------- */

/* Both halves of a store, one for each line of stores.def. */
struct store {
	const struct broker_ops *broker;
	const struct results_ops *results;
};
/* The store that a URL names, the first one if it is NULL or empty. NULL with
 * *err (ERR_CONFIG): there is none; `section` is where the URL stands. */
const struct store *store_find(const char *url, const char *section,
			       struct err *err);

#endif
