/* SPDX-License-Identifier: MIT */
/*
 * Submissions by way of a worker.
 *
 * A program that submits one task and ends would load SQLite, open the file and
 * read its schema: several times what the submission itself costs. A worker has
 * all that, so one of them is the deputy of the producers: it opens a door
 * (sqlite/door.h) and submits for others, with the same statements and, for many of
 * them, with one flush. It answers when the task is on disk, as it is for those who
 * do it themselves.
 *
 * Nobody depends on it. Who finds no worker, or gets no answer, turns to the
 * file. So that no task is queued twice then, a submission says until when it may
 * be carried out: the worker looks at the clock with the writers' lock held, and
 * the producer, which turns to the file after that time only, looks for the record
 * of its task first. When the worker has died, the producer need not wait.
 *
 * A packet is an answer, or some requests: the structs below, in host order, each
 * with its texts. Both ends are on one machine; a worker closes the door on who has
 * another version.
 */
#ifndef STORE_SQLITE_DEPUTY_H
#define STORE_SQLITE_DEPUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/sqlite/broker.h"

/* The name of the door. */
#define SDEPUTY_NAME "submit"
#define SDEPUTY_VERSION 1u
/* The largest packet; sockets have room for three of them at least
 * (net.core.wmem_default). A larger task goes into the file directly. */
#define SDEPUTY_MAX 65536u
/* How long an answer may take, if the store's limit is not lower: more than a flush on
 * a busy disk, and less than a person would call hung, should the worker be frozen. */
#define SDEPUTY_WAIT_MS 500
#define SDEPUTY_TEXTS 4

enum sdeputy_what {
	SDEPUTY_REGISTERED, /* a task's name: what is registered under it */
	SDEPUTY_SERVED,	    /* a queue's name, a NUL and a task's: who has it */
	SDEPUTY_SUBMIT,	    /* queue, ID, task, record */
	SDEPUTY_WHATS
};

struct sdeputy_request {
	uint32_t version;
	uint32_t number; /* comes back with the answer */
	uint32_t what;
	uint32_t lens[SDEPUTY_TEXTS];
	/* Of a submission, as in struct broker_submit … */
	int32_t priority;
	int64_t delay_ms, at_ms;
	int64_t max_queue_size; /* … and its options */
	int64_t by_ms;		/* monotonic clock: not after this time */
	uint32_t derived;
	uint32_t unused;
};

struct sdeputy_answer {
	uint32_t number;
	uint32_t code; /* enum err_code; the text is the message then */
	uint32_t found;
	uint32_t unused;
};

/* --- deputy.c: for producers ---------------------------------------------- */

/* What is asked for. The job is the caller's: it is either taken, or posted to
 * the database by deputy.c. */
struct sdeputy_ask {
	enum sdeputy_what what;
	struct database_job *job;
	struct slice texts[SDEPUTY_TEXTS];
	const struct broker_submit *submit; /* NULL: a question */
	int64_t max_queue_size;
	bool *sent; /* is set if a worker was asked, or NULL */
	/* The answer came: fills it into what the job is part of; the job's `done`
	 * is called next. */
	void (*take)(struct database_job *job, bool found, struct slice text);
};

/* Whether a worker seems to be there, by the URL of the database. */
bool sdeputy_is_there(const char *url);
/* Asks a worker, or has the job done directly. */
void sdeputy_ask(struct sbroker *b, const struct sdeputy_ask *ask);
/* Drops what is under way. */
void sdeputy_done(struct sbroker *b);
/* registry.c: as squestion_ask(), for a question that a worker can answer. */
void squestion_depute(struct broker *broker, enum sdeputy_what what,
		      const struct database_job *job, struct slice text,
		      broker_value_fn *on_value, void *arg);

/* --- deputy_serve.c: for the worker --------------------------------------- */

/* In the I/O thread, with the writers' lock: opens the door if no other worker
 * has. That it cannot be opened is no failure: nobody depends on it. */
void sdeputy_open_run(struct sbroker *b, struct tx *tx);
/* On the loop, after that was committed. */
void sdeputy_serve(struct sbroker *b);
/* As the first, when the worker stops: another one's may take its place. */
void sdeputy_leave_run(struct sbroker *b, struct tx *tx);
/* The broker has left the database. */
void sdeputy_serve_done(struct sbroker *b);

#endif
