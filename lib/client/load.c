/* SPDX-License-Identifier: MIT */
/* What lies at broker and backend, as JSON values. */
#include "client/load.h"

#include "client/client.h"
#include "codec/repair.h"
#include "codec/salvage.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "store/admin.h"
#include "util/err.h"

#define LOAD_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* Repairing is for the few that need it: it costs more than parsing. The error
 * is about what is stored. */
json_t *
load_json(struct slice text, struct err *err)
{
	struct buf repaired = BUF_INIT;
	json_error_t why;
	json_t *json;

	json = json_loadb(text.p != NULL ? text.p : "", text.len, LOAD_FLAGS,
			  &why);
	if (json != NULL)
		return json;
	repair_json(text, &repaired);
	if (!repaired.failed && repaired.len > 0)
		json =
		    json_loadb(repaired.data, repaired.len, LOAD_FLAGS, NULL);
	buf_done(&repaired);
	/* Any word is a string then. */
	if (!json_is_object(json) && !json_is_array(json)) {
		json_decref(json);
		json = NULL;
	}
	if (json == NULL)
		err_set(err, ERR_DATA, "%s", why.text);
	return json;
}

struct task *
load_task(const struct broker_item *item, struct err *err)
{
	struct task *task = NULL;

	err->code = ERR_NONE;
	if (task_decode(item->bytes, &task, err) == 0)
		return task;
	return task_salvage(item->bytes, (struct slice){NULL, 0});
}

json_t *
load_record(struct flowrra_client *c, const char *id, struct buf *ret_text,
	    struct err *err)
{
	struct query q = {.client = c,
			  .send = query_send_record,
			  .of_results = true,
			  .key = slice_of(id)};
	struct slice text;
	json_t *record;

	if (query_run(&q, err) != 0)
		return NULL;
	text = (struct slice){q.value.data, q.value.len};
	if (ret_text != NULL && q.present)
		buf_add(ret_text, text.p, text.len);
	record = q.present ? load_json(text, err) : json_null();
	buf_done(&q.value);
	if (record == NULL) {
		err_prefix(err, "cannot parse the answer as JSON");
		err_prefix(err, "the record of task %s", id);
	} else if (!json_is_object(record) && !json_is_null(record)) {
		err_set(err, ERR_DATA,
			"cannot parse the record of task %s: not a JSON object",
			id);
		json_decref(record);
		record = NULL;
	}
	return record;
}
