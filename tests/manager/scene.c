/* SPDX-License-Identifier: MIT */
/* The scene: what is there, faults, and what operations answer. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/registry.h"
#include "manager/scene_private.h"
#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"

struct scene scene;
struct scene_data scene_data;

static void *kept[SCENE_ITEMS_MAX * 8];
static size_t n_kept;

void *
scene_keep(const void *p, size_t len)
{
	char *copy = malloc(len + 1);

	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_lt(n_kept, sizeof(kept) / sizeof(kept[0]));
	memcpy(copy, p, len);
	copy[len] = '\0';
	return kept[n_kept++] = copy;
}

const char *
scene_keep_text(const char *text)
{
	return scene_keep(text, strlen(text));
}

/* Also of what is printed in C source: ' for ". */
static const char *
keep_json(const char *text)
{
	char *copy = scene_keep(text, strlen(text)), *p;

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

	for (i = 0; i < scene_data.n_queues; i++)
		if (strcmp(scene_data.queues[i].name, name) == 0)
			break;
	return i;
}

void
scene_queue(const char *name, bool paused)
{
	const size_t i = queue_at(name);

	if (i == scene_data.n_queues) {
		ck_assert_uint_lt(scene_data.n_queues++, SCENE_NAMES_MAX);
		scene_data.queues[i].name = scene_keep_text(name);
	}
	scene_data.queues[i].paused = paused;
}

struct broker_item *
scene_put(const char *queue, enum broker_location place, const char *json,
	  int64_t time_ms)
{
	struct scene_item *at = &scene_data.items[scene_data.n_items];

	ck_assert_uint_lt(scene_data.n_items++, SCENE_ITEMS_MAX);
	if (queue_at(queue) == scene_data.n_queues)
		scene_queue(queue, false);
	*at = (struct scene_item){
	    .queue = scene_data.queues[queue_at(queue)].name,
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

	item->key = slice_of(scene_keep_text(id));
	item->info = slice_of(keep_json(info));
}

size_t
scene_count(const char *queue, enum broker_location place)
{
	size_t i, n = 0;

	for (i = 0; i < scene_data.n_items; i++)
		n += !scene_data.items[i].gone &&
		     scene_data.items[i].place == place &&
		     strcmp(scene_data.items[i].queue, queue) == 0;
	return n;
}

void
scene_worker(const char *name, bool alive, int in_flight,
	     const char *description)
{
	struct worker_info *w = &scene_data.workers[scene_data.n_workers];

	ck_assert_uint_lt(scene_data.n_workers++, SCENE_NAMES_MAX);
	*w = (struct worker_info){.alive = alive, .in_flight = in_flight};
	snprintf(w->name, sizeof(w->name), "%s", name);
	if (description != NULL)
		w->description = slice_of(keep_json(description));
}

void
scene_worker_says(const char *name, const char *description)
{
	struct worker_info *w = scene_data.workers;

	while (strcmp(w->name, name) != 0)
		w++;
	w->alive = description != NULL;
	w->description = slice_of(keep_json(w->alive ? description : "{}"));
}

static size_t
record_at(const char *id)
{
	size_t i;

	for (i = 0; i < scene_data.n_records; i++)
		if (strcmp(scene_data.records[i].id, id) == 0)
			break;
	return i;
}

void
scene_record(const char *id, const char *json)
{
	const size_t i = record_at(id);

	if (i == scene_data.n_records) {
		ck_assert_uint_lt(scene_data.n_records++, SCENE_ITEMS_MAX);
		scene_data.records[i].id = scene_keep_text(id);
	}
	scene_data.records[i].json = keep_json(json);
}

const char *
scene_record_of(const char *id)
{
	const size_t i = record_at(id);

	return i < scene_data.n_records ? scene_data.records[i].json : NULL;
}

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
				  "backend.socket_timeout=0.1",
				  "worker.queues=io",
				  NULL,
				  NULL,
				  NULL};

	ck_assert_int_gt(asprintf(&url,
				  "scheduler.database_url=sqlite://%s/s.db",
				  scene.dir),
			 0);
	ck_assert_int_gt(asprintf(&state_dir, "worker.state_dir=%s", scene.dir),
			 0);
	settings[3] = url;
	settings[4] = state_dir;
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
	static struct broker broker = {.ops = &scene_broker_ops};
	static struct results results = {.ops = &scene_results_ops};
	static const struct slice names[] = {SLICE("add"), SLICE("mul")};
	const char *tmp = getenv("TMPDIR");
	struct flowrra_client *c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	scene = (struct scene){.client = c,
			       .counts = {.succeeded = 12, .failed = 3},
			       .names = names,
			       .n_names = 2};
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
	TAILQ_INIT(&c->puts);
	scene_answers_init();
	scene_reach(true, false);
	clock_replace(&clock);
}

void
scene_end(void)
{
	char *command;

	scene_answers_done();
	flowrra_close(scene.client);
	buf_done(&scene.journal);
	buf_done(&scene.events);
	while (n_kept > 0)
		free(kept[--n_kept]);
	ck_assert_int_gt(asprintf(&command, "rm -rf %s", scene.dir), 0);
	ck_assert_int_eq(system(command), 0);
	free(command);
	clock_replace(NULL);
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

static int64_t mono_us, view_us;

static int64_t
scene_mono(void)
{
	return mono_us;
}

static void
take_time(enum scene_call call)
{
	mono_us += call == SCENE_view ? view_us : 0;
}

void
scene_view_takes(int64_t us)
{
	static const struct clock_source clock = {.mono_us = scene_mono,
						  .wall_us = scene_noon};

	view_us = us;
	scene.on_call = take_time;
	clock_replace(&clock);
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
