/* SPDX-License-Identifier: MIT */
/* What tasks share. */
#include "store/sqlite/blobs.h"

#include "codec/blob.h"
#include "sqlite/tx.h"
#include "store/broker.h"
#include "store/sqlite/statements.h"
#include "util/err.h"

/* Of one step of housekeeping. */
#define SWEEP_MAX 500

int
sblobs_add_run(struct tx *tx, const struct broker_submit *task, struct err *err)
{
	if (task->blob.len == 0)
		return 0;
	return tx_run(tx, err, SQL_BLOB_ADD, task->blob_name, task->blob) < 0 ||
		       tx_run(tx, err, SQL_BLOB_USE, task->id,
			      task->blob_name) < 0
		   ? -1
		   : 0;
}

int
sblobs_of_run(struct tx *tx, struct slice task, struct buf *out,
	      struct err *err)
{
	char name[BLOB_NAME_SIZE];
	struct slice content;
	int found;

	if (!blob_find(task, name))
		return 0;
	if ((found = tx_first(tx, err, SQL_BLOB_GET, slice_of(name))) <= 0)
		return found;
	content = tx_bytes(tx, SQL_BLOB_GET, 0);
	buf_add(out, content.p, content.len);
	tx_end(tx, SQL_BLOB_GET);
	return out->failed ? err_nomem(err) : 1;
}

/* Two statements: a page that has none to be removed is the usual one, and its end is
 * what the next one begins behind. */
int
sblobs_sweep_run(struct tx *tx, struct buf *after, struct err *err)
{
	const struct slice from = {after->len > 0 ? after->data : "",
				   after->len};
	struct buf to = BUF_INIT;
	struct slice last;
	int found, gone = 0;

	found = tx_first(tx, err, SQL_BLOB_USES_PAGE, from, (int64_t)SWEEP_MAX);
	if (found == 1) {
		last = tx_bytes(tx, SQL_BLOB_USES_PAGE, 0);
		buf_add(&to, last.p, last.len);
		tx_end(tx, SQL_BLOB_USES_PAGE);
	}
	if (found == 1 && to.len > 0) {
		last = (struct slice){to.data, to.len};
		gone = tx_run(tx, err, SQL_BLOB_USES_DROP, from, last);
		if (gone > 0 && tx_run(tx, err, SQL_BLOBS_DROP) < 0)
			gone = -1;
	}
	buf_reset(after);
	if (to.len > 0)
		buf_add(after, to.data, to.len);
	buf_done(&to);
	if (found < 0 || gone < 0)
		return -1;
	return after->failed ? err_nomem(err) : gone;
}
