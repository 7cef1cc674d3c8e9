/* SPDX-License-Identifier: MIT */
/* The Redis broker: pages of the steps of a workflow. */
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/flow_list.h"

struct rflow_showing {
	struct rquery query;
	struct rflow_home home;
	char *flow, *cursor;
	unsigned int n;
	bool told;
	broker_steps_fn *on_page;
	void *arg;
};

static void
showing_free(struct rquery *i)
{
	struct rflow_showing *s = container_of(i, struct rflow_showing, query);

	rflow_home_done(&s->home);
	free(s->cursor);
	free(s->flow);
	free(s);
}

static void
showing_on_answered(struct rquery *i)
{
	struct rflow_showing *s = container_of(i, struct rflow_showing, query);

	if (!s->told)
		s->on_page(NULL, &i->err, s->arg);
	showing_free(i);
}

/* --- a page ------------------------------------------------------------------- */

/* A word and the space behind it. */
static struct slice
take_word(struct slice *text)
{
	const char *p = memchr(text->p, ' ', text->len);
	const size_t len = p != NULL ? (size_t)(p - text->p) : text->len;
	const struct slice word = {text->p, len};

	text->p += len + (p != NULL);
	text->len -= len + (p != NULL);
	return word;
}

static size_t
count_words(struct slice text)
{
	size_t n = 0;

	for (; text.len > 0; n++)
		take_word(&text);
	return n;
}

static enum broker_after_how
how_of(struct slice letter)
{
	const char *p =
	    letter.len == 1 ? strchr(rflow_how_letters, letter.p[0]) : NULL;
	size_t i;

	for (i = 0; p != NULL && i <= BROKER_AFTER_COMPLETE; i++)
		if (rflow_how_letters[i] == *p)
			return (enum broker_after_how)i;
	return BROKER_AFTER_COMPLETE;
}

/* "ROLE BEFORE HOW …"; the list is filled from *after on. */
static void
step_read_after(struct flow_step *step, struct slice text,
		struct broker_after **after)
{
	const struct slice role = take_word(&text);

	step->role = FLOW_STEP;
	if (role.len == 1)
		rflow_role_read(role.p[0], &step->role);
	step->after = *after;
	for (; text.len > 0; step->n_after++, (*after)++) {
		(*after)->id = take_word(&text);
		(*after)->how = how_of(take_word(&text));
	}
}

static void
step_read_place(struct flow_step *step, struct slice place)
{
	size_t i;

	step->place = slice_eq(place, SLICE("w")) ? FLOW_WAITS : FLOW_RELEASED;
	for (i = 0; place.len == 1 && i < FLOW_OUTCOMES; i++)
		if (rflow_outcome_letters[i] == place.p[0]) {
			step->place = FLOW_ENDED;
			step->outcome = (enum flow_outcome)i;
		}
}

/* Three members of the reply are a step, behind the first. */
static void
showing_fill(const struct redis_reply *reply, struct flow_step *steps, size_t n,
	     struct broker_after *after)
{
	size_t i;

	for (i = 0; i < n; i++) {
		steps[i].id =
		    redis_reply_string(redis_reply_at(reply, 3 * i + 1));
		step_read_place(&steps[i], redis_reply_string(redis_reply_at(
					       reply, 3 * i + 2)));
		step_read_after(
		    &steps[i],
		    redis_reply_string(redis_reply_at(reply, 3 * i + 3)),
		    &after);
	}
}

static void
showing_tell(struct rflow_showing *s, const struct redis_reply *reply)
{
	struct flow_page page = {
	    .n = redis_reply_count(reply) / 3,
	    .next = redis_reply_string(redis_reply_at(reply, 0))};
	struct flow_step *steps = calloc(page.n + 1, sizeof(*steps));
	struct broker_after *after;
	size_t i, words = 0;

	for (i = 0; i < page.n; i++)
		words += count_words(
		    redis_reply_string(redis_reply_at(reply, 3 * i + 3)));
	after = calloc(words + 1, sizeof(*after));
	if (steps != NULL && after != NULL) {
		showing_fill(reply, steps, page.n, after);
		page.steps = steps;
		s->told = true;
		s->on_page(&page, NULL, s->arg);
	} else {
		err_nomem(&s->query.err);
	}
	free(after);
	free(steps);
}

static void
showing_take(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct rflow_showing *s = container_of(i, struct rflow_showing, query);

	if (redis_reply_count(reply) == 0)
		err_set(&i->err, ERR_NOT_FOUND, "no workflow %s", s->flow);
	else
		showing_tell(s, reply);
}

static void
showing_ask(struct rquery *i)
{
	const struct rflow_showing *s =
	    container_of(i, struct rflow_showing, query);
	char n[ARG_NUMBER_SIZE];
	const struct slice args[] = {slice_of(s->cursor), arg_number(n, s->n)};

	rquery_eval(i, showing_take, 0, SCRIPT_FLOW_STEPS,
		    rflow_home_keys(&s->home), REDIS_ARGS(args));
}

void
rflow_steps(struct broker *b, struct slice flow, struct slice cursor,
	    unsigned int n, broker_steps_fn *on_page, void *arg)
{
	struct rflow_showing *s = calloc(1, sizeof(*s));
	struct rbroker *broker = (struct rbroker *)b;
	struct err err;

	if (s != NULL) {
		s->query =
		    (struct rquery){.broker = broker,
				    .what = "listing steps of a workflow",
				    .ask = showing_ask,
				    .answered = showing_on_answered,
				    .free = showing_free};
		s->flow = strndup(flow.p, flow.len);
		s->cursor =
		    strndup(cursor.p != NULL ? cursor.p : "", cursor.len);
		s->n = n;
		s->on_page = on_page;
		s->arg = arg;
		if (rflow_home_init(&s->home, broker, flow) == 0 &&
		    s->flow != NULL && s->cursor != NULL) {
			rquery_begin(&s->query);
			return;
		}
		showing_free(&s->query);
	}
	err_nomem(&err);
	on_page(NULL, &err, arg);
}
