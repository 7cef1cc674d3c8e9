/* SPDX-License-Identifier: MIT */
/* A broker and a backend in memory, with faults on demand. */
#include "fake_store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "suite.h"

static struct fake_store *fake;
static bool fake_is_up;

/* A claim, with the bytes that it owns behind it. */
struct fake_claim {
	TAILQ_ENTRY(fake_claim) link;
	struct broker_claim claim;
	char bytes[];
};

/* Those that are not settled. */
static TAILQ_HEAD(, fake_claim) claims = TAILQ_HEAD_INITIALIZER(claims);

static void
forget_claim(struct fake_claim *c)
{
	TAILQ_REMOVE(&claims, c, link);
	free(c);
}

static void
journal(const char *entry)
{
	buf_addf(&fake->journal, "%s; ", entry);
}

static void
keep_text(struct buf *to, struct slice text)
{
	buf_reset(to);
	buf_add(to, text.p, text.len);
	buf_addc(to, '\0');
}

/* --- from the loop ----------------------------------------------------- */

/* Confirms what is not held back. */
static void
confirm_put(struct results_put *put)
{
	put->answer = fake->answer;
	put->on_done(put);
}

static void
confirm_all(void)
{
	struct pending_list puts = TAILQ_HEAD_INITIALIZER(puts);
	struct pending_list settles = TAILQ_HEAD_INITIALIZER(settles);
	struct pending *p;

	if (!fake->hold_records)
		TAILQ_CONCAT(&puts, &fake->puts, link);
	if (!fake->hold_claims)
		TAILQ_CONCAT(&settles, &fake->settles, link);
	while ((p = TAILQ_FIRST(&puts)) != NULL) {
		struct results_put *put =
		    container_of(p, struct results_put, pending);

		TAILQ_REMOVE(&puts, p, link);
		if (fake->hold_lossy && put->lossy)
			TAILQ_INSERT_TAIL(&fake->puts, p, link);
		else
			confirm_put(put);
	}
	while ((p = TAILQ_FIRST(&settles)) != NULL) {
		struct broker_settle *settle =
		    container_of(p, struct broker_settle, pending);

		TAILQ_REMOVE(&settles, p, link);
		forget_claim(
		    container_of(settle->claim, struct fake_claim, claim));
		settle->on_done(settle);
	}
}

/* A question that is answered in the next turn, or later if it is held; never
 * when who was asked is closed. */
struct fake_question {
	TAILQ_ENTRY(fake_question) link;
	const void *of; /* the broker or backend that was asked */
	bool of_served;
	results_record_fn *on_record;
	results_created_fn *on_created;
	broker_value_fn *on_value;
	broker_submitted_fn *on_submitted;
	results_measured_fn *on_measured;
	struct broker_submit *batch;
	struct err *errs;
	size_t n;
	void *arg;
};
TAILQ_HEAD(fake_questions, fake_question);

/* What a text is to who asked for it; NULL: there is nothing. */
static struct slice
found(const char *text)
{
	return text != NULL ? slice_of(text) : (struct slice){NULL, 0};
}

static const struct err *
fault(const struct err *err)
{
	return err->code != ERR_NONE ? err : NULL;
}

static bool
is_held(const struct fake_question *q)
{
	return (q->on_submitted != NULL && fake->hold_submits) ||
	       (q->on_value != NULL && fake->hold_values) ||
	       (q->on_measured != NULL && fake->hold_measures) ||
	       (q->on_record != NULL && fake->hold_gets);
}

static void
answer_question(struct fake_question q)
{
	size_t i;

	for (i = 0; q.batch != NULL && i < q.n; i++)
		q.batch[i].err = fake->submit_err;
	for (i = 0; q.errs != NULL && i < q.n; i++)
		q.errs[i] = fake->create_err;
	if (q.on_measured != NULL)
		q.on_measured(fault(&fake->measure_err), q.arg);
	if (q.on_record != NULL)
		q.on_record(found(fault(&fake->get_err) ? NULL : fake->stored),
			    fault(&fake->get_err), q.arg);
	if (q.on_value != NULL)
		q.on_value(found(fault(&fake->value_err) ? NULL
				 : q.of_served		 ? fake->served
							 : fake->registration),
			   fault(&fake->value_err), q.arg);
	if (q.on_created != NULL)
		q.on_created(q.errs, q.n, q.arg);
	if (q.on_submitted != NULL)
		q.on_submitted(q.batch, q.n, q.arg);
}

unsigned int
fake_store_unanswered(const struct fake_store *s)
{
	const struct fake_question *q;
	unsigned int n = 0;

	TAILQ_FOREACH (q, s->questions, link)
		n++;
	return n;
}

/* Those that are there now; those that are held go to the end of the list. */
static void
answer_questions(void)
{
	unsigned int n = fake_store_unanswered(fake);
	struct fake_question *q;

	while (n-- > 0 && (q = TAILQ_FIRST(fake->questions)) != NULL) {
		TAILQ_REMOVE(fake->questions, q, link);
		if (is_held(q)) {
			TAILQ_INSERT_TAIL(fake->questions, q, link);
			continue;
		}
		answer_question(*q);
		free(q);
	}
}

static void
on_questions(evutil_socket_t fd, short what, void *arg)
{
	answer_questions();
}

static void
ask(struct fake_question question)
{
	const struct timeval now = {0};
	struct fake_question *q = malloc(sizeof(*q));

	ck_assert_ptr_nonnull(q);
	*q = question;
	TAILQ_INSERT_TAIL(fake->questions, q, link);
	event_base_once(fake->base, -1, EV_TIMEOUT, on_questions, NULL, &now);
}

/* All, if `of` is NULL. */
static void
drop_questions(const void *of)
{
	struct fake_question *q, *next;

	for (q = TAILQ_FIRST(fake->questions); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (of != NULL && q->of != of)
			continue;
		TAILQ_REMOVE(fake->questions, q, link);
		free(q);
	}
}

void
fake_store_turn(struct fake_store *s)
{
	const struct timeval ten_ms = {.tv_usec = 10000};

	answer_questions();
	confirm_all();
	event_base_loopexit(s->base, &ten_ms);
	event_base_loop(s->base, EVLOOP_ONCE);
	confirm_all();
}

/* --- the broker -------------------------------------------------------- */

static void
fake_broker_close(struct broker *b)
{
	drop_questions(b);
	free(b);
}

static const char *
fake_broker_name(const struct broker *b)
{
	return "fake";
}

static bool
fake_broker_is_up(const struct broker *b)
{
	return fake_is_up;
}

static void
fake_broker_want(struct broker *b, unsigned int queue, unsigned int n)
{
	fake->wanted[queue] = n;
}

static bool
fake_broker_quiet(const struct broker *b)
{
	unsigned int i;

	for (i = 0; i < FAKE_QUEUES; i++)
		if (fake->wanted[i] > 0)
			return false;
	return !fake->claiming;
}

static void
fake_broker_settle(struct broker *b, struct broker_settle *settle)
{
	static const char *const names[] = {[BROKER_ACK] = "ack",
					    [BROKER_RETRY] = "retry",
					    [BROKER_RELEASE] = "release",
					    [BROKER_BURY] = "dead",
					    [BROKER_SET_ASIDE] = "set aside"};

	journal(names[settle->disposition]);
	if (settle->disposition == BROKER_BURY) {
		keep_text(&fake->last_info, settle->info);
		keep_text(&fake->last_dead, settle->id);
	}
	if (settle->disposition == BROKER_RETRY ||
	    settle->disposition == BROKER_SET_ASIDE)
		keep_text(&fake->last_retry, settle->retry_bytes);
	if (settle->disposition == BROKER_SET_ASIDE)
		keep_text(&fake->last_lane, settle->lane);
	fake->last_settle = *settle;
	TAILQ_INSERT_TAIL(&fake->settles, &settle->pending, link);
}

static void
fake_broker_drop(struct broker *b, struct broker_claim *claim)
{
	journal("drop");
	forget_claim(container_of(claim, struct fake_claim, claim));
}

static void
fake_broker_doubt(struct broker *b, struct broker_claim *claim)
{
	journal("doubt");
	fake->doubted = claim;
}

static bool
fake_broker_is_sure(const struct broker *b)
{
	return !fake->unsure;
}

static size_t
fake_broker_unsettled(const struct broker *b)
{
	return !TAILQ_EMPTY(&fake->settles);
}

static void
fake_broker_heartbeat(struct broker *b, struct slice description)
{
	keep_text(&fake->heartbeat, description);
	fake->heartbeats++;
}

static void
fake_broker_farewell(struct broker *b)
{
	journal("deregister");
}

static void
fake_broker_register(struct broker *b, const struct slice *names,
		     const struct slice *descriptions, size_t n)
{
	fake->registered = (unsigned int)n;
	fake->registrations++;
}

static void
fake_broker_submit(struct broker *b, struct broker_submit *batch, size_t n,
		   broker_submitted_fn *on_done, void *arg)
{
	size_t i;

	journal("submit");
	for (i = 0; i < n; i++)
		buf_addf(&fake->submitted, "%.*s@%s; ", (int)batch[i].id.len,
			 batch[i].id.p, batch[i].queue);
	fake->n_submitted += (unsigned int)n;
	if (n > 0) {
		keep_text(&fake->last_task, batch[n - 1].bytes);
		fake->last_submit = batch[n - 1];
	}
	ask((struct fake_question){.of = b,
				   .on_submitted = on_done,
				   .batch = batch,
				   .n = n,
				   .arg = arg});
}

static void
fake_broker_registered(struct broker *b, struct slice name,
		       broker_value_fn *on_value, void *arg)
{
	ask((struct fake_question){.of = b, .on_value = on_value, .arg = arg});
}

static void
fake_broker_served(struct broker *b, const struct broker_served *question,
		   broker_value_fn *on_value, void *arg)
{
	journal("served?");
	ask((struct fake_question){
	    .of = b, .of_served = true, .on_value = on_value, .arg = arg});
}

static const struct broker_ops fake_broker_ops = {
    .close = fake_broker_close,
    .name = fake_broker_name,
    .is_up = fake_broker_is_up,
    .want = fake_broker_want,
    .idle = fake_broker_quiet,
    .settle = fake_broker_settle,
    .drop = fake_broker_drop,
    .doubt = fake_broker_doubt,
    .is_sure = fake_broker_is_sure,
    .unsettled = fake_broker_unsettled,
    .heartbeat = fake_broker_heartbeat,
    .deregister = fake_broker_farewell,
    .register_tasks = fake_broker_register,
    .submit = fake_broker_submit,
    .registered = fake_broker_registered,
    .served = fake_broker_served};

struct broker *
fake_broker_open(const struct broker_options *options, struct err *err)
{
	struct broker *b = calloc(1, sizeof(*b));

	ck_assert_ptr_nonnull(b);
	fake->broker = *options;
	b->ops = &fake_broker_ops;
	return b;
}

/* --- the backend ------------------------------------------------------- */

static void
fake_results_close(struct results *r)
{
	drop_questions(r);
	free(r);
}

static const char *
fake_results_name(const struct results *r)
{
	return "fake";
}

static void
fake_results_put(struct results *r, struct results_put *put)
{
	static const char *const names[] = {[RESULT_PENDING] = "pending",
					    [RESULT_RUNNING] = "running",
					    [RESULT_RETRYING] = "retrying",
					    [RESULT_SUCCESS] = "success",
					    [RESULT_FAILED] = "failed"};
	struct buf scratch = BUF_INIT;
	struct result record;

	ck_assert_int_eq(result_decode(put->record, &scratch, &record, NULL),
			 0);
	journal(names[record.status]);
	buf_done(&scratch);
	keep_text(&fake->last_record, put->record);
	fake->last_put = *put;
	TAILQ_INSERT_TAIL(&fake->puts, &put->pending, link);
}

static size_t
fake_results_unconfirmed(const struct results *r)
{
	return !TAILQ_EMPTY(&fake->puts);
}

static void
fake_results_get(struct results *r, struct slice id,
		 results_record_fn *on_record, void *arg)
{
	ask((struct fake_question){
	    .of = r, .on_record = on_record, .arg = arg});
}

static void
fake_results_create(struct results *r, const struct slice *ids,
		    const struct slice *records, struct err *errs, size_t n,
		    results_created_fn *on_done, void *arg)
{
	ask((struct fake_question){
	    .of = r, .on_created = on_done, .errs = errs, .n = n, .arg = arg});
}

static void
fake_results_forget(struct results *r, const struct slice *ids, size_t n)
{
	journal("forget");
}

static bool
fake_results_heard(const struct results *r)
{
	return fake->heard;
}

static void
fake_results_event(struct results *r, struct slice event)
{
	keep_text(&fake->last_event, event);
	fake->events++;
}

static bool
fake_results_is_up(const struct results *r)
{
	return fake->results_up;
}

/* The first of the answers: they come from the loop. */
static void
fake_results_measure(struct results *r, int64_t at_s,
		     const struct measure *measures, size_t n,
		     results_measured_fn *on_done, void *arg)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_addf(&fake->measured, "%.*s/%.*s %u+%" PRId64 "; ",
			 (int)measures[i].queue.len, measures[i].queue.p,
			 (int)measures[i].task.len, measures[i].task.p,
			 measures[i].what, measures[i].n);
	fake->measurings++;
	ask((struct fake_question){
	    .of = r, .on_measured = on_done, .arg = arg});
}

static const struct results_ops fake_results_ops = {
    .close = fake_results_close,
    .name = fake_results_name,
    .put = fake_results_put,
    .unconfirmed = fake_results_unconfirmed,
    .get = fake_results_get,
    .create = fake_results_create,
    .forget = fake_results_forget,
    .event = fake_results_event,
    .heard = fake_results_heard,
    .is_up = fake_results_is_up,
    .measure = fake_results_measure};

struct results *
fake_results_open(const struct results_options *options, struct err *err)
{
	struct results *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	fake->results = *options;
	r->ops = &fake_results_ops;
	return r;
}

/* --- what a test does -------------------------------------------------- */

void
fake_store_init(struct fake_store *s, struct event_base *base)
{
	*s = (struct fake_store){.base = base};
	TAILQ_INIT(&s->puts);
	TAILQ_INIT(&s->settles);
	s->questions = malloc(sizeof(*s->questions));
	ck_assert_ptr_nonnull(s->questions);
	TAILQ_INIT(s->questions);
	fake = s;
	fake_is_up = false;
}

void
fake_store_done(struct fake_store *s)
{
	drop_questions(NULL);
	free(s->questions);
	while (!TAILQ_EMPTY(&claims))
		forget_claim(TAILQ_FIRST(&claims));
	buf_done(&s->submitted);
	buf_done(&s->last_task);
	buf_done(&s->last_retry);
	buf_done(&s->last_event);
	buf_done(&s->measured);
	buf_done(&s->journal);
	buf_done(&s->last_record);
	buf_done(&s->last_info);
	buf_done(&s->last_retry);
	buf_done(&s->last_lane);
	buf_done(&s->last_dead);
	buf_done(&s->heartbeat);
	fake = NULL;
}

void
fake_store_reach(struct fake_store *s, bool up)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "the fake is out of reach");
	fake_is_up = up;
	s->broker.on_state(up, false, up ? NULL : &why, s->broker.arg);
	fake_results_reach(s, up);
}

void
fake_results_reach(struct fake_store *s, bool up)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "the fake is out of reach");
	s->results_up = up;
	s->results.on_state(up, false, up ? NULL : &why, s->results.arg);
}

void
fake_results_refuse(struct fake_store *s)
{
	struct err why;

	err_set(&why, ERR_REFUSED, "the fake refuses");
	s->results.on_state(false, true, &why, s->results.arg);
}

void
fake_broker_refuse(struct fake_store *s)
{
	struct err why;

	err_set(&why, ERR_REFUSED, "the fake refuses");
	fake_is_up = false;
	s->broker.on_state(false, true, &why, s->broker.arg);
}

void
fake_store_claim(struct fake_store *s, unsigned int queue, const char *task,
		 bool recovered)
{
	const size_t len = strlen(task);
	struct fake_claim *c = malloc(sizeof(*c) + len);

	ck_assert_ptr_nonnull(c);
	memcpy(c->bytes, task, len);
	TAILQ_INSERT_TAIL(&claims, c, link);
	c->claim = (struct broker_claim){
	    .queue = queue, .bytes = {c->bytes, len}, .recovered = recovered};
	if (s->wanted[queue] > 0)
		s->wanted[queue]--;
	if (s->before_claim != NULL)
		s->before_claim();
	s->broker.on_claim(&c->claim, s->broker.arg);
}

void
fake_store_lose(struct fake_store *s, unsigned int i)
{
	struct fake_claim *c = TAILQ_FIRST(&claims);

	for (; i > 0 && c != NULL; i--)
		c = TAILQ_NEXT(c, link);
	ck_assert_ptr_nonnull(c);
	s->broker.on_lost(&c->claim, s->broker.arg);
}

void
fake_store_claim_sample(struct fake_store *s, const char *head,
			const char *tail, size_t whole)
{
	struct fake_claim *c = malloc(sizeof(*c) + (size_t)BROKER_SAMPLE * 2);

	ck_assert_ptr_nonnull(c);
	memset(c->bytes, 'x', (size_t)BROKER_SAMPLE * 2);
	memcpy(c->bytes, head, strlen(head));
	memcpy(c->bytes + (size_t)BROKER_SAMPLE * 2 - strlen(tail), tail,
	       strlen(tail));
	TAILQ_INSERT_TAIL(&claims, c, link);
	c->claim = (struct broker_claim){
	    .bytes = {c->bytes, (size_t)BROKER_SAMPLE * 2}, .whole = whole};
	s->broker.on_claim(&c->claim, s->broker.arg);
}

void
fake_store_control(struct fake_store *s, const char *message)
{
	s->broker.on_control(slice_of(message), s->broker.arg);
}

const char *
fake_store_journal(struct fake_store *s)
{
	buf_addc(&s->journal, '\0');
	s->journal.len--;
	return s->journal.data;
}

bool
fake_store_saw(struct fake_store *s, const char *entry)
{
	return strstr(fake_store_journal(s), entry) != NULL;
}
