/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: claims that may be another worker's by now.
 *
 * A worker's lock says that it lives, even while it is frozen; but the file of
 * the lock may be removed, and then a heartbeat that has run out counts as its
 * death (takeover.c). So a worker that comes late with its heartbeat, or whose
 * record was refused, looks for all its claims; the worker is told of those
 * that are gone, and neither stores nor settles anything for them.
 */
#include <stdlib.h>

#include "store/sqlite/broker.h"

int
sclaim_find_run(struct tx *tx, const struct broker_claim *claim,
		struct err *err)
{
	const struct sclaim *c = container_of(claim, const struct sclaim, pub);

	return tx_any(tx, err, SQL_INFLIGHT_HAS, c->broker->worker_id,
		      c->number);
}

/* --- looking -------------------------------------------------------------- */

static int
doubt_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct doubting *d = container_of(job, struct doubting, job);
	struct sbroker *b = container_of(d, struct sbroker, doubting);
	int found;
	size_t i;

	for (i = 0; i < d->n; i++) {
		found = tx_any(tx, err, SQL_INFLIGHT_HAS, b->worker_id,
			       d->numbers[i]);
		if (found < 0)
			return -1;
		d->found[i] = found == 1;
	}
	return 0;
}

static void
doubt_judge(struct sbroker *b, struct sclaim *c, bool found)
{
	const bool doubted = c->doubted;

	c->looked = c->doubted = false;
	/* One that is being settled ends by itself. */
	if (found && doubted) {
		b->opt.on_kept(&c->pub, b->opt.arg);
	} else if (!found && !c->settling) {
		c->lost = true;
		b->opt.on_lost(&c->pub, b->opt.arg);
	}
}

/* What was settled meanwhile is not in the list any more, and what has come
 * since was not looked for. */
static void
doubt_done(struct database_job *job, const struct err *err)
{
	struct doubting *d = container_of(job, struct doubting, job);
	struct sbroker *b = container_of(d, struct sbroker, doubting);
	struct sclaim *c = TAILQ_FIRST(&b->claims), *next;
	size_t i;

	(void)err; /* it is tried until it succeeds */
	/* Both lists have one order. */
	for (i = 0; c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->looked)
			continue;
		while (i < d->n && d->numbers[i] != c->number)
			i++;
		if (i < d->n)
			doubt_judge(b, c, d->found[i++]);
	}
	free(d->numbers);
	free(d->found);
	d->under_way = false;
	if (d->again)
		sdoubt_all(b);
	else
		b->opt.on_kept(NULL, b->opt.arg);
}

/* Without memory it is for the next time: a heartbeat follows. */
void
sdoubt_all(struct sbroker *b)
{
	struct doubting *d = &b->doubting;
	struct sclaim *c;
	size_t n = 0;

	d->again = d->under_way;
	if (d->under_way)
		return;
	TAILQ_FOREACH (c, &b->claims, link)
		n++;
	d->numbers = calloc(n + 1, sizeof(*d->numbers));
	d->found = calloc(n + 1, sizeof(*d->found));
	if (d->numbers == NULL || d->found == NULL) {
		free(d->numbers);
		free(d->found);
		return;
	}
	d->n = 0;
	TAILQ_FOREACH (c, &b->claims, link) {
		if ((c->looked = !c->lost))
			d->numbers[d->n++] = c->number;
	}
	d->under_way = true;
	database_post(&b->user, &d->job);
}

/* --- of one claim --------------------------------------------------------- */

void
sbroker_drop(struct broker *broker, struct broker_claim *claim)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct sclaim *c = container_of(claim, struct sclaim, pub);

	TAILQ_REMOVE(&b->claims, c, link);
	free(c);
}

void
sbroker_doubt(struct broker *broker, struct broker_claim *claim)
{
	container_of(claim, struct sclaim, pub)->doubted = true;
	sdoubt_all((struct sbroker *)broker);
}

bool
sbroker_is_sure(const struct broker *broker, unsigned int queue)
{
	return !((const struct sbroker *)broker)->doubting.under_way;
}

void
sdoubt_init(struct sbroker *b)
{
	b->doubting.job = (struct database_job){
	    .run = doubt_run, .done = doubt_done, .must = true};
}
