/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the result decoder. What it takes is written to a text that
 * gives the same text again; and any bytes at all become an error text that
 * reads back.
 */
#include <stdint.h>
#include <stdlib.h>

#include "codec/result_json.h"
#include "codec/scan.h"
#include "util/err.h"

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
decode(const struct buf *text, struct buf *scratch, struct result *ret)
{
	must(!text->failed);
	must(result_decode((struct slice){text->data, text->len}, scratch, ret,
			   NULL) == 0);
}

static void
check_round_trip(const struct result *result)
{
	struct buf first = BUF_INIT;
	struct buf second = BUF_INIT;
	struct buf scratch = BUF_INIT;
	struct result r;

	result_encode(result, &first);
	decode(&first, &scratch, &r);
	must(slice_eq(r.task_id, result->task_id));
	must(slice_eq(r.error, result->error));
	must(r.status == result->status);
	must(r.submitted_us == result->submitted_us);
	result_encode(&r, &second);
	must(slice_eq((struct slice){first.data, first.len},
		      (struct slice){second.data, second.len}));
	buf_done(&first);
	buf_done(&second);
	buf_done(&scratch);
}

static void
check_any_error(struct slice bytes)
{
	const struct result result = {
	    .task_id = SLICE("1"), .status = RESULT_FAILED, .error = bytes};
	struct buf text = BUF_INIT;
	struct buf scratch = BUF_INIT;
	struct result r;

	result_encode(&result, &text);
	decode(&text, &scratch, &r);
	must((bytes.p == NULL) == (r.error.p == NULL));
	buf_done(&text);
	buf_done(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};
	struct buf scratch = BUF_INIT;
	struct err err = ERR_INIT;
	struct result result;

	check_any_error(bytes);
	if (result_decode(bytes, &scratch, &result, &err) == 0)
		check_round_trip(&result);
	else
		must(err.code == ERR_DATA && err.msg[0] != '\0');
	buf_done(&scratch);
	return 0;
}
