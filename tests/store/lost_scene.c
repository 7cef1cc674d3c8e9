/* SPDX-License-Identifier: MIT */
#include "store/lost_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_cluster.h"
#include "redis_server.h"

struct backend *lost_records;

/* As a worker's, but that all tasks are of "io". */
static bool
on_pending(struct slice record, struct buf *queue, struct buf *ended, void *arg)
{
	const char *status = memmem(record.p, record.len, "\"status\":", 9);

	ck_assert_ptr_nonnull(status);
	ck_assert_ptr_eq(arg, op.worker);
	if (memmem(record.p, record.len, "strange", 7) != NULL)
		return false;
	buf_adds(queue, "io");
	buf_add(ended, record.p, (size_t)(status - record.p));
	buf_adds(ended, "\"status\":\"failed\",\"lost\":true,\"end\":1}");
	return true;
}

void
lost_open(int kind)
{
	stage_open(&op.stage, kind);
	/* A Cluster has records, but not in one step with tasks. */
	op.stage.options.with_results = op.stage.cluster == NULL;
	op.stage.options.has_records = true;
	op.stage.options.on_pending = on_pending;
	op.producer = party_open(&op.stage, NULL);
	op.worker = party_open(&op.stage, "host:a");
	broker_heartbeat(op.worker->broker, SLICE("{}"));
	lost_records = backend_open(&op.stage);
}

void
lost_close(void)
{
	backend_close(lost_records);
	op_close();
}

static void
on_created(struct err *errs, size_t n, void *arg)
{
	*(bool *)arg = true;
}

void
lost_create_record(struct slice id, struct slice record)
{
	bool done = false;
	struct err err;

	results_create(lost_records->results, &id, &record, &err, 1, on_created,
		       &done);
	UNTIL(&op.stage, done);
	ck_assert_int_eq(err.code, ERR_NONE);
}

void
lost_submit(const char *id, const char *record, int32_t priority,
	    int64_t delay_ms)
{
	char bytes[256];
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .record = slice_of(record),
				     .priority = priority,
				     .delay_ms = delay_ms};

	if (!op.stage.options.with_results)
		lost_create_record(task.id, task.record);
	snprintf(bytes, sizeof(bytes), "{\"id\":\"%s\",\"name\":\"n\"}", id);
	task.bytes = slice_of(bytes);
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
}

struct redis_server *
lost_server_of(const char *key)
{
	return op.stage.cluster != NULL
		   ? redis_cluster_server_of(op.stage.cluster, key)
		   : op.stage.server;
}

void
lost_delete_list(void)
{
	if (op.stage.kind == KIND_REDIS)
		redis_server_run(QUEUE_SERVER, "DEL flowrra:queue:io");
	else
		stage_sql(&op.stage, "DELETE FROM waiting WHERE priority = 0");
}

void
lost_tidy(struct party *p, int64_t lost_ms)
{
	const struct broker_limits limits = {.lost_ms = lost_ms,
					     .record_ttl_s = 60};

	broker_tidy(p->broker, &limits);
}

/* Two tasks whose list is deleted, each in rounds of its own, which look at all
 * records: when they have ended, what else is lost would have, too. */
static void
let_all_that_is_lost_end(void)
{
	const char *ids[] = {"gone1", "gone2"}, *record;
	char text[128];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "{\"task_id\":\"%s\",\"status\":\"pending\"}", ids[i]);
		backend_put(&op.stage, lost_records, ids[i], text, false, 0);
		if (op.stage.kind == KIND_SQLITE) {
			/* Of a task that was there once. */
			snprintf(text, sizeof(text),
				 "UPDATE results SET task = (1 << 40) + 9%zu "
				 "WHERE id = '%s'",
				 i, ids[i]);
			stage_sql(&op.stage, text);
		}
		TIDY_LOST_UNTIL(1, op.worker->gone == (int64_t)i + 1);
		record = backend_get(&op.stage, lost_records, ids[i]);
		ck_assert_ptr_nonnull(record);
		ck_assert_ptr_nonnull(strstr(record, "\"lost\":true"));
	}
}

void
ck_not_lost(const char *id, const char *record)
{
	let_all_that_is_lost_end();
	ck_assert_int_eq(op.worker->gone, 2);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, id), record);
}
