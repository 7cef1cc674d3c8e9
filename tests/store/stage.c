/* SPDX-License-Identifier: MIT */
/* What the contract tests share. */
#include "store/stage.h"

#include <event2/event.h>
#include <hiredis.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "redis_server.h"
#include "store/admin.h"
#include "suite.h"
#include "util/clock.h"

#define PATIENCE_MS 10000

void
stage_open(struct stage *w, int kind)
{
	static const char *const queues[] = {"io", "cpu"};

	*w = (struct stage){.kind = (enum kind)kind};
	ck_assert_ptr_nonnull(w->base = event_base_new());
	snprintf(w->dir, sizeof(w->dir), "%s/flowrra-stage-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	if (kind == KIND_REDIS) {
		w->server = redis_server_start(NULL);
		snprintf(w->url, sizeof(w->url), "%s",
			 redis_server_unix_url(w->server));
	} else {
		snprintf(w->url, sizeof(w->url), "sqlite://%s/flowrra.db",
			 w->dir);
	}
	w->options = (struct broker_options){.base = w->base,
					     .url = w->url,
					     .queue_key = "flowrra:queue",
					     .timeout_ms = 2000,
					     .max_connections = 50,
					     .queues = queues,
					     .n_queues = 2,
					     .max_task = 1000};
}

const char *
stage_path(const struct stage *w)
{
	return w->url + strlen("sqlite://");
}

void
stage_close(struct stage *w)
{
	char command[128];

	redis_server_stop(w->server);
	event_base_free(w->base);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	ck_assert_int_eq(system(command), 0);
}

int64_t
stage_deadline(void)
{
	return clock_mono_ms() + PATIENCE_MS;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
}

bool
stage_turn(struct stage *w, int64_t deadline)
{
	const struct timeval tv = {.tv_usec = 20000};

	event_base_once(w->base, -1, EV_TIMEOUT, on_tick, NULL, &tv);
	event_base_loop(w->base, EVLOOP_ONCE);
	return clock_mono_ms() < deadline;
}

void
stage_linger(struct stage *w, int ms)
{
	const int64_t until = clock_mono_ms() + ms;

	while (stage_turn(w, until))
		;
}

/* A call is under way: cuts the connections, if this is the one. */
static void
called(struct stage *w)
{
	if (++w->calls == w->cut_after && w->kind == KIND_REDIS) {
		redis_server_run(w->server, "CLIENT KILL TYPE normal");
		redis_server_run(w->server, "CLIENT KILL TYPE pubsub");
	}
}

/* --- parties ----------------------------------------------------------- */

static void
on_claim(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	ck_assert_uint_lt(p->n_claims, 4096);
	p->claims[p->n_claims++] = claim;
}

static void
on_control(struct slice message, void *arg)
{
	struct party *p = arg;

	p->orders++;
	snprintf(p->order, sizeof(p->order), "%.*s", (int)message.len,
		 message.p);
}

static void
on_idle(void *arg)
{
	((struct party *)arg)->quiets++;
}

static void
party_on_lost(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	p->lost[p->n_lost++] = claim;
}

static void
party_on_kept(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	p->n_kept += claim != NULL;
	p->trusts += claim == NULL;
}

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct party *p = arg;

	p->refused = p->refused || final;
	if (up && why == NULL)
		p->ups++;
	if (why != NULL) {
		p->why = *why;
		p->troubles++;
	}
}

struct party *
party_begin(struct stage *w, const struct party_options *o)
{
	struct party *p = calloc(1, sizeof(*p));
	struct broker_options options = w->options;
	struct err err;

	p->stage = w;
	options.worker = o->worker;
	options.token = o->token;
	options.predecessor = o->predecessor;
	options.on_lost = party_on_lost;
	options.on_kept = party_on_kept;
	options.on_claim = on_claim;
	options.on_control = on_control;
	options.on_idle = on_idle;
	options.on_state = on_state;
	options.arg = p;
	if (o->worker == NULL)
		options.n_queues = 0;
	p->broker = broker_open(&options, &err);
	ck_assert_msg(p->broker != NULL, "%s", err.msg);
	return p;
}

/* One that opens after another has closed is the same process. */
struct party *
party_open(struct stage *w, const char *worker)
{
	const struct party_options options = {
	    .worker = worker, .token = worker, .predecessor = ""};
	struct party *p = party_begin(w, &options);

	UNTIL(w, p->ups > 0 || p->refused);
	return p;
}

void
party_close(struct party *p)
{
	broker_close(p->broker);
	free(p);
}

static void
on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	((struct party *)arg)->answered = true;
}

enum err_code
party_submit_with(struct party *p, struct broker_submit *task)
{
	p->answered = false;
	broker_submit(p->broker, task, 1, on_submitted, p);
	called(p->stage);
	UNTIL(p->stage, p->answered);
	p->err = task->err;
	return task->err.code;
}

enum err_code
party_submit(struct party *p, const char *id, const char *bytes,
	     int32_t priority, int64_t delay_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(bytes),
				     .priority = priority,
				     .delay_ms = delay_ms};

	return party_submit_with(p, &task);
}

void
party_submit_batch(struct party *p, struct broker_submit *tasks, size_t n)
{
	size_t i;

	p->answered = false;
	broker_submit(p->broker, tasks, n, on_submitted, p);
	called(p->stage);
	UNTIL(p->stage, p->answered);
	for (i = 0; i < n; i++)
		ck_assert_msg(tasks[i].err.code == ERR_NONE, "%s",
			      tasks[i].err.msg);
}

static void
on_settled(struct broker_settle *settle)
{
	((struct party *)settle->arg)->settled++;
}

void
party_settle_with(struct party *p, size_t i, struct broker_settle *s)
{
	const size_t before = p->settled;

	s->claim = p->claims[i];
	s->arg = p;
	s->on_done = on_settled;
	broker_settle(p->broker, s);
	called(p->stage);
	UNTIL(p->stage, p->settled > before);
	p->claims[i] = NULL;
}

void
party_settle(struct party *p, size_t i, enum broker_disposition disposition)
{
	struct broker_settle s = {.disposition = disposition,
				  .id = SLICE("dead-id"),
				  .info = SLICE("{\"reason\":\"test\"}")};

	party_settle_with(p, i, &s);
}

void
party_retry(struct party *p, size_t i, const char *again, int64_t delay_ms)
{
	struct broker_settle s = {.disposition = BROKER_RETRY,
				  .retry_bytes = slice_of(again),
				  .delay_ms = delay_ms};

	party_settle_with(p, i, &s);
}

void
party_bury(struct party *p, size_t i, const char *id, const char *info)
{
	struct broker_settle s = {.disposition = BROKER_BURY,
				  .id = slice_of(id),
				  .info = slice_of(info)};

	party_settle_with(p, i, &s);
}

bool
party_has(const struct party *p, size_t i, const char *bytes)
{
	return i < p->n_claims && p->claims[i] != NULL &&
	       slice_eq(p->claims[i]->bytes, slice_of(bytes));
}

static void
note_answer(struct party *p, const struct err *err)
{
	p->answered = true;
	p->err.code = ERR_NONE;
	if (err != NULL)
		p->err = *err;
	p->value[0] = '\0';
}

static void
add_line(struct party *p, const char *head, const char *middle,
	 const char *tail)
{
	const size_t len = strlen(p->value);

	snprintf(p->value + len, sizeof(p->value) - len, "%s%s%s\n", head,
		 middle, tail);
}

void
party_on_value(struct slice value, const struct err *err, void *arg)
{
	struct party *p = arg;

	note_answer(p, err);
	snprintf(p->value, sizeof(p->value), "%.*s", (int)value.len,
		 value.p != NULL ? value.p : "");
}

void
party_on_entries(const struct slice *names, const struct slice *values,
		 size_t n, const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i, len = 0;

	note_answer(p, err);
	for (i = 0; i < n && len < sizeof(p->value); i++)
		len += (size_t)snprintf(p->value + len, sizeof(p->value) - len,
					"%.*s=%.*s ", (int)names[i].len,
					names[i].p, (int)values[i].len,
					values[i].p);
}

void
party_on_names(const struct slice *names, size_t n, const struct err *err,
	       void *arg)
{
	struct party *p = arg;
	size_t i, len = 0;

	note_answer(p, err);
	for (i = 0; i < n && len < sizeof(p->value); i++)
		len += (size_t)snprintf(p->value + len, sizeof(p->value) - len,
					"%.*s ", (int)names[i].len, names[i].p);
}

void
party_on_queues(const struct queue_stats *queues, size_t n,
		const struct err *err, void *arg)
{
	struct party *p = arg;

	note_answer(p, err);
	if (n > 0)
		p->stats = queues[0];
}

void
party_on_workers(const struct worker_info *workers, size_t n,
		 const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i;

	note_answer(p, err);
	for (i = 0; i < n; i++)
		add_line(p, workers[i].name, " ",
			 workers[i].alive ? "alive" : "dead");
}

void
party_on_report(const struct broker_report *report, const struct err *err,
		void *arg)
{
	struct party *p = arg;
	const struct broker_finding *f;
	char what[1100];

	note_answer(p, err);
	if (report == NULL)
		return;
	add_line(p, report->server, "", "");
	for (f = report->findings; f < report->findings + report->n; f++) {
		snprintf(what, sizeof(what), "%s; ", f->what);
		add_line(p, f->error ? "error: " : "warning: ", what,
			 f->remedy);
	}
}

/* --- operators --------------------------------------------------------- */

static void
count(struct asked *asked, const struct err *err)
{
	/* An error that is none would pass for an answer. */
	ck_assert(err == NULL || err->code != ERR_NONE);
	asked->answers++;
	asked->code = err != NULL ? err->code : ERR_NONE;
}

static void
on_asked_value(struct slice value, const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_queues(const struct queue_stats *queues, size_t n,
		const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_workers(const struct worker_info *workers, size_t n,
		 const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_report(const struct broker_report *report, const struct err *err,
		void *arg)
{
	ck_assert((report == NULL) == (err != NULL));
	count(arg, err);
}

static void
on_asked_page(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert((page == NULL) == (err != NULL));
	count(arg, err);
}

static void
on_asked_exhumed(struct broker_requeue *batch, size_t n, void *arg)
{
	ck_assert_uint_eq(n, 1);
	count(arg, batch->err.code != ERR_NONE ? &batch->err : NULL);
}

void
party_ask_everything(struct party *p, struct asked asked[STAGE_ASKED])
{
	static struct broker_requeue one;
	const struct slice io = SLICE("io");
	const struct broker_view view = {
	    .queue = io, .place = BROKER_IN_FLIGHT, .n = 10};

	memset(asked, 0, STAGE_ASKED * sizeof(*asked));
	one = (struct broker_requeue){.key = SLICE("nobody")};
	broker_queues(p->broker, SLICE(""), on_asked_queues, &asked[0]);
	broker_workers(p->broker, on_asked_workers, &asked[1]);
	broker_view(p->broker, &view, on_asked_page, &asked[2]);
	broker_examine(p->broker, on_asked_report, &asked[3]);
	broker_pause(p->broker, io, false, on_asked_value, &asked[4]);
	broker_purge(p->broker, io, 10, on_asked_page, &asked[5]);
	broker_remove(p->broker, io, SLICE("id"), SLICE(""), on_asked_page,
		      &asked[6]);
	broker_requeue(p->broker, io, &one, 1, on_asked_exhumed, &asked[7]);
}

/* --- backends ---------------------------------------------------------- */

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct backend *r = arg;

	(void) final;
	r->ups += up && why == NULL;
	r->troubles += why != NULL;
}

struct backend *
backend_open(struct stage *w)
{
	struct backend *r = calloc(1, sizeof(*r));
	const struct results_options options = {.base = w->base,
						.url = w->url,
						.timeout_ms = 2000,
						.max_connections = 10,
						.on_state = on_results_state,
						.arg = r};
	struct err err;

	r->results = results_open(&options, &err);
	ck_assert_msg(r->results != NULL, "%s", err.msg);
	UNTIL(w, r->ups > 0);
	return r;
}

void
backend_close(struct backend *r)
{
	results_close(r->results);
	free(r);
}

static void
on_stored(struct results_put *put)
{
	struct backend *r = put->arg;

	r->answer = put->answer;
	r->stored++;
}

static void
backend_store(struct stage *w, struct backend *r, struct results_put *put)
{
	const size_t before = r->stored;

	put->failed = put->record.p != NULL &&
		      strstr(put->record.p, "\"failed\"") != NULL;
	put->on_done = on_stored;
	put->arg = r;
	results_put(r->results, put);
	called(w);
	UNTIL(w, r->stored > before);
}

void
backend_put(struct stage *w, struct backend *r, const char *id,
	    const char *record, bool final, int64_t ttl_s)
{
	struct results_put put = {.id = slice_of(id),
				  .record = slice_of(record),
				  .final = final,
				  .ttl_s = ttl_s};

	backend_store(w, r, &put);
}

void
backend_put_of(struct stage *w, struct backend *r, const char *id,
	       const char *record, bool final, const struct broker_claim *claim)
{
	struct results_put put = {.id = slice_of(id),
				  .record = slice_of(record),
				  .final = final,
				  .lossy = !final,
				  .ttl_s = 60,
				  .claim = claim};

	backend_store(w, r, &put);
}

void
backend_on_record(struct slice record, const struct err *err, void *arg)
{
	struct backend *r = arg;

	r->answered = true;
	r->err.code = ERR_NONE;
	if (err != NULL)
		r->err = *err;
	r->found = record.len > 0;
	r->none = record.p == NULL;
	snprintf(r->record, sizeof(r->record), "%.*s", (int)record.len,
		 record.p != NULL ? record.p : "");
}

const char *
backend_get(struct stage *w, struct backend *r, const char *id)
{
	r->answered = false;
	results_get(r->results, slice_of(id), backend_on_record, r);
	UNTIL(w, r->answered);
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.msg);
	return r->found ? r->record : NULL;
}

static int
take_column(void *ret, int n, char **columns, char **names)
{
	if (n > 0 && columns[0] != NULL)
		*(int *)ret = atoi(columns[0]);
	return 0;
}

int
stage_sql(struct stage *w, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;
	int n = 0;

	ck_assert_int_eq(sqlite3_open(stage_path(w), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, take_column, &n, &message) ==
			  SQLITE_OK,
		      "%s", message);
	sqlite3_close(db);
	return n;
}

int
stage_dead(struct stage *w)
{
	redisReply *reply;
	int n;

	if (w->kind != KIND_REDIS)
		return stage_sql(w, "SELECT count(*) FROM dead");
	reply =
	    redis_server_command(w->server, "ZCARD {flowrra:queue:io}:dead");
	n = (int)reply->integer;
	freeReplyObject(reply);
	return n;
}

int
stage_dead_bytes(struct stage *w)
{
	redisReply *reply;
	size_t i;
	int n = 0;

	if (w->kind != KIND_REDIS)
		return stage_sql(w, "SELECT sum(length(bytes)) FROM dead");
	reply = redis_server_command(w->server,
				     "HVALS {flowrra:queue:io}:dead:tasks");
	for (i = 0; i < reply->elements; i++)
		n += (int)reply->element[i]->len;
	freeReplyObject(reply);
	return n;
}

static void
want_one(struct party *worker, size_t n)
{
	broker_want(worker->broker, 0, 1);
	called(worker->stage);
	UNTIL(worker->stage, worker->n_claims == n);
}

void
stage_live(struct stage *w)
{
	/* With its key, it may be sent again when its fate is unknown. */
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("1"),
				     .bytes = SLICE("[1]"),
				     .record = SLICE("{\"pending\":1}"),
				     .unique = SLICE("key"),
				     .unique_s = 60};
	struct party *producer = party_open(w, NULL), *worker;
	struct backend *results;

	while (party_submit_with(producer, &task) != ERR_NONE) {
		ck_assert_int_eq(producer->err.code, ERR_UNAVAILABLE);
		stage_linger(w, 20);
	}
	worker = party_open(w, "host:a");
	results = backend_open(w);
	want_one(worker, 1);
	ck_assert(party_has(worker, 0, "[1]"));
	backend_put(w, results, "1", "{\"done\":1}", true, 60);
	party_retry(worker, 0, "[2]", 0);
	want_one(worker, 2);
	ck_assert(party_has(worker, 1, "[2]"));
	party_settle(worker, 1, BROKER_RELEASE);
	want_one(worker, 3);
	party_settle(worker, 2, BROKER_BURY);
	ck_assert_int_eq(stage_dead(w), 1);
	UNTIL(w, results_is_up(results->results));
	ck_assert_str_eq(backend_get(w, results, "1"), "{\"done\":1}");
	broker_want(worker->broker, 0, 5);
	stage_linger(w, 30);
	ck_assert_uint_eq(worker->n_claims, 3);
	backend_close(results);
	party_close(worker);
	party_close(producer);
}
