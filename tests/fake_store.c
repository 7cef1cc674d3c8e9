/* SPDX-License-Identifier: MIT */
/* A broker and a backend in memory, with faults on demand. */
#include "fake_store_private.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

struct fake_store *fake_store_now;
bool fake_is_up;
struct fake_claims fake_claims = TAILQ_HEAD_INITIALIZER(fake_claims);

void
fake_forget_claim(struct fake_claim *c)
{
	TAILQ_REMOVE(&fake_claims, c, link);
	free(c);
}

void
fake_journal(const char *entry)
{
	buf_addf(&fake_store_now->journal, "%s; ", entry);
}

void
fake_keep_text(struct buf *to, struct slice text)
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
	put->answer = fake_store_now->answer;
	put->on_done(put);
}

static void
confirm_all(void)
{
	struct pending_list puts = TAILQ_HEAD_INITIALIZER(puts);
	struct pending_list settles = TAILQ_HEAD_INITIALIZER(settles);
	struct pending *p;

	if (!fake_store_now->hold_records)
		TAILQ_CONCAT(&puts, &fake_store_now->puts, link);
	if (!fake_store_now->hold_claims)
		TAILQ_CONCAT(&settles, &fake_store_now->settles, link);
	while ((p = TAILQ_FIRST(&puts)) != NULL) {
		struct results_put *put =
		    container_of(p, struct results_put, pending);

		TAILQ_REMOVE(&puts, p, link);
		if (fake_store_now->hold_lossy && put->lossy)
			TAILQ_INSERT_TAIL(&fake_store_now->puts, p, link);
		else
			confirm_put(put);
	}
	while ((p = TAILQ_FIRST(&settles)) != NULL) {
		struct broker_settle *settle =
		    container_of(p, struct broker_settle, pending);

		TAILQ_REMOVE(&settles, p, link);
		fake_forget_claim(
		    container_of(settle->claim, struct fake_claim, claim));
		settle->on_done(settle);
	}
}

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
	return (q->on_submitted != NULL && fake_store_now->hold_submits) ||
	       (q->on_value != NULL && fake_store_now->hold_values) ||
	       (q->on_measured != NULL && fake_store_now->hold_measures) ||
	       (q->on_record != NULL && fake_store_now->hold_gets);
}

static void answer_view(const struct fake_question *q);

static void
answer_question(struct fake_question q)
{
	size_t i;

	for (i = 0; q.batch != NULL && i < q.n; i++)
		if (fake_store_now->full_queue == NULL ||
		    strcmp(q.batch[i].queue, fake_store_now->full_queue) == 0)
			q.batch[i].err = fake_store_now->submit_err;
	for (i = 0; q.errs != NULL && i < q.n; i++)
		q.errs[i] = fake_store_now->create_err;
	if (q.on_measured != NULL)
		q.on_measured(fault(&fake_store_now->measure_err), q.arg);
	if (q.on_page != NULL)
		answer_view(&q);
	if (q.on_record != NULL)
		q.on_record(found(fault(&fake_store_now->get_err)
				      ? NULL
				      : fake_store_now->stored),
			    fault(&fake_store_now->get_err), q.arg);
	if (q.on_value != NULL)
		q.on_value(found(fault(&fake_store_now->value_err) ? NULL
				 : q.of_served ? fake_store_now->served
					       : fake_store_now->registration),
			   fault(&fake_store_now->value_err), q.arg);
	if (q.on_created != NULL)
		q.on_created(q.errs, q.n, q.arg);
	if (q.on_submitted != NULL)
		q.on_submitted(q.batch, q.n, q.arg);
}

/* One item at most. */
static void
answer_view(const struct fake_question *q)
{
	const struct fake_store *s = fake_store_now;
	const struct broker_item item = {.bytes = found(s->viewed)};
	const bool there = s->viewed != NULL && s->viewed_place == q->place &&
			   !(q->of_remove && q->place == BROKER_IN_FLIGHT);
	const struct broker_page page = {.items = &item,
					 .n = there,
					 .next = s->endless_view ? SLICE("more")
								 : SLICE("")};

	if (!q->of_remove)
		fake_store_now->views++;
	else if (there)
		fake_store_now->viewed = NULL;
	q->on_page(fault(&s->get_err) != NULL ? NULL : &page,
		   fault(&s->get_err), q->arg);
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
	unsigned int n = fake_store_unanswered(fake_store_now);
	struct fake_question *q;

	while (n-- > 0 &&
	       (q = TAILQ_FIRST(fake_store_now->questions)) != NULL) {
		TAILQ_REMOVE(fake_store_now->questions, q, link);
		if (is_held(q)) {
			TAILQ_INSERT_TAIL(fake_store_now->questions, q, link);
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

void
fake_ask(struct fake_question question)
{
	const struct timeval now = {0};
	struct fake_question *q = malloc(sizeof(*q));

	ck_assert_ptr_nonnull(q);
	*q = question;
	TAILQ_INSERT_TAIL(fake_store_now->questions, q, link);
	event_base_once(fake_store_now->base, -1, EV_TIMEOUT, on_questions,
			NULL, &now);
}

void
fake_drop_questions(const void *of)
{
	struct fake_question *q, *next;

	for (q = TAILQ_FIRST(fake_store_now->questions); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (of != NULL && q->of != of)
			continue;
		TAILQ_REMOVE(fake_store_now->questions, q, link);
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
	fake_store_now = s;
	fake_is_up = false;
}

void
fake_store_done(struct fake_store *s)
{
	fake_drop_questions(NULL);
	free(s->questions);
	while (!TAILQ_EMPTY(&fake_claims))
		fake_forget_claim(TAILQ_FIRST(&fake_claims));
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
	buf_done(&s->last_order);
	fake_store_now = NULL;
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
	TAILQ_INSERT_TAIL(&fake_claims, c, link);
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
	struct fake_claim *c = TAILQ_FIRST(&fake_claims);

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
	TAILQ_INSERT_TAIL(&fake_claims, c, link);
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
