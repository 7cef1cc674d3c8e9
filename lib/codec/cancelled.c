/* SPDX-License-Identifier: MIT */
/*
 * The record of a task that was cancelled before it ran.
 *
 * The text is edited, and not printed from what was parsed of it: numbers keep
 * their digits, and what another program has put into it stays.
 */
#include "codec/cancelled.h"

#include "codec/repair.h"
#include "codec/scan.h"
#include "codec/write.h"
#include "util/err.h"

/* Others may write deeper records than a task can be. */
#define RECORD_DEPTH_MAX 2000

/* Members of a record that the end of its task sets. */
static const struct slice cancelled_ends[] = {
    SLICE("status"), SLICE("error"), SLICE("reason"), SLICE("finished_at")};

static int
cancelled_copy_member(void *arg, const struct scan_value *key,
		      const struct scan_value *value, struct err *err)
{
	struct buf *out = arg;
	size_t i;

	for (i = 0; i < sizeof(cancelled_ends) / sizeof(cancelled_ends[0]); i++)
		if (slice_eq(key->text, cancelled_ends[i]))
			return 0;
	/* What is escaped stays so. */
	buf_addc(out, '"');
	buf_add(out, key->text.p, key->text.len);
	buf_adds(out, "\":");
	if (value->type == SCAN_STRING)
		buf_add(out, value->text.p - 1, value->text.len + 2);
	else
		buf_add(out, value->text.p, value->text.len);
	buf_addc(out, ',');
	return 0;
}

/* started_at, attempts and the rest stay: it may be a retry. */
int
cancelled_write(struct slice stored, enum clock_form times, struct buf *out,
		struct err *err)
{
	struct buf repaired = BUF_INIT;
	int result;

	buf_addc(out, '{');
	result = scan_object(stored, RECORD_DEPTH_MAX, cancelled_copy_member,
			     out, NULL);
	if (result != 0) {
		buf_reset(out);
		buf_addc(out, '{');
		repair_json(stored, &repaired);
		result = scan_object(
		    (struct slice){repaired.data, repaired.len},
		    RECORD_DEPTH_MAX, cancelled_copy_member, out, err);
		buf_done(&repaired);
	}
	buf_adds(out, "\"status\":\"failed\",\"reason\":\"" CANCEL_REASON
		      "\",\"error\":\"" CANCEL_ERROR "\"");
	write_time_as(out, WRITE_NEXT("finished_at"), times, clock_wall_us());
	write_end(out);
	return out->failed ? err_nomem(err) : result;
}
