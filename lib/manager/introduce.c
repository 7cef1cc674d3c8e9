/* SPDX-License-Identifier: MIT */
/*
 * The workers that live are listed, and one order goes to all (codec/order.h). A
 * worker answers with an event, behind all that it has told before: what it tells
 * later is heard. One of an older version answers nothing; it looks by itself once
 * a second, for which everybody waits then.
 */
#include "manager/introduce.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/loop.h"
#include "codec/order.h"
#include "store/admin.h"
#include "util/pending.h"
#include "util/timer.h"
#include "util/uuid.h"

/* A worker looks each second who listens; and a round trip. */
#define PATIENCE_MS 1500

struct introduction {
	struct flowrra_client *client;
	enum results_detail detail;
	void (*on_done)(void *arg); /* NULL: it was called, or is left out */
	void *arg;
	char id[UUID_TEXT_SIZE];
	struct readiness_waiter broker; /* is in reach */
	struct timer *patience;
	bool begun;
	bool freed; /* while answers of the broker are due */
	unsigned int due;
	char **workers; /* that have not answered; NULL: one that has */
	size_t n, left;
};

static void
introduction_release(struct introduction *i)
{
	size_t k;

	if (!i->freed || i->due > 0)
		return;
	for (k = 0; k < i->n; k++)
		free(i->workers[k]);
	free(i->workers);
	free(i);
}

/* Answers of the broker that are due are awaited: nobody leaves them behind. */
static void
introduction_check(struct introduction *i)
{
	void (*on_done)(void *arg) = i->on_done;

	if (on_done == NULL || i->due > 0 ||
	    (i->left > 0 && timer_pending(i->patience)))
		return;
	i->on_done = NULL;
	on_done(i->arg);
}

static void
introduction_on_patience(void *arg)
{
	introduction_check(arg);
}

/* Whether they could be asked makes no difference: the time does the rest. */
static void
introduction_on_sent(struct slice value, const struct err *err, void *arg)
{
	struct introduction *i = arg;

	i->due--;
	if (i->freed)
		introduction_release(i);
	else
		introduction_check(i);
}

static void
introduction_ask(struct introduction *i)
{
	const struct order order = {
	    .kind = i->detail == RESULTS_WHOLE ? ORDER_HEAR_WHOLE : ORDER_HEAR,
	    .subject = slice_of(i->id)};
	struct buf text = BUF_INIT;

	order_write(&order, &text);
	if (!text.failed) {
		i->due++;
		broker_control(i->client->broker,
			       (struct slice){text.data, text.len},
			       introduction_on_sent, i);
	}
	buf_done(&text);
}

/* Of those without memory for their names the answer cannot be told: the time has
 * to pass. */
static void
introduction_on_workers(const struct worker_info *workers, size_t n,
			const struct err *err, void *arg)
{
	struct introduction *i = arg;
	size_t k;

	i->due--;
	if (i->freed) {
		introduction_release(i);
		return;
	}
	/* Nobody knows who lives. */
	i->left = err != NULL;
	i->workers = calloc(n + 1, sizeof(char *));
	for (k = 0; err == NULL && k < n; k++) {
		if (!workers[k].alive)
			continue;
		i->left++;
		if (i->workers != NULL)
			i->workers[i->n++] = strdup(workers[k].name);
	}
	if (i->left > 0)
		introduction_ask(i);
	introduction_check(i);
}

static void
introduction_on_broker(struct readiness_waiter *waiter, const struct err *why)
{
	struct introduction *i =
	    container_of(waiter, struct introduction, broker);

	/* Without it, time is all there is. */
	if (why != NULL)
		return;
	i->due++;
	broker_workers(i->client->broker, introduction_on_workers, i);
}

struct introduction *
introduction_new(struct flowrra_client *c, enum results_detail detail,
		 void (*on_done)(void *arg), void *arg, struct err *err)
{
	struct introduction *i = calloc(1, sizeof(*i));

	if (i == NULL) {
		err_nomem(err);
		return NULL;
	}
	*i = (struct introduction){
	    .client = c,
	    .detail = detail,
	    .on_done = on_done,
	    .arg = arg,
	    .broker = {.on_ready = introduction_on_broker},
	    .left = 1 /* until it is known */};
	i->patience =
	    timer_new(loop_base(c->loop), introduction_on_patience, i);
	if (i->patience == NULL) {
		free(i);
		err_nomem(err);
		return NULL;
	}
	uuid_make(i->id);
	return i;
}

void
introduction_begin(struct introduction *i)
{
	if (i->begun)
		return;
	i->begun = true;
	timer_set_ms(i->patience, PATIENCE_MS);
	readiness_await(&i->client->broker_ready, &i->broker);
}

void
introduction_answer(struct introduction *i, struct slice id,
		    struct slice worker)
{
	size_t k;

	if (!slice_eq(id, slice_of(i->id)))
		return;
	for (k = 0; k < i->n; k++) {
		if (i->workers[k] == NULL ||
		    !slice_eq(worker, slice_of(i->workers[k])))
			continue;
		free(i->workers[k]);
		i->workers[k] = NULL;
		i->left--;
	}
	introduction_check(i);
}

void
introduction_free(struct introduction *i)
{
	if (i == NULL)
		return;
	if (i->begun)
		readiness_cancel(&i->broker);
	timer_free(i->patience);
	i->patience = NULL;
	i->on_done = NULL;
	i->freed = true;
	introduction_release(i);
}
