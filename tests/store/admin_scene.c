/* SPDX-License-Identifier: MIT */
/* What the tests of operate.h share. */
#include "store/admin_scene.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_cluster.h"
#include "redis_server.h"

struct op op;

/* --- asking ------------------------------------------------------------ */

void
op_forget(void)
{
	size_t i, j;

	for (i = 0; i < op.told.n; i++)
		for (j = 0; j < 5; j++)
			free(op.told.texts[i][j]);
	op.told = (struct told){.times = 0};
}

void
op_on_value(struct slice value, const struct err *err, void *arg)
{
	op.told.times++;
	if (err != NULL)
		op.told.err = *err;
	ck_assert_uint_eq(value.len, 0);
}

void
op_on_queues(const struct queue_stats *queues, size_t n, const struct err *err,
	     void *arg)
{
	op.told.times++;
	ck_assert((err != NULL) == (queues == NULL));
	if (err != NULL)
		op.told.err = *err;
	ck_assert_uint_le(n, TOLD_MAX);
	op.told.n = n;
	if (n > 0)
		memcpy(op.told.queues, queues, n * sizeof(*queues));
}

static void
on_workers(const struct worker_info *workers, size_t n, const struct err *err,
	   void *arg)
{
	size_t i;

	op.told.times++;
	if (err != NULL)
		op.told.err = *err;
	ck_assert_uint_le(n, TOLD_MAX);
	op.told.n = n;
	for (i = 0; i < n; i++) {
		op.told.workers[i] = workers[i];
		snprintf(
		    op.told.descriptions[i], sizeof(op.told.descriptions[i]),
		    "%.*s", (int)workers[i].description.len,
		    workers[i].description.len > 0 ? workers[i].description.p
						   : "");
	}
}

static struct slice
keep(char **text, struct slice s)
{
	*text = strndup(s.p != NULL ? s.p : "", s.len);
	return (struct slice){*text, s.len};
}

void
op_on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct broker_item *item;
	size_t i;

	op.told.times++;
	ck_assert((page == NULL) == (err != NULL));
	if (page == NULL) {
		op.told.err = *err;
		return;
	}
	ck_assert_uint_le(page->n, BROKER_PAGE_MAX);
	ck_assert_uint_lt(page->next.len, sizeof(op.told.next));
	op.told.n = page->n;
	for (i = 0; i < page->n; i++) {
		item = &op.told.items[i];
		*item = page->items[i];
		item->bytes = keep(&op.told.texts[i][0], item->bytes);
		item->limit = keep(&op.told.texts[i][4], item->limit);
		item->worker = keep(&op.told.texts[i][1], item->worker);
		item->key = keep(&op.told.texts[i][2], item->key);
		item->info = keep(&op.told.texts[i][3], item->info);
	}
	snprintf(op.told.next, sizeof(op.told.next), "%.*s",
		 (int)page->next.len, page->next.len > 0 ? page->next.p : "");
}

void
op_wait_told(void)
{
	ck_assert_uint_eq(op.told.times, 0);
	UNTIL(&op.stage, op.told.times > 0);
	ck_assert_uint_eq(op.told.times, 1);
}

static size_t
ask_queues(struct party *p, const char *name)
{
	op_forget();
	broker_queues(p->broker, slice_of(name), op_on_queues, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
	return op.told.n;
}

size_t
op_queues(struct party *p)
{
	return ask_queues(p, "");
}

const struct queue_stats *
op_queue(struct party *p, const char *name)
{
	ck_assert_uint_eq(ask_queues(p, name), 1);
	return &op.told.queues[0];
}

size_t
op_workers(struct party *p)
{
	op_forget();
	broker_workers(p->broker, on_workers, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
	return op.told.n;
}

void
op_view(struct party *p, enum broker_location place, const char *cursor,
	unsigned int n)
{
	char from[512];
	const struct broker_view asked = {.queue = SLICE("io"),
					  .place = place,
					  .cursor = {from, strlen(cursor)},
					  .n = n};

	snprintf(from, sizeof(from), "%s", cursor);
	op_forget();
	broker_view(p->broker, &asked, op_on_page, NULL);
	op_wait_told();
}

const char *
op_view_all(struct party *p, enum broker_location place, unsigned int n)
{
	static char all[64 << 10];
	char cursor[512] = "";
	size_t i, len = 0;

	all[0] = '\0';
	do {
		op_view(p, place, cursor, n);
		ck_assert_msg(op.told.err.code == ERR_NONE, "%s",
			      op.told.err.msg);
		for (i = 0; i < op.told.n; i++)
			len +=
			    (size_t)snprintf(all + len, sizeof(all) - len,
					     "%s ", op.told.items[i].bytes.p);
		ck_assert_uint_lt(len, sizeof(all));
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (cursor[0] != '\0');
	return all;
}

void
op_pause(struct party *p, const char *queue, bool paused)
{
	op_forget();
	broker_pause(p->broker, slice_of(queue), paused, op_on_value, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
}

void
op_purge(struct party *p, unsigned int n)
{
	op_forget();
	broker_purge(p->broker, SLICE("io"), n, op_on_page, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
}

bool
op_withdraw(struct party *p, const char *id)
{
	char cursor[512] = "";

	do {
		op_forget();
		broker_remove(p->broker, SLICE("io"), slice_of(id),
			      slice_of(cursor), op_on_page, NULL);
		op_wait_told();
		ck_assert_msg(op.told.err.code == ERR_NONE, "%s",
			      op.told.err.msg);
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (op.told.n == 0 && cursor[0] != '\0');
	ck_assert_uint_le(op.told.n, 1);
	return op.told.n == 1;
}

static void
on_exhumed(struct broker_requeue *batch, size_t n, void *arg)
{
	*(size_t *)arg += n;
}

void
op_exhume(struct party *p, struct broker_requeue *batch, size_t n)
{
	size_t done = 0;

	broker_requeue(p->broker, SLICE("io"), batch, n, on_exhumed, &done);
	ck_assert_uint_eq(done, 0);
	UNTIL(&op.stage, done > 0);
	ck_assert_uint_eq(done, n);
}

/* --- scenes ------------------------------------------------------------ */

void
op_open(int kind)
{
	stage_open(&op.stage, kind);
	op.producer = party_open(&op.stage, NULL);
	op.worker = party_open(&op.stage, "host:a");
	/* Lists of workers begin with what they say. */
	broker_heartbeat(op.worker->broker, SLICE("{}"));
}

void
op_close(void)
{
	op_forget();
	party_close(op.worker);
	party_close(op.producer);
	stage_close(&op.stage);
}

void
op_submit(const char *bytes, int32_t priority, int64_t delay_ms)
{
	ck_assert_int_eq(
	    party_submit(op.producer, "id", bytes, priority, delay_ms),
	    ERR_NONE);
}

void
op_bury(const char *bytes, const char *id, const char *info)
{
	const size_t i = op.worker->n_claims;

	op_submit(bytes, -9, 0);
	broker_want(op.worker->broker, 0, 1);
	UNTIL(&op.stage, op.worker->n_claims == i + 1);
	party_bury(op.worker, i, id, info);
}

void
op_take(struct party *p, unsigned int n)
{
	const size_t before = p->n_claims;

	broker_want(p->broker, 0, n);
	UNTIL(&op.stage, p->n_claims == before + n);
}

void
op_nothing_comes(struct party *p)
{
	const size_t before = p->n_claims;

	stage_linger(&op.stage, 150);
	ck_assert_uint_eq(p->n_claims, before);
}

void
op_silence(const char *name)
{
	char command[256];

	if (op.stage.cluster != NULL) {
		snprintf(command, sizeof(command), "flowrra:worker:%s", name);
		freeReplyObject(redis_cluster_command(op.stage.cluster, command,
						      "DEL %s", command));
		return;
	}
	if (op.stage.kind == KIND_REDIS) {
		redis_server_run(op.stage.server, "DEL flowrra:worker:%s",
				 name);
		return;
	}
	snprintf(command, sizeof(command),
		 "UPDATE workers SET expires = 1 WHERE name = '%s'", name);
	stage_sql(&op.stage, command);
}
