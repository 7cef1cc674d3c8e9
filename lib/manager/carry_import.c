/* SPDX-License-Identifier: MIT */
/* Importing tasks and records: reading the lines. carry_store.c stores them. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "manager/carry_private.h"
#include "manager/member.h"
#include "manager/task_info.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"

static void
carried_done(struct carried *x)
{
	task_free(x->task);
	buf_done(&x->bytes);
	buf_done(&x->record);
	command_after_done(&x->after);
	*x = (struct carried){.line = 0};
}

struct carry_import *
carry_import_new(struct flowrra_client *c, const struct carry_import_options *o,
		 struct err *err)
{
	struct carry_import *im = calloc(1, sizeof(*im));

	if (im == NULL) {
		err_nomem(err);
		return NULL;
	}
	im->client = c;
	im->opt = *o;
	return im;
}

void
carry_import_free(struct carry_import *im)
{
	size_t i;

	if (im == NULL)
		return;
	for (i = 0; i < CARRY_BATCH; i++)
		carried_done(&im->batch[i]);
	free(im);
}

const struct carry_counts *
carry_import_counts(const struct carry_import *im)
{
	return &im->counts;
}

/* --- reading ----------------------------------------------------------- */

static int
carried_read_queue(const struct carry_import *im, struct carried *x,
		   const json_t *line, struct err *err)
{
	const char *queue =
	    im->opt.queue != NULL ? im->opt.queue : member_text(line, "queue");

	if (queue == NULL)
		return err_set(err, ERR_DATA, "missing \"queue\"");
	if (name_check_queue(slice_of(queue), ERR_DATA, err) != 0)
		return -1;
	memcpy(x->queue, queue, strlen(queue) + 1);
	return 0;
}

/* The task as it came; a dead one that begins again without what it counted. */
static int
carried_read_task(const struct carry_import *im, struct carried *x, bool again,
		  struct err *err)
{
	static const struct task_counters none;
	struct result record;
	struct buf bytes = BUF_INIT;

	if (task_decode((struct slice){x->bytes.data, x->bytes.len}, &x->task,
			err) != 0)
		return -1;
	if (!task_id_valid(slice_of(x->task->id)))
		return err_set(err, ERR_DATA, "the task has no valid ID");
	if (x->task->flow.len > 0)
		return err_set(err, ERR_REFUSED,
			       "task %s is a step of workflow %.*s; steps "
			       "cannot be imported",
			       x->task->id, (int)x->task->flow.len,
			       x->task->flow.p);
	if (again) {
		task_encode_again(x->task, &none, &bytes);
		buf_done(&x->bytes);
		x->bytes = bytes;
	}
	memcpy(x->id, x->task->id, strlen(x->task->id) + 1);
	snprintf(x->key, sizeof(x->key), "import:%s", x->task->id);
	record = result_pending(x->task);
	record.queue = slice_of(x->queue);
	record.times = im->client->conf->worker.foreign_times;
	result_encode(&record, &x->record);
	if (x->record.len > 0)
		x->record.len--; /* the brace */
	buf_adds(&x->record, ",\"" CARRY_MARK "\":true}");
	return x->bytes.failed || x->record.failed ? err_nomem(err) : 0;
}

static int
carried_read_record(struct carried *x, struct err *err)
{
	struct buf scratch = BUF_INIT;
	struct result record = {.task_id = {NULL, 0}};
	int r = result_decode((struct slice){x->bytes.data, x->bytes.len},
			      &scratch, &record, err);

	if (r == 0 && !result_status_final(record.status))
		r = err_set(err, ERR_DATA,
			    "the record is of no task that has "
			    "ended");
	if (r == 0 && !task_id_valid(record.task_id))
		r = err_set(err, ERR_DATA, "the record has no valid ID");
	if (r == 0) {
		memcpy(x->id, record.task_id.p, record.task_id.len);
		x->id[record.task_id.len] = '\0';
		x->failed = record.status == RESULT_FAILED;
	}
	buf_done(&scratch);
	return r;
}

/* A time, or what it waits for. */
static int
carried_read_due(const struct carry_import *im, struct carried *x,
		 const json_t *line, struct err *err)
{
	const json_t *one;
	const char *text;
	size_t i;

	json_array_foreach (json_object_get(line, "after"), i, one) {
		text = json_string_value(one);
		if (text == NULL)
			return err_set(err, ERR_DATA,
				       "\"after\" is not an array of texts");
		if (command_after_add(&x->after, text, err) != 0)
			return -1;
	}
	if (x->after.n > 0 &&
	    strncmp(im->client->conf->broker.url, "sqlite://", 9) != 0)
		return err_set(err, ERR_CONFIG,
			       "tasks wait for others in an embedded database "
			       "only");
	x->at_ms = member_time_us(line, "due_at") / 1000;
	if (x->after.n > 0)
		x->at_ms = 0;
	else if (x->at_ms <= 0)
		return err_set(err, ERR_DATA, "missing \"due_at\"");
	return 0;
}

/* 0: it is one more of the batch; 1: it is to be skipped; -1 with *err. */
static int
carried_read(const struct carry_import *im, struct carried *x,
	     const json_t *line, struct err *err)
{
	const char *kind = member_text(line, "kind");
	const bool dead = kind != NULL && strcmp(kind, "dead") == 0;

	if (kind == NULL)
		return err_set(err, ERR_DATA, "not an object with a \"kind\"");
	if (task_info_get_bytes(line, &x->bytes, err) != 0)
		return -1;
	if (strcmp(kind, "record") == 0)
		return carried_read_record(x, err);
	if (strcmp(kind, "delayed") == 0) {
		if (carried_read_due(im, x, line, err) != 0)
			return -1;
	} else if (strcmp(kind, "waiting") != 0 && !dead) {
		return err_set(err, ERR_DATA, "unknown kind \"%.64s\"", kind);
	}
	if (dead && !im->opt.requeue_dead)
		return 1;
	if (carried_read_queue(im, x, line, err) != 0)
		return -1;
	return carried_read_task(im, x, dead, err);
}

static void
import_refuse(struct carry_import *im, size_t line, const struct err *why)
{
	im->counts.refused++;
	im->opt.on_refused(line, why, im->opt.arg);
}

static int import_flush(struct carry_import *im, struct err *err);

int
carry_import_line(struct carry_import *im, size_t number, struct slice line,
		  struct err *err)
{
	struct carried *x = &im->batch[im->n];
	struct err why = ERR_INIT;
	json_t *object =
	    json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	int r;

	x->line = number;
	r = carried_read(im, x, object, &why);
	json_decref(object);
	if (r < 0)
		import_refuse(im, number, &why);
	im->counts.skipped += r > 0;
	if (r != 0)
		carried_done(x);
	else
		im->n++;
	return im->n == CARRY_BATCH ? import_flush(im, err) : 0;
}

static int
import_flush(struct carry_import *im, struct err *err)
{
	struct carried *x;
	int r = 0;
	size_t i;

	if (!im->opt.dry_run)
		r = carry_store(im, err);
	for (i = 0; i < im->n; i++) {
		x = &im->batch[i];
		if (r == 0 && x->present)
			im->counts.present++;
		else if (r == 0 && x->err.code != ERR_NONE)
			import_refuse(im, x->line, &x->err);
		else if (r == 0)
			im->counts.imported++;
		carried_done(x);
	}
	im->n = 0;
	return r;
}

int
carry_import_end(struct carry_import *im, struct err *err)
{
	return im->n > 0 ? import_flush(im, err) : 0;
}
