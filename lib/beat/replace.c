/* SPDX-License-Identifier: MIT */
/*
 * Ends the tasks of earlier fires.
 *
 * A task is looked for in rounds, in the direction in which tasks move: its
 * record says whether it has ended; then its queue, out of which it is taken;
 * then the workers, who are told. The rounds follow one another until the record
 * is final, for at most REPLACE_US. They need no timer: the schedule stays due,
 * and each time that it is claimed it asks for one more.
 *
 * A scheduler may die between any two steps. The next one finds the schedule due
 * and the task as it was left, and begins from the start. A task that was taken
 * out and whose record does not say so is nowhere, which two rounds find out.
 */
#include "beat/replace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "beat/trace.h"
#include "codec/cancelled.h"
#include "codec/order.h"
#include "codec/result_json.h"
#include "store/admin.h"
#include "store/flow.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

#define US_PER_S INT64_C(1000000)
/* How soon the next round follows: a store answers within a millisecond, a
 * handler ends within some, or takes its time. Doubled up to four times. */
#define ROUND_US INT64_C(20000)
#define ROUND_DOUBLED 4
/* Workers are told once more: one that was just connecting has not heard it. A
 * worker that hears it twice keeps an id that does not come again. */
#define ORDER_US US_PER_S
/* What was asked for so long ago is forgotten: the schedule was changed. Longer
 * than a claim that failed is repeated. */
#define FORGET_US (10 * US_PER_S)

struct victim {
	TAILQ_ENTRY(victim) link;
	struct replace *replace;
	char *schedule;
	char id[TASK_ID_MAX + 1];
	char queue[TASK_QUEUE_MAX + 1];
	/* Of the monotonic clock; 0: never. */
	int64_t begun_us, asked_us, ordered_us;
	bool wanted; /* a round, since it was asked for */
	bool busy;   /* a round is under way */
	bool over;   /* nothing is to be waited for */
	unsigned int rounds, nowhere;
	struct buf record, cursor; /* as found; of the page to come */
	enum result_status status;
	bool foreign; /* by its record, if it is not found either */
	enum schedule_work work;
	struct trace trace;
	struct buf ended; /* the record that is being stored */
	struct results_put put;
	struct err trouble; /* of the last round */
};
TAILQ_HEAD(victims, victim);

struct replace {
	struct replace_options opt;
	struct victims victims;
	size_t storing;
};

struct replace *
replace_new(const struct replace_options *options)
{
	struct replace *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->opt = *options;
	TAILQ_INIT(&r->victims);
	return r;
}

static void
drop_victim(struct victim *v)
{
	TAILQ_REMOVE(&v->replace->victims, v, link);
	trace_done(&v->trace);
	buf_done(&v->record);
	buf_done(&v->cursor);
	buf_done(&v->ended);
	free(v->schedule);
	free(v);
}

void
replace_free(struct replace *r)
{
	struct victim *v, *next;

	if (r == NULL)
		return;
	for (v = TAILQ_FIRST(&r->victims); v != NULL; v = next) {
		next = TAILQ_NEXT(v, link);
		drop_victim(v);
	}
	free(r);
}

void
replace_set_conf(struct replace *r, const struct conf *conf)
{
	r->opt.conf = conf;
}

bool
replace_is_storing(const struct replace *r)
{
	return r->storing > 0;
}

/* --- the end of a round -------------------------------------------------- */

static void
end_round(struct victim *v)
{
	v->busy = false;
	v->rounds++;
}

/* A task that is over: NULL says that there is nothing to be said. */
static void
end_victim(struct victim *v, enum log_level level, const char *what)
{
	const struct log_subject about = {
	    .schedule = v->schedule, .task_id = v->id, .queue = v->queue};

	if (!v->over && what != NULL)
		log_about(level, &about, "%s %s %s",
			  schedule_work_name(v->work), v->id, what);
	v->over = true;
	end_round(v);
}

static void
give_up_victim(struct victim *v)
{
	const struct log_subject about = {.schedule = v->schedule,
					  .task_id = v->id};
	const double s = (double)(clock_mono_us() - v->begun_us) / US_PER_S;

	if (v->over)
		return;
	v->over = true;
	log_about(LOG_LEVEL_warning, &about,
		  "%s %s has not ended within %.1f s of being cancelled%s%s; "
		  "the later fire of its schedule may run beside it",
		  schedule_work_name(v->work), v->id, s,
		  v->trouble.code != ERR_NONE ? ": " : "",
		  v->trouble.code != ERR_NONE ? v->trouble.msg : "");
}

/* --- the record ---------------------------------------------------------- */

static void
on_victim_stored(struct results_put *put)
{
	struct victim *v = put->arg;
	struct replace *r = v->replace;

	if (put->answer == RESULTS_STORED)
		results_changed(r->opt.results, put->record);
	r->storing--;
	end_victim(v, LOG_LEVEL_info,
		   "was cancelled: a later fire of its schedule replaces it");
	if (r->storing == 0)
		r->opt.on_stored(r->opt.arg);
}

/* It is in no queue any more. */
static void
store_ended(struct victim *v)
{
	const struct conf *conf = v->replace->opt.conf;
	struct err err = ERR_INIT;

	buf_reset(&v->ended);
	if (cancelled_write((struct slice){v->record.data, v->record.len},
			    conf->worker.foreign_times, &v->ended, &err) != 0) {
		end_victim(v, LOG_LEVEL_error, err.msg);
		return;
	}
	v->put = (struct results_put){
	    .id = slice_of(v->id),
	    .record = {v->ended.data, v->ended.len},
	    .final = true,
	    .failed = true,
	    /* Whole seconds, rounded up; 0 means for ever, here and there. */
	    .ttl_s = (conf->backend.ttl + US_PER_S - 1) / US_PER_S,
	    .on_done = on_victim_stored,
	    .arg = v};
	v->replace->storing++;
	results_put(v->replace->opt.results, &v->put);
}

/* --- the workers --------------------------------------------------------- */

/*
 * One that is nowhere in two rounds, with the same record, is lost, or was taken
 * out by a scheduler that died. Workers of other programs take a task out of its
 * queue and name nobody in the record.
 */
static void
on_victim_traced(enum trace_end end, void *arg)
{
	struct victim *v = arg;

	if (end != TRACE_NOWHERE || v->nowhere++ == 0)
		end_round(v);
	else if (v->foreign)
		end_victim(v, LOG_LEVEL_warning,
			   "runs at a worker of another program, which takes "
			   "no commands; the later fire of its schedule runs "
			   "beside it");
	else
		store_ended(v);
}

static void
on_victim_ordered(struct slice value, const struct err *err, void *arg)
{
	struct victim *v = arg;

	if (err != NULL)
		v->trouble = *err;
	else
		v->ordered_us = clock_mono_us();
	/* Not yet: the first time, it is on its way somewhere. */
	if (v->rounds == 0 || err != NULL) {
		end_round(v);
		return;
	}
	memcpy(v->trace.queue, v->queue, sizeof(v->queue));
	v->trace.broker = v->replace->opt.broker;
	v->trace.id = v->id;
	v->trace.on_end = on_victim_traced;
	v->trace.arg = v;
	trace_start(&v->trace);
}

static void
order_victim(struct victim *v)
{
	const struct order order = {.kind = ORDER_CANCEL,
				    .subject = slice_of(v->id)};
	struct buf message = BUF_INIT;

	if (v->ordered_us != 0 && clock_mono_us() - v->ordered_us < ORDER_US) {
		on_victim_ordered((struct slice){NULL, 0}, NULL, v);
		return;
	}
	order_write(&order, &message);
	if (message.failed) {
		err_nomem(&v->trouble);
		end_round(v);
	} else {
		broker_control(v->replace->opt.broker,
			       (struct slice){message.data, message.len},
			       on_victim_ordered, v);
	}
	buf_done(&message);
}

/* --- the queue ----------------------------------------------------------- */

static void remove_victim(struct victim *v);

/* In a long queue it may take many pages, and the fire does not wait for all. */
static void
on_victim_removed(const struct broker_page *page, const struct err *err,
		  void *arg)
{
	struct victim *v = arg;

	if (page == NULL) {
		v->trouble = *err;
		end_round(v);
		return;
	}
	buf_reset(&v->cursor);
	buf_add(&v->cursor, page->next.p, page->next.len);
	if (page->n > 0)
		store_ended(v);
	else if (v->over || v->cursor.failed)
		end_round(v);
	else if (v->cursor.len > 0)
		remove_victim(v);
	else
		order_victim(v);
}

static void
remove_victim(struct victim *v)
{
	broker_remove(v->replace->opt.broker, slice_of(v->queue),
		      slice_of(v->id),
		      (struct slice){v->cursor.data, v->cursor.len},
		      on_victim_removed, v);
}

/* --- workflows ----------------------------------------------------------- */

/* Its steps that run go on to their end, and are waited for. */
static void
on_flow_cancelled(struct slice value, const struct err *err, void *arg)
{
	struct victim *v = arg;
	enum flow_state state;

	v->trouble = err != NULL ? *err : (struct err)ERR_INIT;
	if (err != NULL && err->code == ERR_NOT_FOUND)
		end_victim(v, LOG_LEVEL_debug, "is gone: it has ended");
	else if (err == NULL && flow_state_parse(value, &state) == 0 &&
		 flow_state_has_ended(state))
		end_victim(v, LOG_LEVEL_info,
			   "has ended: a later fire of its schedule replaces "
			   "it");
	else
		end_round(v);
}

/* --- a round ------------------------------------------------------------- */

/* Keeps what the record says; false: it is no record, or out of memory. Another
 * record than before: the task is somewhere. */
static bool
read_record(struct victim *v, struct slice bytes)
{
	struct buf repaired = BUF_INIT, scratch = BUF_INIT;
	struct result record;
	struct slice json;
	bool read;

	if (!slice_eq(bytes, (struct slice){v->record.data, v->record.len}))
		v->nowhere = 0;
	buf_reset(&v->record);
	buf_add(&v->record, bytes.p, bytes.len);
	read = !v->record.failed &&
	       result_decode_repaired(bytes, &repaired, &scratch, &json,
				      &record, NULL) == 0;
	if (read) {
		v->status = record.status;
		v->foreign =
		    record.status != RESULT_PENDING && record.worker.len == 0;
		if (record.queue.len > 0 &&
		    record.queue.len <= TASK_QUEUE_MAX) {
			memcpy(v->queue, record.queue.p, record.queue.len);
			v->queue[record.queue.len] = '\0';
		}
	}
	buf_done(&repaired);
	buf_done(&scratch);
	return read;
}

/* A search in a long queue is dear, and a running task is not there. */
static void
on_victim_record(struct slice bytes, const struct err *err, void *arg)
{
	struct victim *v = arg;

	v->trouble = err != NULL ? *err : (struct err)ERR_INIT;
	if (err != NULL || v->over) {
		end_round(v);
	} else if (bytes.len == 0) {
		end_victim(v, LOG_LEVEL_debug, "has no record: it has ended");
	} else if (!read_record(v, bytes)) {
		end_victim(v, LOG_LEVEL_warning,
			   "has a record that cannot be read: it counts as "
			   "over");
	} else if (result_status_final(v->status)) {
		end_victim(v, LOG_LEVEL_info,
			   v->ordered_us != 0
			       ? "has ended: a later fire of its schedule "
				 "replaces it"
			       : NULL);
	} else if (v->status == RESULT_RUNNING) {
		order_victim(v);
	} else {
		buf_reset(&v->cursor);
		remove_victim(v);
	}
}

static void
begin_round(struct victim *v)
{
	if (v->work == SCHEDULE_WORKFLOW)
		broker_flow_cancel(v->replace->opt.broker, slice_of(v->id),
				   on_flow_cancelled, v);
	else
		results_get(v->replace->opt.results, slice_of(v->id),
			    on_victim_record, v);
}

/* Before a task is asked for after so long, its record is (lookup.h): so what is
 * forgotten here is not found again. */
void
replace_go_on(struct replace *r)
{
	const int64_t before_us = clock_mono_us() - FORGET_US;
	struct victim *v, *next;

	for (v = TAILQ_FIRST(&r->victims); v != NULL; v = next) {
		next = TAILQ_NEXT(v, link);
		if (v->wanted && !v->busy && !v->over) {
			v->wanted = false;
			v->busy = true;
			begin_round(v);
		} else if (!v->busy && v->asked_us < before_us) {
			drop_victim(v);
		}
	}
}

/* --- asking -------------------------------------------------------------- */

static struct victim *
find_victim(struct replace *r, const char *id)
{
	struct victim *v;

	TAILQ_FOREACH (v, &r->victims, link)
		if (strcmp(v->id, id) == 0)
			return v;
	return NULL;
}

static struct victim *
make_victim(struct replace *r, const struct replace_task *task)
{
	struct victim *v = calloc(1, sizeof(*v));

	if (v == NULL || (v->schedule = strdup(task->schedule)) == NULL) {
		free(v);
		return NULL;
	}
	v->replace = r;
	v->work = task->work;
	snprintf(v->id, sizeof(v->id), "%s", task->id);
	snprintf(v->queue, sizeof(v->queue), "%s", task->queue);
	v->begun_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&r->victims, v, link);
	return v;
}

/* Without memory the fire is not held up. */
int64_t
replace_wait(struct replace *r, const struct replace_task *task)
{
	struct victim *v = find_victim(r, task->id);

	if (v == NULL && (v = make_victim(r, task)) == NULL)
		return 0;
	v->asked_us = clock_mono_us();
	if (!v->over && v->asked_us - v->begun_us >= REPLACE_US)
		give_up_victim(v);
	if (v->over)
		return 0;
	v->wanted = true;
	return ROUND_US << (v->rounds < ROUND_DOUBLED ? v->rounds
						      : ROUND_DOUBLED);
}

void
replace_give_up(struct replace *r, const struct replace_task *task)
{
	struct victim *v = find_victim(r, task->id);

	if (v != NULL)
		give_up_victim(v);
}
