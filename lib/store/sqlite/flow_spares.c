/* SPDX-License-Identifier: MIT */
/* Workflows in the database: tasks of steps that are in no queue. They are kept in
 * `spares`: of callbacks, and of steps that were skipped and may run after all. */
#include <stdio.h>

#include "store/admin.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statements.h"
#include "util/err.h"

/* The queue of the spare, by its number: it is made if it is not there. */
static int
spare_queue(struct tx *tx, const char *name, int64_t *ret, struct err *err)
{
	const struct slice text = slice_of(name);

	if (tx_run(tx, err, SQL_QUEUE_ADD, text) < 0 ||
	    tx_first(tx, err, SQL_QUEUE_FIND, text) < 0)
		return -1;
	*ret = tx_int(tx, SQL_QUEUE_FIND, 0);
	tx_end(tx, SQL_QUEUE_FIND);
	return 1;
}

static int
spare_read(struct tx *tx, const struct sstep *step, struct sdelayed *ret,
	   struct err *err)
{
	char queue[TASK_QUEUE_MAX + 1];
	const int found =
	    tx_first(tx, err, SQL_SPARE_GET, step->flow, step->place);
	struct slice name;

	if (found <= 0)
		return found;
	name = tx_bytes(tx, SQL_SPARE_GET, 0);
	snprintf(queue, sizeof(queue), "%.*s", (int)name.len, name.p);
	*ret = (struct sdelayed){.priority = tx_int(tx, SQL_SPARE_GET, 1),
				 .at_ms = tx_int(tx, SQL_SPARE_GET, 2),
				 .delay_ms = tx_int(tx, SQL_SPARE_GET, 3)};
	tx_end(tx, SQL_SPARE_GET);
	return spare_queue(tx, queue, &ret->queue, err);
}

/* Where it is in the queue, for which it has a number. */
static int
spare_place(struct tx *tx, struct sdelayed *d, int64_t serial, bool held,
	    struct err *err)
{
	if (held) {
		d->at_ms = BROKER_HELD_MS;
		return sdelay_add_run(tx, d, err);
	}
	if (d->at_ms > tx_now(tx) || d->delay_ms > 0) {
		if (d->delay_ms > 0)
			d->at_ms = 0;
		return sdelay_add_run(tx, d, err);
	}
	return tx_run(tx, err, SQL_WAITING_ADD, d->queue, d->priority, serial,
		      d->number, INT64_C(0));
}

int
ssteps_queue_run(struct tx *tx, const struct sstep *step, bool held,
		 struct swaits_row *ret, struct err *err)
{
	struct sdelayed d;
	int64_t serial;
	const int found = spare_read(tx, step, &d, err);

	if (found <= 0)
		return found;
	if ((serial = sdelay_serial_run(tx, d.queue, err)) < 0)
		return -1;
	d.number = schema_number(d.queue, serial);
	*ret = (struct swaits_row){.number = d.number,
				   .at_ms = d.at_ms,
				   .delay_ms = d.delay_ms,
				   .flow = step->flow,
				   .place = step->place};
	if (tx_run(tx, err, SQL_SPARE_TAKE, step->flow, step->place, d.number) <
		0 ||
	    (step->role == FLOW_STEP &&
	     tx_run(tx, err, SQL_SPARE_DROP, step->flow, step->place) < 0) ||
	    spare_place(tx, &d, serial, held, err) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, d.queue, INT64_C(1)) < 0)
		return -1;
	return held || swake_queue_run(tx, d.queue, err) == 0 ? 1 : -1;
}
