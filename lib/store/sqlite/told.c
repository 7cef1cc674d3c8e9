/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: events on their way from those who tell (events.c) to those
 * who listen (listen.c).
 *
 * An event is a row that says where in the relay its bytes are (sqlite/relay.h).
 * Rows that all have read are removed, and the oldest ones when there are too
 * many: numbers follow one another, so a listener sees that some are missing. When
 * none is left, the relay begins at its beginning again: as a rule its first pages
 * are all that is ever used.
 */
#include <string.h>

#include "sqlite/relay.h"
#include "store/sqlite/results.h"
#include "util/sat.h"

/* What is kept for listeners that do not read: a bound for the file, and for how
 * far a listener that was stopped may lag. It is told that some are missing. */
#define TOLD_MAX 10000
#define TOLD_BYTES (INT64_C(48) << 20)
/* Read in one transaction: it holds the writers' lock. */
#define READ_BYTES (1u << 20)

/* What is written may be rolled back, and what it has trimmed is there again: it
 * must not have been overwritten. Before it in a transaction there may be other
 * jobs (database.h). */
_Static_assert(TOLD_BYTES + 2 * SEVENTS_MAX + (8 << 20) <= RELAY_BYTES,
	       "one writing reaches what is kept");

/* --- runs of bytes with their lengths ---------------------------------- */

/* All of it or nothing; list->failed if memory ran out. */
void
sevents_append(struct buf *list, struct slice item)
{
	if (buf_reserve(list, sizeof(item.len) + item.len) != 0)
		return;
	buf_add(list, &item.len, sizeof(item.len));
	buf_add(list, item.p, item.len);
}

/* The one at *at, which moves behind it; false if there is none. */
bool
sevents_next(const struct buf *list, size_t *at, struct slice *ret)
{
	if (*at >= list->len)
		return false;
	memcpy(&ret->len, list->data + *at, sizeof(ret->len));
	ret->p = list->data + *at + sizeof(ret->len);
	*at += sizeof(ret->len) + ret->len;
	return true;
}

/* --- rows -------------------------------------------------------------- */

int
sevents_newest_run(struct tx *tx, int64_t *ret, struct err *err)
{
	if (tx_first(tx, err, SQL_EVENTS_SEQUENCE) < 0)
		return -1;
	*ret = tx_int(tx, SQL_EVENTS_SEQUENCE, 0);
	tx_end(tx, SQL_EVENTS_SEQUENCE);
	return 0;
}

/* Behind a piece; one that is missing has no size. */
static int64_t
told_behind(int64_t at, int64_t size)
{
	return size > 0 ? sat_add(at, RELAY_SPAN(size)) : at;
}

int
sevents_end_run(struct tx *tx, struct sevents_end *ret, struct err *err)
{
	if (sevents_newest_run(tx, &ret->number, err) != 0 ||
	    tx_first(tx, err, SQL_EVENTS_END) < 0)
		return -1;
	ret->at = told_behind(tx_int(tx, SQL_EVENTS_END, 0),
			      tx_int(tx, SQL_EVENTS_END, 1));
	tx_end(tx, SQL_EVENTS_END);
	return 0;
}

int
sevents_add_run(struct tx *tx, struct sevents_end *end,
		enum results_detail detail, struct slice event, struct err *err)
{
	struct relay *relay = event.len > 0 ? tx_relay(tx, NULL) : NULL;
	const int64_t at = end->at;

	end->number = sat_add(end->number, 1);
	if (relay == NULL ||
	    relay_write(relay, at, end->number, event, NULL) != 0)
		event.len = 0;
	end->at = told_behind(at, (int64_t)event.len);
	return tx_run(tx, err, SQL_EVENT_ADD, end->number, tx_now(tx), at,
		      (int64_t)event.len,
		      (int64_t)(detail == RESULTS_WHOLE)) < 0
		   ? -1
		   : 0;
}

int
sevents_trim_run(struct tx *tx, const struct sevents_end *end, struct err *err)
{
	return tx_run(tx, err, SQL_EVENTS_TRIM, (int64_t)TOLD_MAX,
		      sat_sub(end->at, TOLD_BYTES)) < 0
		   ? -1
		   : 0;
}

int
sevents_free_run(struct tx *tx, struct err *err)
{
	struct relay *relay;
	unsigned int heard;

	if (sevents_heard_run(tx, &heard, err) != 0 ||
	    tx_run(tx, err, SQL_EVENTS_READ) < 0)
		return -1;
	if (heard == 0 && (relay = tx_relay(tx, NULL)) != NULL)
		relay_empty(relay);
	return 0;
}

/* Appends the piece that the row means, as sevents_append(). */
static void
told_take(struct tx *tx, int64_t number, struct buf *list)
{
	struct relay *relay = tx_relay(tx, NULL);
	const int64_t at = tx_int(tx, SQL_EVENTS_SINCE, 1);
	const int64_t size = tx_int(tx, SQL_EVENTS_SINCE, 2);
	size_t len = 0;

	/* The database is not trusted to hold sizes only. */
	if (relay != NULL && size > 0 && size <= (int64_t)SEVENTS_MAX)
		len = (size_t)size;
	if (buf_reserve(list, sizeof(len) + len) != 0)
		return;
	if (len > 0 && !relay_read(relay, at, number,
				   list->data + list->len + sizeof(len), len))
		len = 0;
	memcpy(list->data + list->len, &len, sizeof(len));
	list->len += sizeof(len) + len;
}

int
sevents_read_run(struct tx *tx, int64_t *number, enum results_detail detail,
		 struct buf *list, struct err *err)
{
	const enum statement_index sql = SQL_EVENTS_SINCE;
	const int64_t whole = detail == RESULTS_WHOLE;
	int64_t next;
	int more = tx_first(tx, err, sql, *number);

	for (; more == 1; more = tx_next(tx, err, sql)) {
		next = tx_int(tx, sql, 0);
		if (next != sat_add(*number, 1))
			sevents_append(list, (struct slice){NULL, 0});
		*number = next;
		/* What is missing is for all. */
		if (tx_int(tx, sql, 2) == 0 || tx_int(tx, sql, 3) == whole)
			told_take(tx, next, list);
		if (list->len >= READ_BYTES) {
			tx_end(tx, sql);
			break;
		}
	}
	return list->failed ? err_nomem(err) : more;
}
