/* SPDX-License-Identifier: MIT */
/* A client whose broker and backend lie in memory. */
#include "manager/scene.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "client/registry.h"
#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"

struct scene scene;

/* What a test puts in lives until the end: slices of answers point to it. */
#define ITEMS_MAX 4096
#define NAMES_MAX 32

static struct place {
	const char *queue;
	enum broker_location place;
	struct broker_item item;
	bool gone;
} items[ITEMS_MAX];
static size_t n_items;

static struct {
	const char *name;
	bool paused;
} queues[NAMES_MAX];
static size_t n_queues;

static struct {
	const char *id, *json;
} records[ITEMS_MAX];
static size_t n_records;

static json_t *workers;

static struct fault {
	unsigned int skip, times;
	struct err err;
	const char *garbled;
} faults[SCENE_N_CALLS];

static void *kept[ITEMS_MAX * 8];
static size_t n_kept;

static void *
keep(const void *p, size_t len)
{
	char *copy = malloc(len + 1);

	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_lt(n_kept, sizeof(kept) / sizeof(kept[0]));
	memcpy(copy, p, len);
	copy[len] = '\0';
	return kept[n_kept++] = copy;
}

static const char *
keep_text(const char *text)
{
	return keep(text, strlen(text));
}

/* Also of what is printed in C source: ' for ". */
static const char *
keep_json(const char *text)
{
	char *copy = keep(text, strlen(text)), *p;

	for (p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

/* --- what is there ------------------------------------------------------- */

static size_t
queue_at(const char *name)
{
	size_t i;

	for (i = 0; i < n_queues; i++)
		if (strcmp(queues[i].name, name) == 0)
			break;
	return i;
}

void
scene_queue(const char *name, bool paused)
{
	const size_t i = queue_at(name);

	if (i == n_queues) {
		ck_assert_uint_lt(n_queues++, NAMES_MAX);
		queues[i].name = keep_text(name);
	}
	queues[i].paused = paused;
}

struct broker_item *
scene_put(const char *queue, enum broker_location place, const char *json,
	  int64_t time_ms)
{
	struct place *at = &items[n_items];

	ck_assert_uint_lt(n_items++, ITEMS_MAX);
	if (queue_at(queue) == n_queues)
		scene_queue(queue, false);
	*at = (struct place){
	    .queue = queues[queue_at(queue)].name,
	    .place = place,
	    .item = {.bytes = slice_of(keep_json(json)), .time_ms = time_ms}};
	return &at->item;
}

struct broker_item *
scene_task(const char *queue, enum broker_location place, const char *id,
	   int64_t time_ms)
{
	struct buf json = BUF_INIT;
	struct broker_item *item;

	buf_addf(&json,
		 "{'id':'%s','name':'add','args':[1],'submitted_at':"
		 "'2026-11-23T12:00:00Z','current_retry':1}",
		 id);
	item = scene_put(queue, place, json.data, time_ms);
	buf_done(&json);
	return item;
}

void
scene_dead(const char *queue, const char *id, int64_t time_ms, const char *info)
{
	struct broker_item *item = scene_task(queue, BROKER_DEAD, id, time_ms);

	item->key = slice_of(keep_text(id));
	item->info = slice_of(keep_json(info));
}

size_t
scene_count(const char *queue, enum broker_location place)
{
	size_t i, n = 0;

	for (i = 0; i < n_items; i++)
		n += !items[i].gone && items[i].place == place &&
		     strcmp(items[i].queue, queue) == 0;
	return n;
}

void
scene_worker(const char *name, bool alive, int in_flight,
	     const char *description)
{
	json_array_append_new(
	    workers,
	    json_pack("{s:s,s:b,s:i,s:o?}", "worker", name, "alive", alive,
		      "in_flight", in_flight, "description",
		      description != NULL ? scene_json(description) : NULL));
}

static size_t
record_at(const char *id)
{
	size_t i;

	for (i = 0; i < n_records; i++)
		if (strcmp(records[i].id, id) == 0)
			break;
	return i;
}

void
scene_record(const char *id, const char *json)
{
	const size_t i = record_at(id);

	if (i == n_records) {
		ck_assert_uint_lt(n_records++, ITEMS_MAX);
		records[i].id = keep_text(id);
	}
	records[i].json = keep_json(json);
}

const char *
scene_record_of(const char *id)
{
	const size_t i = record_at(id);

	return i < n_records ? records[i].json : NULL;
}

/* --- answers, in the next turn of the loop ------------------------------- */

struct answer {
	/* One of these is called; on_value is results_record_fn, too. */
	broker_value_fn *on_value;
	broker_page_fn *on_page;
	results_page_fn *on_records;
	broker_requeued_fn *on_requeued;
	struct results_put *put;
	const char *event;
	void *arg;
	struct err err;
	struct slice value; /* the cursor of pages */
	struct broker_item items[BROKER_PAGE_MAX];
	struct slice records[RESULTS_PAGE_MAX];
	struct broker_requeue *batch;
	size_t n;
	TAILQ_ENTRY(answer) link;
};
static TAILQ_HEAD(answer_list, answer) answers;
static results_event_fn *on_event;
static void *event_arg;

static void
give_event(const char *event)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "some may be missing");
	if (on_event != NULL && strcmp(event, "!") == 0)
		on_event((struct slice){NULL, 0}, &why, event_arg);
	else if (on_event != NULL)
		on_event(slice_of(event), NULL, event_arg);
}

static void
give(evutil_socket_t fd, short what, void *arg)
{
	struct answer *a = scene.reversed ? TAILQ_LAST(&answers, answer_list)
					  : TAILQ_FIRST(&answers);
	const struct err *err = a->err.code != ERR_NONE ? &a->err : NULL;
	const struct broker_page page = {
	    .items = a->items, .n = a->n, .next = a->value};

	TAILQ_REMOVE(&answers, a, link);
	if (a->on_value != NULL)
		a->on_value(a->value, err, a->arg);
	else if (a->on_page != NULL)
		a->on_page(err == NULL ? &page : NULL, err, a->arg);
	else if (a->on_records != NULL)
		a->on_records(a->records, a->n, a->value, err, a->arg);
	else if (a->on_requeued != NULL)
		a->on_requeued(a->batch, a->n, a->arg);
	else if (a->put != NULL)
		a->put->on_done(a->put);
	else
		give_event(a->event);
	free(a);
}

static struct answer *
answer_later(struct answer init)
{
	const struct timeval now = {0};
	struct answer *a = malloc(sizeof(*a));

	ck_assert_ptr_nonnull(a);
	*a = init;
	TAILQ_INSERT_TAIL(&answers, a, link);
	event_base_once(loop_base(scene.client->loop), -1, EV_TIMEOUT, give,
			NULL, &now);
	return a;
}

/* Notes a call. NULL: it fails, or its answer is garbled; that is on its way,
 * if it is of a kind that can be so. */
static struct answer *
called(enum scene_call call, struct slice what, struct answer init)
{
	static const char *const names[] = {
#define X(name) [SCENE_##name] = #name,
	    SCENE_CALLS(X)
#undef X
	};
	struct fault *f = &faults[call];
	struct answer *a;

	buf_addf(&scene.journal, what.len > 0 ? "%s %.*s; " : "%s; ",
		 names[call], (int)what.len, what.p);
	if (scene.on_call != NULL)
		scene.on_call(call);
	a = answer_later(init);
	if (f->garbled != NULL)
		a->value = slice_of(f->garbled);
	else if (f->times > 0 && f->skip == 0)
		a->err = f->err;
	else
		a->value = (struct slice){NULL, 0};
	if (f->skip > 0)
		f->skip--;
	else if (f->times > 0)
		f->times--;
	return f->garbled == NULL && a->err.code == ERR_NONE ? a : NULL;
}

static void
answer_text(enum scene_call call, struct slice what, broker_value_fn *on_value,
	    void *arg, const char *text)
{
	struct answer *a = called(
	    call, what, (struct answer){.on_value = on_value, .arg = arg});

	if (a != NULL && text != NULL)
		a->value = slice_of(text);
}

static void
answer_json(enum scene_call call, struct slice what, broker_value_fn *on_value,
	    void *arg, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	answer_text(call, what, on_value, arg, keep_text(text));
	free(text);
	json_decref(json);
}

/* --- the broker: one value ----------------------------------------------- */

static json_t *
queue_json(size_t i)
{
	char due[CLOCK_TEXT_SIZE];
	int64_t due_ms = 0;
	size_t k;

	for (k = 0; k < n_items; k++)
		if (items[k].queue == queues[i].name && !items[k].gone &&
		    items[k].place == BROKER_DELAYED &&
		    (due_ms == 0 || items[k].item.time_ms < due_ms))
			due_ms = items[k].item.time_ms;
	clock_format(due_ms * 1000, due);
	return json_pack(
	    "{s:s,s:i,s:i,s:i,s:i,s:n,s:s?,s:b}", "queue", queues[i].name,
	    "waiting", (int)scene_count(queues[i].name, BROKER_WAITING),
	    "delayed", (int)scene_count(queues[i].name, BROKER_DELAYED),
	    "in_flight", (int)scene_count(queues[i].name, BROKER_IN_FLIGHT),
	    "dead", (int)scene_count(queues[i].name, BROKER_DEAD), "oldest_at",
	    "next_due_at", due_ms != 0 ? due : NULL, "paused",
	    queues[i].paused);
}

static void
scene_queues(struct broker *b, struct slice name, broker_value_fn *on_value,
	     void *arg)
{
	json_t *list = json_array(), *empty;
	size_t i;

	for (i = 0; i < n_queues; i++)
		if (name.len == 0 || slice_eq(name, slice_of(queues[i].name)))
			json_array_append_new(list, queue_json(i));
	if (name.len > 0 && json_array_size(list) == 0) {
		empty = scene_json(
		    "{'waiting':0,'delayed':0,'in_flight':0,'dead':0,"
		    "'oldest_at':null,'next_due_at':null,'paused':false}");
		json_object_set_new(empty, "queue",
				    json_stringn(name.p, name.len));
		json_array_append_new(list, empty);
	}
	answer_json(SCENE_queues, name, on_value, arg, list);
}

static void
scene_workers(struct broker *b, broker_value_fn *on_value, void *arg)
{
	answer_json(SCENE_workers, SLICE(""), on_value, arg,
		    json_incref(workers));
}

static void
scene_examine(struct broker *b, broker_value_fn *on_value, void *arg)
{
	char at[CLOCK_TEXT_SIZE];

	clock_format(scene.clock_us != 0 ? scene.clock_us : SCENE_NOON_US, at);
	answer_json(SCENE_examine, SLICE(""), on_value, arg,
		    json_pack("{s:s,s:s,s:o}", "server", "scene", "clock_at",
			      at, "findings", scene_json(scene.findings)));
}

static void
scene_pause(struct broker *b, struct slice name, bool paused,
	    broker_value_fn *on_value, void *arg)
{
	char *queue = keep(name.p, name.len);

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
scene_names(struct broker *b, broker_value_fn *on_value, void *arg)
{
	answer_text(SCENE_names, SLICE(""), on_value, arg, scene.names);
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
	return slice_of(keep_text(text));
}

/* The last that was put in comes first; the cursor says from where. */
static void
fill_page(struct answer *a, struct slice queue, unsigned int places,
	  struct slice cursor, unsigned int n)
{
	size_t i = cursor.len > 0 ? strtoul(cursor.p, NULL, 10) : n_items;

	if (scene.page_max != 0 && n > scene.page_max)
		n = scene.page_max;
	ck_assert_uint_le(n, BROKER_PAGE_MAX);
	for (; i > 0; i--) {
		if (items[i - 1].gone ||
		    (places & 1u << items[i - 1].place) == 0 ||
		    !slice_eq(queue, slice_of(items[i - 1].queue)))
			continue;
		if (a->n == n) {
			a->value = cursor_text(i);
			break;
		}
		a->items[a->n++] = items[i - 1].item;
	}
}

static void
scene_view(struct broker *b, const struct broker_view *view,
	   broker_page_fn *on_page, void *arg)
{
	struct answer *a =
	    called(SCENE_view, view->queue,
		   (struct answer){.on_page = on_page, .arg = arg});

	if (a != NULL)
		fill_page(a, view->queue, 1u << view->place, view->cursor,
			  view->n);
}

#define WITHDRAWABLE (1u << BROKER_WAITING | 1u << BROKER_DELAYED)

static void
take_out(const struct broker_item *item)
{
	size_t i;

	for (i = 0; i < n_items; i++)
		if (items[i].item.bytes.p == item->bytes.p)
			items[i].gone = true;
}

static void
scene_purge(struct broker *b, struct slice queue, unsigned int n,
	    broker_page_fn *on_page, void *arg)
{
	struct answer *a =
	    called(SCENE_purge, queue,
		   (struct answer){.on_page = on_page, .arg = arg});
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
	struct answer *a =
	    called(SCENE_remove, queue,
		   (struct answer){.on_page = on_page, .arg = arg});
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

static void
requeue_one(struct slice queue, struct broker_requeue *one)
{
	size_t i;

	for (i = 0; i < n_items && !one->found; i++) {
		if (items[i].gone || items[i].place != BROKER_DEAD ||
		    !slice_eq(queue, slice_of(items[i].queue)) ||
		    !slice_eq(one->key, items[i].item.key))
			continue;
		items[i].gone = true;
		one->found = !scene.hide_next;
		if (one->retry_bytes.len > 0 && one->found)
			scene_put(
			    items[i].queue, BROKER_WAITING,
			    keep(one->retry_bytes.p, one->retry_bytes.len), 0)
			    ->priority = one->priority;
	}
}

static void
scene_requeue(struct broker *b, struct slice queue,
	      struct broker_requeue *batch, size_t n,
	      broker_requeued_fn *on_done, void *arg)
{
	struct answer *a = called(
	    SCENE_requeue, queue,
	    (struct answer){
		.on_requeued = on_done, .batch = batch, .n = n, .arg = arg});
	size_t i;

	ck_assert_uint_le(n, BROKER_PAGE_MAX);
	for (i = 0; i < n; i++)
		if (a != NULL)
			requeue_one(queue, &batch[i]);
		else
			batch[i].err = faults[SCENE_requeue].err;
}

static const struct broker_admin_ops admin_ops = {.queues = scene_queues,
						  .workers = scene_workers,
						  .view = scene_view,
						  .examine = scene_examine,
						  .pause = scene_pause,
						  .purge = scene_purge,
						  .remove = scene_remove,
						  .requeue = scene_requeue};

static void
scene_broker_close(struct broker *b)
{
}

static const char *
scene_broker_name(const struct broker *b)
{
	return "broker of the scene";
}

static const struct broker_ops broker_ops = {.close = scene_broker_close,
					     .name = scene_broker_name,
					     .registered = scene_registered,
					     .registered_names = scene_names,
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
	scene_record(keep(id.p, id.len), keep(record.p, record.len));
}

static void
scene_results_put(struct results *r, struct results_put *put)
{
	if (called(SCENE_put, put->id, (struct answer){.put = put}) != NULL)
		store_record(put->id, put->record);
}

static void
scene_results_get(struct results *r, struct slice id,
		  results_record_fn *on_record, void *arg)
{
	answer_text(SCENE_get, id, on_record, arg,
		    scene_record_of(keep(id.p, id.len)));
}

static void
scene_results_event(struct results *r, struct slice event)
{
	buf_addf(&scene.events, "%.*s; ", (int)event.len, event.p);
}

static int
scene_results_listen(struct results *r, results_event_fn *heard, void *arg,
		     struct err *err)
{
	const char *const *event = scene.heard;

	on_event = heard;
	event_arg = arg;
	buf_adds(&scene.journal, heard != NULL ? "listen; " : "unlisten; ");
	if (heard != NULL && faults[SCENE_listen].times > 0)
		return err_set(err, faults[SCENE_listen].err.code, "%s",
			       faults[SCENE_listen].err.msg);
	for (; heard != NULL && *event != NULL; event++)
		answer_later((struct answer){.event = *event});
	return 0;
}

static void
scene_results_list(struct results *r, bool failed, struct slice cursor,
		   unsigned int n, results_page_fn *on_page, void *arg)
{
	const char *wanted =
	    failed ? "\"status\":\"failed\"" : "\"status\":\"success\"";
	struct answer *a =
	    called(SCENE_list, SLICE(""),
		   (struct answer){.on_records = on_page, .arg = arg});
	size_t i = cursor.len > 0 ? strtoul(cursor.p, NULL, 10) : n_records;

	ck_assert_uint_le(n, RESULTS_PAGE_MAX);
	if (scene.page_max != 0 && n > scene.page_max)
		n = scene.page_max;
	for (; a != NULL && i > 0; i--) {
		if (strstr(records[i - 1].json, wanted) == NULL)
			continue;
		if (a->n == n) {
			a->value = cursor_text(i);
			break;
		}
		a->records[a->n++] = slice_of(records[i - 1].json);
	}
}

static void
scene_results_counts(struct results *r, results_record_fn *on_record, void *arg)
{
	answer_text(SCENE_counts, SLICE(""), on_record, arg, scene.counts);
}

static void
scene_results_reopen(struct results *r, struct slice id, struct slice record,
		     results_record_fn *on_done, void *arg)
{
	if (called(SCENE_reopen, id,
		   (struct answer){.on_value = on_done, .arg = arg}) != NULL)
		store_record(id, record);
}

static const struct results_ops results_ops = {.close = scene_results_close,
					       .name = scene_results_name,
					       .put = scene_results_put,
					       .get = scene_results_get,
					       .event = scene_results_event,
					       .listen = scene_results_listen,
					       .list = scene_results_list,
					       .counts = scene_results_counts,
					       .reopen = scene_results_reopen};

/* --- beginning and end --------------------------------------------------- */

static int64_t
scene_noon(void)
{
	return SCENE_NOON_US;
}

static void
load_conf(struct flowrra_client *c)
{
	char *url, *state_dir;
	const char *settings[] = {"broker.socket_timeout=0.1",
				  "backend.socket_timeout=0.1", NULL, NULL,
				  NULL};

	ck_assert_int_gt(asprintf(&url,
				  "scheduler.database_url=sqlite://%s/s.db",
				  scene.dir),
			 0);
	ck_assert_int_gt(asprintf(&state_dir, "worker.state_dir=%s", scene.dir),
			 0);
	settings[2] = url;
	settings[3] = state_dir;
	ck_assert_msg(conf_load("/dev/null", settings, &c->conf, &scene.err) ==
			  0,
		      "%s", scene.err.msg);
	free(url);
	free(state_dir);
}

void
scene_begin(void)
{
	static const struct clock_source clock = {.wall_us = scene_noon};
	static struct broker broker = {.ops = &broker_ops};
	static struct results results = {.ops = &results_ops};
	const char *tmp = getenv("TMPDIR");
	struct flowrra_client *c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	scene = (struct scene){.client = c,
			       .counts = "{\"succeeded\":12,\"failed\":3}",
			       .names = "[\"add\",\"mul\"]",
			       .findings = "[]"};
	snprintf(scene.dir, sizeof(scene.dir), "%s/scene-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(scene.dir));
	load_conf(c);
	c->pid = getpid();
	c->one_store = true;
	ck_assert_ptr_nonnull(c->loop = loop_new(&scene.err));
	ck_assert_ptr_nonnull(c->registry = registry_new(&scene.err));
	readiness_init(&c->broker_ready, loop_base(c->loop), 100);
	readiness_init(&c->results_ready, loop_base(c->loop), 100);
	c->broker = &broker;
	c->results = &results;
	ck_assert_ptr_nonnull(workers = json_array());
	TAILQ_INIT(&answers);
	scene_reach(true, false);
	clock_replace(&clock);
}

void
scene_end(void)
{
	struct answer *a;
	char *command;

	while ((a = TAILQ_FIRST(&answers)) != NULL) {
		TAILQ_REMOVE(&answers, a, link);
		free(a);
	}
	flowrra_close(scene.client);
	json_decref(workers);
	buf_done(&scene.journal);
	buf_done(&scene.events);
	while (n_kept > 0)
		free(kept[--n_kept]);
	ck_assert_int_gt(asprintf(&command, "rm -rf %s", scene.dir), 0);
	ck_assert_int_eq(system(command), 0);
	free(command);
	clock_replace(NULL);
}

/* --- faults -------------------------------------------------------------- */

void
scene_fail(enum scene_call call, unsigned int skip, unsigned int times,
	   enum err_code code, const char *msg)
{
	faults[call] = (struct fault){.skip = skip, .times = times};
	err_set(&faults[call].err, code, "%s", msg);
}

void
scene_garble(enum scene_call call, const char *text)
{
	faults[call] = (struct fault){.garbled = text};
}

void
scene_reach(bool up, bool final)
{
	struct err why;

	err_set(&why, final ? ERR_REFUSED : ERR_UNAVAILABLE,
		final ? "wrong password" : "nobody listens");
	readiness_set(&scene.client->broker_ready, up, final, up ? NULL : &why);
	readiness_set(&scene.client->results_ready, up, final,
		      up ? NULL : &why);
}

/* --- answers ------------------------------------------------------------- */

json_t *
scene_json(const char *text)
{
	json_error_t why;
	json_t *json = json_loads(keep_json(text), JSON_DECODE_ANY, &why);

	ck_assert_msg(json != NULL, "%s: %s", text, why.text);
	return json;
}

void
scene_check(json_t *answer, const char *text, const char *what)
{
	json_t *wanted = scene_json(text);
	char *shown = answer != NULL
			  ? json_dumps(answer, JSON_ENCODE_ANY | JSON_COMPACT)
			  : NULL;

	ck_assert_msg(json_equal(answer, wanted), "%s: %s\nnot: %s", what,
		      shown != NULL ? shown : scene.err.msg, text);
	free(shown);
	json_decref(answer);
	json_decref(wanted);
}

void
scene_check_refused(bool answered, enum err_code code, const char *msg,
		    const char *what)
{
	ck_assert_msg(!answered, "%s: was not refused", what);
	ck_assert_msg(scene.err.code == code && strcmp(scene.err.msg, msg) == 0,
		      "%s: exit status %d: %s", what,
		      err_exit_status(scene.err.code), scene.err.msg);
	scene.err = (struct err)ERR_INIT;
}

json_t *
scene_column(json_t *answer, const char *name)
{
	json_t *column = json_array(), *one, *value;
	size_t i;

	ck_assert_msg(json_is_array(answer), "no array: %s", scene.err.msg);
	json_array_foreach (answer, i, one)
		json_array_append_new(
		    column, (value = json_object_get(one, name)) != NULL
				? json_incref(value)
				: json_null());
	json_decref(answer);
	return column;
}

void
scene_journal_is(const char *wanted)
{
	const char *seen = scene.journal.len > 0 ? scene.journal.data : "";

	ck_assert_str_eq(seen, wanted);
	buf_reset(&scene.journal);
}
