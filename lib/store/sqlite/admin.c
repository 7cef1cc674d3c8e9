/* SPDX-License-Identifier: MIT */
/* The SQLite broker: its queues, its workers and its file, for those who run
 * it. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "codec/fields.h"
#include "sqlite/examine.h"
#include "store/sqlite/admin.h"
#include "util/clock.h"

/* To find who has waited longest, the first task of so many levels is looked
 * at, and of so many bytes. */
#define LEVELS_MAX 64
#define LEVELS_BYTES (4u << 20)

/* --- queues and tasks -------------------------------------------------- */

int
sadmin_check_queue(struct slice name, struct err *err)
{
	if (task_name_valid(name, TASK_QUEUE_MAX))
		return 0;
	return err_set(err, ERR_DATA,
		       "\"%.*s\" is not a valid queue name: 1 to %d bytes of "
		       "A-Z a-z 0-9 _ . -",
		       (int)(name.len < 40 ? name.len : 40), name.p,
		       TASK_QUEUE_MAX);
}

int
sadmin_queue_run(struct tx *tx, struct slice name, int64_t *ret_id,
		 struct err *err)
{
	int more = tx_first(tx, err, SQL_QUEUE_FIND, name);

	if (more != 1)
		return more;
	*ret_id = tx_int(tx, SQL_QUEUE_FIND, 0);
	tx_end(tx, SQL_QUEUE_FIND);
	return 1;
}

static int
read_field(const struct field *field, struct slice bytes, struct buf *scratch,
	   void *ret)
{
	const struct fields_in in = {.table = field,
				     .n = 1,
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = scratch};

	return fields_read(&in, bytes, ret, NULL);
}

int64_t
sadmin_submitted_us(struct slice bytes)
{
	static const struct field field = {.name = {"submitted_at", 12},
					   .type = FIELD_TIME};
	struct buf scratch = BUF_INIT;
	int64_t us = 0;

	if (read_field(&field, bytes, &scratch, &us) != 0)
		us = 0;
	buf_done(&scratch);
	return us;
}

bool
sadmin_has_id(struct slice bytes, struct slice id)
{
	static const struct field field = {.name = {"id", 2},
					   .type = FIELD_TEXT};
	struct buf scratch = BUF_INIT;
	struct slice found = {NULL, 0};
	bool has;

	/* Most can be told apart without a look at the whole. */
	if (memmem(bytes.p, bytes.len, id.p, id.len) == NULL &&
	    memchr(bytes.p, '\\', bytes.len) == NULL)
		return false;
	has = read_field(&field, bytes, &scratch, &found) == 0 &&
	      slice_eq(found, id);
	buf_done(&scratch);
	return has;
}

/* --- queues ------------------------------------------------------------ */

/* Columns of QUEUES_SURVEY. */
enum { ID, NAME, WAITING, DELAYED, DEAD, PAUSED, DUE, IN_FLIGHT, SET_ASIDE };

static void
add_time(struct buf *json, const char *name, int64_t us)
{
	char text[CLOCK_TEXT_SIZE];

	if (us == 0) {
		buf_addf(json, ",\"%s\":null", name);
		return;
	}
	clock_format(us, text);
	buf_addf(json, ",\"%s\":\"%s\"", name, text);
}

/* When the one that has waited longest in its level was submitted; 0: none, or
 * it does not say. */
static int
find_oldest(struct tx *tx, int64_t queue, int64_t *ret_us, struct err *err)
{
	int64_t priority = INT64_MIN, us;
	size_t looked_at = 0;
	struct slice bytes;
	int i, more = 1;

	*ret_us = 0;
	for (i = 0; i < LEVELS_MAX && looked_at < LEVELS_BYTES; i++) {
		more = tx_first(tx, err, SQL_WAITING_HEAD, queue, priority);
		if (more != 1)
			break;
		priority = tx_int(tx, SQL_WAITING_HEAD, 0);
		bytes = tx_bytes(tx, SQL_WAITING_HEAD, 1);
		us = sadmin_submitted_us(bytes);
		looked_at += bytes.len;
		tx_end(tx, SQL_WAITING_HEAD);
		if (us > 0 && (*ret_us == 0 || us < *ret_us))
			*ret_us = us;
	}
	return more < 0 ? -1 : 0;
}

static int
add_queue(struct tx *tx, struct buf *json, struct err *err)
{
	const enum statement_index sql = SQL_QUEUES_SURVEY;
	int64_t oldest_us;

	if (find_oldest(tx, tx_int(tx, sql, ID), &oldest_us, err) != 0)
		return -1;
	buf_adds(json, json->len > 1 ? ",{\"queue\":" : "{\"queue\":");
	scan_quote(json, tx_bytes(tx, sql, NAME));
	buf_addf(json,
		 ",\"waiting\":%" PRId64 ",\"delayed\":%" PRId64
		 ",\"in_flight\":%" PRId64 ",\"dead\":%" PRId64,
		 tx_int(tx, sql, WAITING), tx_int(tx, sql, DELAYED),
		 tx_int(tx, sql, IN_FLIGHT), tx_int(tx, sql, DEAD));
	add_time(json, "oldest_at", oldest_us);
	add_time(json, "next_due_at", tx_int(tx, sql, DUE) * 1000);
	buf_addf(json, ",\"paused\":%s,\"set_aside\":%" PRId64 ",\"unknown\":[",
		 tx_int(tx, sql, PAUSED) != 0 ? "true" : "false",
		 tx_int(tx, sql, SET_ASIDE));
	if (slanes_unknown_run(tx, tx_int(tx, sql, ID), json, err) != 0)
		return -1;
	buf_adds(json, "]}");
	return 0;
}

static int
queues_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	const struct slice name = squestion_text(q);
	struct buf *json = &q->value;
	int more = tx_first(tx, err, SQL_QUEUES_SURVEY, name);

	buf_reset(json);
	buf_addc(json, '[');
	for (; more == 1; more = tx_next(tx, err, SQL_QUEUES_SURVEY))
		if (add_queue(tx, json, err) != 0)
			return -1;
	if (json->len == 1 && name.len > 0) {
		buf_adds(json, "{\"queue\":");
		scan_quote(json, name);
		buf_adds(json,
			 ",\"waiting\":0,\"delayed\":0,\"in_flight\":0,"
			 "\"dead\":0,\"oldest_at\":null,\"next_due_at\":null,"
			 "\"paused\":false,\"set_aside\":0,\"unknown\":[]}");
	}
	buf_addc(json, ']');
	q->found = true;
	return more == 0 && json->failed ? err_nomem(err) : more;
}

static void
tell_queues(struct broker *b, struct slice queue, broker_value_fn *on_value,
	    void *arg)
{
	static const struct database_job job = {.run = queues_run,
						.reads = true};
	struct err err;

	if (queue.len > 0 && sadmin_check_queue(queue, &err) != 0)
		squestion_ask(b, &job, &err, queue, on_value, arg);
	else
		squestion_ask(b, &job, NULL, queue, on_value, arg);
}

/* --- workers ----------------------------------------------------------- */

static void
add_worker(struct tx *tx, struct buf *json)
{
	const enum statement_index sql = SQL_WORKERS_SURVEY;
	const struct slice description = tx_bytes(tx, sql, 2);
	const bool alive = tx_int(tx, sql, 3) > tx_now(tx) &&
			   !stakeover_is_dead(tx, tx_int(tx, sql, 0));
	struct scan_value value;

	buf_adds(json, json->len > 1 ? ",{\"worker\":" : "{\"worker\":");
	scan_quote(json, tx_bytes(tx, sql, 1));
	buf_addf(json,
		 ",\"alive\":%s,\"in_flight\":%" PRId64 ",\"description\":",
		 alive ? "true" : "false", tx_int(tx, sql, 4));
	if (scan_check(description, TASK_DEPTH_MAX, &value, NULL) == 0)
		buf_add(json, description.p, description.len);
	else
		buf_adds(json, "null");
	buf_addc(json, '}');
}

static int
workers_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	int more = tx_first(tx, err, SQL_WORKERS_SURVEY);

	buf_reset(&q->value);
	buf_addc(&q->value, '[');
	for (; more == 1; more = tx_next(tx, err, SQL_WORKERS_SURVEY))
		add_worker(tx, &q->value);
	buf_addc(&q->value, ']');
	q->found = true;
	return more == 0 && q->value.failed ? err_nomem(err) : more;
}

static void
tell_workers(struct broker *b, broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = workers_run,
						.reads = true};

	squestion_ask(b, &job, NULL, (struct slice){NULL, 0}, on_value, arg);
}

/* --- the file ---------------------------------------------------------- */

static void
on_finding(const struct finding *f, void *arg)
{
	struct buf *json = arg;

	buf_addf(json, "%s{\"level\":\"%s\",\"what\":",
		 json->data != NULL && json->data[json->len - 1] == '}' ? ","
									: "",
		 f->error ? "error" : "warning");
	scan_quote(json, slice_of(f->what));
	buf_adds(json, ",\"remedy\":");
	scan_quote(json, slice_of(f->remedy));
	buf_addc(json, '}');
}

/* A worker's last word is good for a life from when it was said. */
static int
examine_clock(struct tx *tx, struct buf *json, struct err *err)
{
	static const struct finding back = {
	    .what = "the clock was set back: a worker reported a time in the "
		    "future",
	    .remedy = "check the time service of this machine (timedatectl); "
		      "delayed tasks run late"};
	int64_t latest;

	if (tx_first(tx, err, SQL_WORKERS_LATEST) < 0)
		return -1;
	latest = tx_int(tx, SQL_WORKERS_LATEST, 0);
	tx_end(tx, SQL_WORKERS_LATEST);
	if (latest - BROKER_HEARTBEAT_TTL_S * INT64_C(1000) > tx_now(tx) + 1000)
		on_finding(&back, json);
	return 0;
}

static int
examine_job_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	char clock[CLOCK_TEXT_SIZE];

	buf_reset(&q->value);
	clock_format(tx_now(tx) * 1000, clock);
	buf_addf(&q->value,
		 "{\"server\":\"%s\",\"clock_at\":\"%s\",\"findings\":[",
		 examine_version(), clock);
	if (examine_run(tx, on_finding, &q->value, err) != 0 ||
	    examine_clock(tx, &q->value, err) != 0)
		return -1;
	buf_adds(&q->value, "]}");
	q->found = true;
	return q->value.failed ? err_nomem(err) : 0;
}

static void
examine(struct broker *b, broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = examine_job_run,
						.reads = true};

	squestion_ask(b, &job, NULL, (struct slice){NULL, 0}, on_value, arg);
}

const struct broker_admin_ops broker_sqlite_admin = {
    .queues = tell_queues,
    .workers = tell_workers,
    .view = sadmin_view,
    .examine = examine,
    .pause = sadmin_pause,
    .purge = sadmin_purge,
    .remove = sadmin_withdraw,
    .requeue = sadmin_exhume,
};
