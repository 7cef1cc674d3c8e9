/* SPDX-License-Identifier: MIT */
/*
 * Result records: decoded copies, and fetching one.
 *
 * A caller gets a record in one allocation with all of its texts behind it, so
 * that one free() ends it and later versions can add members.
 */
#include "client/record.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"
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
/* Texts first to last as in struct flowrra_record; the order decides nothing
 * but where they lie behind the struct. */
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

	/* Each with its NUL. That the texts stand in `json` already does not
	 * help: there they are escaped, and end in a quote. */
	for (i = 0; i < N_TEXTS; i++)
		size += record_text(result, i).len + 1;
	if ((record = calloc(1, size)) == NULL)
		return NULL;
	end = (char *)(record + 1);
	record->json = record_put(&end, json);
	/* A text that is missing stays NULL; an empty one does not. */
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
	record->exit_code = result->end.exited - 1;
	record->signal = result->end.signal;
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

/* Any number is allowed: the caller may have it from a later version. */
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

/* The id is checked here: a bad one would be part of a key at the server. */
int
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
