/* SPDX-License-Identifier: MIT */
/* Result records: decoded copies, and fetching one. */
#include "client/record.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "codec/order.h"
#include "codec/result_json.h"
#include "core/result.h"
#include "core/task.h"

_Static_assert((int)FLOWRRA_PENDING == (int)RESULT_PENDING &&
		   (int)FLOWRRA_RUNNING == (int)RESULT_RUNNING &&
		   (int)FLOWRRA_SUCCESS == (int)RESULT_SUCCESS &&
		   (int)FLOWRRA_FAILED == (int)RESULT_FAILED &&
		   (int)FLOWRRA_RETRYING == (int)RESULT_RETRYING,
	       "states have the same numbers inside and outside");

/* Which part of a result becomes which text. */
#define TEXT(outside, inside)                                                  \
	{                                                                      \
		offsetof(struct flowrra_record, outside),                      \
		    offsetof(struct result, inside)                            \
	}
static const struct {
	size_t to, from;
} texts[] = {
    TEXT(id, task_id),	  TEXT(name, task_name), TEXT(result, result),
    TEXT(error, error),	  TEXT(reason, reason),	 TEXT(progress, progress),
    TEXT(args, args),	  TEXT(kwargs, kwargs),	 TEXT(queue, queue),
    TEXT(worker, worker),
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static struct slice
record_text(const struct result *result, size_t i)
{
	return *(const struct slice *)((const char *)result + texts[i].from);
}

/* Copies to *end and moves it on. */
static const char *
record_put(char **end, struct slice text)
{
	char *begin = *end;

	memcpy(begin, text.p, text.len);
	begin[text.len] = '\0';
	*end += text.len + 1;
	return begin;
}

static struct flowrra_record *
record_copy(struct slice json, const struct result *result)
{
	struct flowrra_record *record;
	size_t size = sizeof(*record) + json.len + 1;
	char *end;
	size_t i;

	for (i = 0; i < N_TEXTS; i++)
		size += record_text(result, i).len + 1;
	if ((record = calloc(1, size)) == NULL)
		return NULL;
	end = (char *)(record + 1);
	record->json = record_put(&end, json);
	for (i = 0; i < N_TEXTS; i++)
		if (record_text(result, i).p != NULL)
			*(const char **)((char *)record + texts[i].to) =
			    record_put(&end, record_text(result, i));
	record->state = (int)result->status;
	record->attempts = result->attempts;
	record->retries = result->retries;
	record->submitted_us = result->submitted_us;
	record->started_us = result->started_us;
	record->finished_us = result->finished_us;
	return record;
}

struct flowrra_record *
record_new(struct slice json, struct err *err)
{
	struct flowrra_record *record = NULL;
	struct buf scratch = BUF_INIT, repaired = BUF_INIT;
	struct result result;

	if (result_decode_repaired(json, &repaired, &scratch, &json, &result,
				   err) != 0)
		err_prefix(err, "cannot parse the record of the task");
	else if ((record = record_copy(json, &result)) == NULL)
		err_nomem(err);
	buf_done(&scratch);
	buf_done(&repaired);
	return record;
}

bool
record_final(const struct flowrra_record *record)
{
	return result_status_final((enum result_status)record->state);
}

const char *
flowrra_state_text(int state)
{
	return state >= FLOWRRA_PENDING && state <= FLOWRRA_RETRYING
		   ? result_status_text((enum result_status)state)
		   : "unknown";
}

void
flowrra_record_free(struct flowrra_record *record)
{
	free(record);
}

static int
record_fetch(struct flowrra_client *c, const char *id,
	     struct flowrra_record **ret, struct err *err)
{
	struct query q = {.client = c,
			  .of_results = true,
			  .send = query_send_record,
			  .key = slice_of(id)};

	if (client_check(c, err) != 0)
		return -1;
	if (!task_id_valid(q.key)) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return -1;
	}
	if (query_run(&q, err) != 0)
		return -1;
	if (!q.present) {
		err_set(err, ERR_NOT_FOUND, "no record of task %s", id);
		return -1;
	}
	*ret = record_new((struct slice){q.value.data, q.value.len}, err);
	buf_done(&q.value);
	return *ret != NULL ? 0 : -1;
}

int
flowrra_result(struct flowrra_client *c, const char *id,
	       struct flowrra_record **record, struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return record_fetch(c, id, record, &err) == 0
		   ? 0
		   : client_fail(error, &err);
}

/* --- cancelling -------------------------------------------------------- */

static int
record_send_cancel(struct flowrra_client *c, const char *id, struct err *err)
{
	struct query q = {
	    .client = c, .once = true, .send = query_send_control};
	struct buf message = BUF_INIT;
	int result;

	order_write(&(struct order){ORDER_CANCEL, slice_of(id)}, &message);
	q.key = (struct slice){message.data, message.len};
	result = message.failed ? err_nomem(err) : query_run(&q, err);
	buf_done(&q.value);
	buf_done(&message);
	return result;
}

int
flowrra_cancel(struct flowrra_client *c, const char *id,
	       struct flowrra_error *error)
{
	struct flowrra_record *record;
	struct err err = ERR_INIT;

	if (record_fetch(c, id, &record, &err) != 0)
		return client_fail(error, &err);
	if (record_final(record))
		err_set(&err, ERR_REFUSED,
			"cannot cancel task %s: it has finished (%s)", id,
			flowrra_state_text(record->state));
	else
		record_send_cancel(c, id, &err);
	flowrra_record_free(record);
	return err.code == ERR_NONE ? 0 : client_fail(error, &err);
}
