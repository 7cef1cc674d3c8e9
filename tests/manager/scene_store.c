/* SPDX-License-Identifier: MIT */
/* The scene: its broker and its backend, over what a test has put in. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/scene_private.h"
#include "suite.h"

static void
answer_text(enum scene_call call, struct slice what, broker_value_fn *on_value,
	    void *arg, const char *text)
{
	struct scene_answer *a = scene_called(
	    call, what,
	    (struct scene_answer){.on_value = on_value, .arg = arg});

	if (a != NULL && text != NULL)
		a->value = slice_of(text);
}

/* --- the broker: one value ----------------------------------------------- */

/* Of those that wait, by what the test has said of each. */
static int64_t
scene_held(const char *name)
{
	int64_t n = 0;
	size_t k;

	for (k = 0; k < scene_data.n_items; k++)
		n += scene_data.items[k].queue == name &&
		     !scene_data.items[k].gone &&
		     scene_data.items[k].place == BROKER_WAITING &&
		     scene_data.items[k].item.held;
	return n;
}

static void
fill_stats(struct queue_stats *stats, size_t i)
{
	const char *name = scene_data.queues[i].name;
	int64_t due_us = 0, time_us;
	size_t k;

	for (k = 0; k < scene_data.n_items; k++) {
		time_us = scene_data.items[k].item.time_ms * 1000;
		if (scene_data.items[k].queue == name &&
		    !scene_data.items[k].gone &&
		    scene_data.items[k].place == BROKER_DELAYED &&
		    (due_us == 0 || time_us < due_us))
			due_us = time_us;
	}
	*stats = (struct queue_stats){
	    .waiting = (int64_t)scene_count(name, BROKER_WAITING),
	    .delayed = (int64_t)scene_count(name, BROKER_DELAYED),
	    .in_flight = (int64_t)scene_count(name, BROKER_IN_FLIGHT),
	    .dead = (int64_t)scene_count(name, BROKER_DEAD),
	    .next_due_us = due_us,
	    .paused = scene_data.queues[i].paused,
	    .held = scene_held(name),
	    .unknown = scene.unknown};
	snprintf(stats->name, sizeof(stats->name), "%s", name);
}

static void
scene_queues(struct broker *b, struct slice name, broker_queues_fn *on_queues,
	     void *arg)
{
	struct scene_answer *a = scene_called(
	    SCENE_queues, name,
	    (struct scene_answer){.on_queues = on_queues, .arg = arg});
	size_t i;

	for (i = 0; a != NULL && i < scene_data.n_queues; i++)
		if (name.len == 0 ||
		    slice_eq(name, slice_of(scene_data.queues[i].name)))
			fill_stats(&a->queues[a->n++], i);
	if (a != NULL && name.len > 0 && a->n == 0)
		snprintf(a->queues[a->n++].name, sizeof(a->queues[0].name),
			 "%.*s", (int)name.len, name.p);
}

static void
scene_workers(struct broker *b, broker_workers_fn *on_workers, void *arg)
{
	scene_called(
	    SCENE_workers, SLICE(""),
	    (struct scene_answer){.on_workers = on_workers, .arg = arg});
}

/* With the time of the newest, as it is now. */
static void
scene_find(struct broker *b, enum broker_location place,
	   broker_found_fn *on_found, void *arg)
{
	static const char *const names[] = {"waiting", "delayed", "in_flight",
					    "dead"};
	struct scene_answer *a = scene_called(
	    SCENE_find, slice_of(names[place]),
	    (struct scene_answer){.on_found = on_found, .arg = arg});
	const struct scene_item *one;
	struct queue_found *found;
	size_t i, k;

	for (i = 0; a != NULL && i < scene_data.n_queues; i++) {
		if (scene_count(scene_data.queues[i].name, place) == 0)
			continue;
		found = &a->found[a->n++];
		snprintf(found->name, sizeof(found->name), "%s",
			 scene_data.queues[i].name);
		for (k = 0; k < scene_data.n_items; k++) {
			one = &scene_data.items[k];
			if (one->queue == scene_data.queues[i].name &&
			    one->place == place && !one->gone &&
			    one->item.time_ms > found->newest_ms)
				found->newest_ms = one->item.time_ms;
		}
	}
}

static void
scene_examine(struct broker *b, broker_report_fn *on_report, void *arg)
{
	scene_called(SCENE_examine, SLICE(""),
		     (struct scene_answer){.on_report = on_report, .arg = arg});
}

static int
scene_defer(struct broker *b, broker_deferred_fn *fn, void *arg)
{
	scene_answer_later((struct scene_answer){.on_turn = fn, .arg = arg});
	return 0;
}

static void
scene_pause(struct broker *b, struct slice name, bool paused,
	    broker_value_fn *on_value, void *arg)
{
	char *queue = scene_keep(name.p, name.len);

	answer_text(SCENE_pause, name, on_value, arg, NULL);
	scene_queue(queue, paused);
}

static void
scene_registered(struct broker *b, struct slice name, broker_value_fn *on_value,
		 void *arg)
{
	answer_text(SCENE_registered, name, on_value, arg, NULL);
}

static void
scene_names(struct broker *b, broker_names_fn *on_names, void *arg)
{
	scene_called(SCENE_names, SLICE(""),
		     (struct scene_answer){.on_names = on_names, .arg = arg});
}

static void
scene_registry(struct broker *b, broker_entries_fn *on_entries, void *arg)
{
	scene_called(
	    SCENE_registry, SLICE(""),
	    (struct scene_answer){.on_entries = on_entries, .arg = arg});
}

static void
scene_control(struct broker *b, struct slice message, broker_value_fn *on_sent,
	      void *arg)
{
	answer_text(SCENE_control, message, on_sent, arg, NULL);
}

/* --- the broker: pages --------------------------------------------------- */

static struct slice
cursor_text(size_t at)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", at);
	return slice_of(scene_keep_text(text));
}

/* The last that was put in comes first; the cursor says from where. */
static void
fill_page_until(struct scene_answer *a, struct slice queue, unsigned int places,
		struct slice cursor, unsigned int n,
		const struct broker_view *view)
{
	int64_t skip = cursor.len == 0 && view != NULL ? view->skip : 0;
	size_t i =
	    cursor.len > 0 ? strtoul(cursor.p, NULL, 10) : scene_data.n_items;

	if (scene.page_max != 0 && n > scene.page_max)
		n = scene.page_max;
	ck_assert_uint_le(n, BROKER_PAGE_MAX);
	for (; i > 0; i--) {
		if (scene_data.items[i - 1].gone ||
		    (places & 1u << scene_data.items[i - 1].place) == 0 ||
		    !slice_eq(queue, slice_of(scene_data.items[i - 1].queue)))
			continue;
		if (view != NULL && cursor.len == 0 && view->until_ms != 0 &&
		    scene_data.items[i - 1].item.time_ms > view->until_ms)
			continue;
		if (view != NULL && view->key.len > 0 &&
		    !slice_eq(view->key, scene_data.items[i - 1].item.key))
			continue;
		if (skip-- > 0)
			continue;
		if (a->n == n) {
			a->value = cursor_text(i);
			break;
		}
		a->items[a->n++] = scene_data.items[i - 1].item;
	}
}

static void
fill_page(struct scene_answer *a, struct slice queue, unsigned int places,
	  struct slice cursor, unsigned int n)
{
	fill_page_until(a, queue, places, cursor, n, NULL);
}

static void
scene_view(struct broker *b, const struct broker_view *view,
	   broker_page_fn *on_page, void *arg)
{
	struct scene_answer *a =
	    scene_called(SCENE_view, view->queue,
			 (struct scene_answer){.on_page = on_page, .arg = arg});

	if (a != NULL)
		fill_page_until(a, view->queue, 1u << view->place, view->cursor,
				view->n, view);
}

#define WITHDRAWABLE (1u << BROKER_WAITING | 1u << BROKER_DELAYED)

static void
take_out(const struct broker_item *item)
{
	size_t i;

	for (i = 0; i < scene_data.n_items; i++)
		if (scene_data.items[i].item.bytes.p == item->bytes.p)
			scene_data.items[i].gone = true;
}

static void
scene_purge(struct broker *b, struct slice queue, unsigned int n,
	    broker_page_fn *on_page, void *arg)
{
	struct scene_answer *a =
	    scene_called(SCENE_purge, queue,
			 (struct scene_answer){.on_page = on_page, .arg = arg});
	size_t i;

	if (a == NULL)
		return;
	fill_page(a, queue, WITHDRAWABLE, SLICE(""), n);
	for (i = 0; i < a->n; i++)
		take_out(&a->items[i]);
}

/* Looks at page_max of them in each call, as stores do that have no index. */
static void
scene_remove(struct broker *b, struct slice queue, struct slice id,
	     struct slice cursor, broker_page_fn *on_page, void *arg)
{
	struct scene_answer *a =
	    scene_called(SCENE_remove, queue,
			 (struct scene_answer){.on_page = on_page, .arg = arg});
	char wanted[64];
	size_t i, n;

	if (a == NULL)
		return;
	fill_page(a, queue, WITHDRAWABLE, cursor, BROKER_PAGE_MAX);
	snprintf(wanted, sizeof(wanted), "\"id\":\"%.*s\"", (int)id.len, id.p);
	for (i = 0, n = a->n, a->n = 0; i < n && a->n == 0; i++)
		if (strstr(a->items[i].bytes.p, wanted) != NULL)
			a->items[a->n++] = a->items[i];
	if (a->n > 0) {
		take_out(&a->items[0]);
		a->value = (struct slice){NULL, 0};
	}
}

/* It is due at noon. */
static void
scene_hasten(struct broker *b, struct slice queue, struct slice id,
	     struct slice cursor, broker_page_fn *on_page, void *arg)
{
	struct scene_answer *a =
	    scene_called(SCENE_hasten, queue,
			 (struct scene_answer){.on_page = on_page, .arg = arg});
	char wanted[64];
	size_t i;

	snprintf(wanted, sizeof(wanted), "\"id\":\"%.*s\"", (int)id.len, id.p);
	for (i = 0; a != NULL && i < scene_data.n_items && a->n == 0; i++)
		if (scene_data.items[i].place == BROKER_DELAYED &&
		    slice_eq(queue, slice_of(scene_data.items[i].queue)) &&
		    strstr(scene_data.items[i].item.bytes.p, wanted) != NULL) {
			scene_data.items[i].item.time_ms = SCENE_NOON_MS;
			a->items[a->n++] = scene_data.items[i].item;
		}
}

static void
requeue_one(struct slice queue, struct broker_requeue *one)
{
	size_t i;

	for (i = 0; i < scene_data.n_items && !one->found; i++) {
		if (scene_data.items[i].gone ||
		    scene_data.items[i].place != BROKER_DEAD ||
		    !slice_eq(queue, slice_of(scene_data.items[i].queue)) ||
		    !slice_eq(one->key, scene_data.items[i].item.key))
			continue;
		scene_data.items[i].gone = true;
		one->found = !scene.hide_next;
		if (one->retry_bytes.len > 0 && one->found)
			scene_put(scene_data.items[i].queue, BROKER_WAITING,
				  scene_keep(one->retry_bytes.p,
					     one->retry_bytes.len),
				  0)
			    ->priority = one->priority;
	}
}

static void
scene_requeue(struct broker *b, struct slice queue,
	      struct broker_requeue *batch, size_t n,
	      broker_requeued_fn *on_done, void *arg)
{
	struct scene_answer *a = scene_called(
	    SCENE_requeue, queue,
	    (struct scene_answer){
		.on_requeued = on_done, .batch = batch, .n = n, .arg = arg});
	size_t i;

	ck_assert_uint_le(n, BROKER_PAGE_MAX);
	for (i = 0; i < n; i++)
		if (a != NULL)
			requeue_one(queue, &batch[i]);
		else
			batch[i].err = *scene_fault(SCENE_requeue);
}

static void
scene_limits(struct broker *b, struct slice queue, broker_limits_fn *on_limits,
	     void *arg)
{
	on_limits(scene.limits, scene.n_limits, SLICE(""), NULL, arg);
}

static const struct broker_admin_ops admin_ops = {.defer = scene_defer,
						  .queues = scene_queues,
						  .find = scene_find,
						  .workers = scene_workers,
						  .view = scene_view,
						  .examine = scene_examine,
						  .pause = scene_pause,
						  .purge = scene_purge,
						  .remove = scene_remove,
						  .hasten = scene_hasten,
						  .requeue = scene_requeue,
						  .limits_get = scene_limits};

static void
scene_broker_close(struct broker *b)
{
}

static const char *
scene_broker_name(const struct broker *b)
{
	return "broker of the scene";
}

const struct broker_ops scene_broker_ops = {.close = scene_broker_close,
					    .name = scene_broker_name,
					    .registered = scene_registered,
					    .registered_names = scene_names,
					    .registry = scene_registry,
					    .control = scene_control,
					    .admin = &admin_ops};

/* --- the backend --------------------------------------------------------- */

static void
scene_results_close(struct results *r)
{
}

static const char *
scene_results_name(const struct results *r)
{
	return "backend of the scene";
}

static void
store_record(struct slice id, struct slice record)
{
	scene_record(scene_keep(id.p, id.len),
		     scene_keep(record.p, record.len));
}

static void
scene_results_put(struct results *r, struct results_put *put)
{
	if (scene_called(SCENE_put, put->id,
			 (struct scene_answer){.put = put}) != NULL)
		store_record(put->id, put->record);
}

static void
scene_results_get(struct results *r, struct slice id,
		  results_record_fn *on_record, void *arg)
{
	answer_text(SCENE_get, id, on_record, arg,
		    scene_record_of(scene_keep(id.p, id.len)));
}

static void
scene_results_event(struct results *r, enum results_detail detail,
		    struct slice event)
{
	/* A brief one goes beside each whole one. */
	if (detail == RESULTS_BRIEF)
		return;
	buf_addf(&scene.events, "%.*s; ", (int)event.len, event.p);
}

static int
scene_results_listen(struct results *r, const struct results_ear *ear,
		     struct err *err)
{
	const char *const *event = scene.heard;

	scene_listener(ear);
	buf_adds(&scene.journal, ear != NULL ? "listen; " : "unlisten; ");
	if (ear != NULL && scene_fault(SCENE_listen)->code != ERR_NONE) {
		*err = *scene_fault(SCENE_listen);
		return -1;
	}
	if (ear != NULL && ear->on_ready != NULL)
		scene_answer_later((struct scene_answer){.event = NULL});
	for (; ear != NULL && *event != NULL; event++)
		scene_answer_later((struct scene_answer){.event = *event});
	return 0;
}

static void
scene_results_list(struct results *r, bool failed, struct slice cursor,
		   unsigned int n, results_page_fn *on_page, void *arg)
{
	const char *wanted =
	    failed ? "\"status\":\"failed\"" : "\"status\":\"success\"";
	struct scene_answer *a = scene_called(
	    SCENE_list, SLICE(""),
	    (struct scene_answer){.on_records = on_page, .arg = arg});
	size_t i =
	    cursor.len > 0 ? strtoul(cursor.p, NULL, 10) : scene_data.n_records;

	ck_assert_uint_le(n, RESULTS_PAGE_MAX);
	if (scene.page_max != 0 && n > scene.page_max)
		n = scene.page_max;
	for (; a != NULL && i > 0; i--) {
		if (strstr(scene_data.records[i - 1].json, wanted) == NULL)
			continue;
		if (a->n == n) {
			a->value = cursor_text(i);
			break;
		}
		a->records[a->n++] = slice_of(scene_data.records[i - 1].json);
	}
}

/* Noted as "minute 1795435200". */
static void
scene_results_measures(struct results *r, enum measure_step step,
		       int64_t begin_s, results_measures_fn *on_measures,
		       void *arg)
{
	char what[64];

	snprintf(what, sizeof(what), "%s %" PRId64,
		 step == MEASURE_MINUTE ? "minute"
		 : step == MEASURE_HOUR ? "hour"
					: "total",
		 begin_s);
	scene_called(SCENE_measures, slice_of(what),
		     (struct scene_answer){.on_measures = on_measures,
					   .step = step,
					   .begin_s = begin_s,
					   .arg = arg});
}

static void
scene_results_counts(struct results *r, results_counts_fn *on_counts, void *arg)
{
	scene_called(SCENE_counts, SLICE(""),
		     (struct scene_answer){.on_counts = on_counts, .arg = arg});
}

static void
scene_results_reopen(struct results *r, struct slice id, struct slice record,
		     results_record_fn *on_done, void *arg)
{
	if (scene_called(
		SCENE_reopen, id,
		(struct scene_answer){.on_value = on_done, .arg = arg}) != NULL)
		store_record(id, record);
}

const struct results_ops scene_results_ops = {.close = scene_results_close,
					      .name = scene_results_name,
					      .put = scene_results_put,
					      .get = scene_results_get,
					      .event = scene_results_event,
					      .listen = scene_results_listen,
					      .list = scene_results_list,
					      .counts = scene_results_counts,
					      .measures =
						  scene_results_measures,
					      .reopen = scene_results_reopen};
