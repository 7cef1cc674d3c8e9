/* SPDX-License-Identifier: MIT */
/* Workflows: what the stores answer, as JSON. */
#include "manager/flows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manager/member.h"
#include "manager/query.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/utf8.h"
#include "util/uuid.h"

#define US_PER_S 1000000

/* --- questions with a word for an answer ----------------------------------- */

struct flow_query {
	struct query q; /* key: the workflow */
	const struct flow_begin *begin;
	struct slice cursor;
	unsigned int n;
	json_t *list;	 /* that answers are appended to */
	struct buf next; /* the cursor of the next page */
};

static struct flow_query *
flow_query_of(struct query *q)
{
	return container_of(q, struct flow_query, q);
}

static void
send_begin(struct query *q)
{
	broker_flow_begin(q->client->broker, flow_query_of(q)->begin,
			  query_answer, q);
}

static void
send_seal(struct query *q)
{
	broker_flow_seal(q->client->broker, q->key, query_answer, q);
}

static void
send_cancel(struct query *q)
{
	broker_flow_cancel(q->client->broker, q->key, query_answer, q);
}

static int
flow_ask(struct flow_query *f, struct err *err)
{
	return client_check(f->q.client, err) != 0 ? -1 : query_run(&f->q, err);
}

/* --- beginning --------------------------------------------------------------- */

static int
begin_read_policy(const char *word, enum flow_policy *ret, struct err *err)
{
	size_t i;

	*ret = FLOW_CONTINUE;
	if (word == NULL)
		return 0;
	for (i = 0; i <= FLOW_CANCEL; i++)
		if (strcmp(word, flow_policy_words[i]) == 0) {
			*ret = (enum flow_policy)i;
			return 0;
		}
	return err_set(err, ERR_DATA,
		       "on_failure \"%.64s\" is not one of continue, cancel",
		       word);
}

/* Written so that NaN fails. */
static int
begin_check_life(double life_s, struct err *err)
{
	if (life_s >= 0 && life_s <= FLOW_LIFE_MAX_S)
		return 0;
	return err_set(err, ERR_DATA, "life %g is out of range (0 to %d)",
		       life_s, FLOW_LIFE_MAX_S);
}

/* As long as the results of its steps are there; where these stay for ever, for
 * as long as can be said. */
static int64_t
begin_life_s(const struct flowrra_client *c, double given_s)
{
	const int64_t ttl_s = (c->conf->backend.ttl + US_PER_S - 1) / US_PER_S;

	if (given_s > 0)
		return (int64_t)(given_s + 0.5);
	return ttl_s > 0 && ttl_s < FLOW_LIFE_MAX_S ? ttl_s : FLOW_LIFE_MAX_S;
}

int
flows_begin(struct flowrra_client *c, const struct flows_begin *begin,
	    char id[TASK_FLOW_MAX + 1], struct err *err)
{
	char made[UUID_TEXT_SIZE];
	struct flow_begin b = {
	    .label = slice_of(begin->label != NULL ? begin->label : ""),
	    .whole = begin->whole};
	struct flow_query f = {
	    .q = {.client = c, .send = send_begin, .once = true}, .begin = &b};
	int r;

	if (begin_read_policy(begin->on_failure, &b.on_failure, err) != 0 ||
	    begin_check_life(begin->life_s, err) != 0)
		return -1;
	b.life_s = begin_life_s(c, begin->life_s);
	uuid_make(made);
	b.id = slice_of(begin->id != NULL ? begin->id : made);
	r = flow_ask(&f, err);
	buf_done(&f.q.value);
	if (r == 0)
		snprintf(id, TASK_FLOW_MAX + 1, "%s", b.id.p);
	return r;
}

/* --- what changes it --------------------------------------------------------- */

static json_t *
flow_change(struct flowrra_client *c, const char *id,
	    void (*send)(struct query *), struct err *err)
{
	struct flow_query f = {
	    .q = {.client = c, .send = send, .key = slice_of(id)}};
	json_t *answer = NULL;

	if (flow_ask(&f, err) == 0 &&
	    (answer = json_pack("{s:s,s:s}", "workflow", id, "state",
				f.q.value.data != NULL ? f.q.value.data
						       : "")) == NULL)
		err_nomem(err);
	buf_done(&f.q.value);
	return answer;
}

json_t *
flows_seal(struct flowrra_client *c, const char *id, struct err *err)
{
	return flow_change(c, id, send_seal, err);
}

json_t *
flows_cancel(struct flowrra_client *c, const char *id, struct err *err)
{
	return flow_change(c, id, send_cancel, err);
}

/* --- looking ----------------------------------------------------------------- */

static json_t *
time_or_null(int64_t ms)
{
	return ms > 0 ? member_of_time(ms * 1000) : json_null();
}

static json_t *
json_of_flow(const struct flow_info *f)
{
	return json_pack(
	    "{s:s,s:o,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
	    "workflow", f->id, "label",
	    f->label.len > 0 ? json_stringn(f->label.p, f->label.len)
			     : json_null(),
	    "state", flow_state_word(f->state), "on_failure",
	    flow_policy_words[f->on_failure], "begun_at",
	    time_or_null(f->begun_ms), "moved_at", time_or_null(f->moved_ms),
	    "ended_at", time_or_null(f->ended_ms), "life",
	    (json_int_t)f->life_s, "steps", (json_int_t)f->steps, "waiting",
	    (json_int_t)f->waiting, "released", (json_int_t)f->released,
	    "succeeded", (json_int_t)f->ended[FLOW_STEP_SUCCEEDED], "failed",
	    (json_int_t)f->ended[FLOW_STEP_FAILED], "skipped",
	    (json_int_t)f->ended[FLOW_STEP_SKIPPED]);
}

/* A second attempt comes only after an error: nothing is appended twice. */
static void
flow_query_end(struct flow_query *f, struct slice next, bool fine)
{
	struct err why;

	buf_reset(&f->next);
	buf_add(&f->next, next.p, next.len);
	if (!fine || f->next.failed) {
		err_nomem(&why);
		query_end(&f->q, &why);
		return;
	}
	query_end(&f->q, NULL);
}

static void
on_flows(const struct flow_info *flows, size_t n, struct slice next,
	 const struct err *err, void *arg)
{
	struct flow_query *f = flow_query_of(arg);
	size_t i = 0;

	if (err != NULL) {
		query_end(&f->q, err);
		return;
	}
	while (i < n &&
	       json_array_append_new(f->list, json_of_flow(&flows[i])) == 0)
		i++;
	flow_query_end(f, next, i == n);
}

static void
send_get(struct query *q)
{
	broker_flow_get(q->client->broker, q->key, on_flows, q);
}

static void
send_list(struct query *q)
{
	const struct flow_query *f = flow_query_of(q);

	broker_flow_list(q->client->broker, f->cursor, f->n, on_flows, q);
}

json_t *
flows_get(struct flowrra_client *c, const char *id, struct err *err)
{
	struct flow_query f = {
	    .q = {.client = c, .send = send_get, .key = slice_of(id)},
	    .list = json_array()};
	json_t *one = NULL;

	if (flow_ask(&f, err) == 0)
		one = json_incref(json_array_get(f.list, 0));
	if (one == NULL && f.q.op.err.code == ERR_NONE)
		err_set(err, ERR_NOT_FOUND, "there is no workflow \"%.64s\"",
			id);
	json_decref(f.list);
	buf_done(&f.next);
	return one;
}

static const char *
role_word(enum flow_role role)
{
	static const char *const words[] = {
	    [FLOW_STEP] = "step",
	    [FLOW_ON_SUCCESS] = "success",
	    [FLOW_ON_FAILURE] = "failure",
	    [FLOW_ON_COMPLETE] = "complete",
	};

	return words[role];
}

static json_t *
json_of_afters(const struct flow_step *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < s->n_after; i++)
		json_array_append_new(
		    list, json_sprintf("%.*s:%s", (int)s->after[i].id.len,
				       s->after[i].id.p,
				       broker_after_words[s->after[i].how]));
	return list;
}

static json_t *
json_of_step(const struct flow_step *s)
{
	static const char *const places[] = {[FLOW_WAITS] = "waiting",
					     [FLOW_RELEASED] = "released",
					     [FLOW_ENDED] = "ended"};
	static const char *const outcomes[] = {[FLOW_STEP_SUCCEEDED] =
						   "succeeded",
					       [FLOW_STEP_FAILED] = "failed",
					       [FLOW_STEP_SKIPPED] = "skipped"};

	return json_pack("{s:s%,s:s,s:s,s:s?,s:o}", "task_id", s->id.p,
			 s->id.len, "role", role_word(s->role), "place",
			 places[s->place], "outcome",
			 s->place == FLOW_ENDED ? outcomes[s->outcome] : NULL,
			 "after", json_of_afters(s));
}

static void
on_steps(const struct flow_page *page, const struct err *err, void *arg)
{
	struct flow_query *f = flow_query_of(arg);
	size_t i = 0;

	if (page == NULL) {
		query_end(&f->q, err);
		return;
	}
	while (i < page->n && json_array_append_new(
				  f->list, json_of_step(&page->steps[i])) == 0)
		i++;
	flow_query_end(f, page->next, i == page->n);
}

static void
send_steps(struct query *q)
{
	const struct flow_query *f = flow_query_of(q);

	broker_flow_steps(q->client->broker, q->key, f->cursor, f->n, on_steps,
			  q);
}

/* --- lists ------------------------------------------------------------------- */

/* Pages until there are enough. */
static int
flow_pages(struct flow_query *f, size_t max, bool *ret_more, struct err *err)
{
	struct buf cursor = BUF_INIT, old;
	size_t had;
	int r;

	do {
		had = json_array_size(f->list);
		f->n = max - had < BROKER_PAGE_MAX ? (unsigned int)(max - had)
						   : BROKER_PAGE_MAX;
		f->cursor = (struct slice){cursor.data, cursor.len};
		f->q.op.err.code = ERR_NONE;
		r = flow_ask(f, err);
		old = cursor;
		cursor = f->next;
		f->next = old;
	} while (r == 0 && cursor.len > 0 && json_array_size(f->list) < max);
	if (ret_more != NULL)
		*ret_more = r == 0 && cursor.len > 0;
	buf_done(&cursor);
	buf_done(&f->next);
	return r;
}

json_t *
flows_list(struct flowrra_client *c, size_t max, bool *ret_more,
	   struct err *err)
{
	struct flow_query f = {.q = {.client = c, .send = send_list},
			       .list = json_array()};

	if (flow_pages(&f, max, ret_more, err) == 0)
		return f.list;
	json_decref(f.list);
	return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(member_text(*(json_t *const *)a, "task_id"),
		      member_text(*(json_t *const *)b, "task_id"));
}

/* In the order of their IDs, each once. */
static json_t *
sort_steps(json_t *list)
{
	const size_t n = json_array_size(list);
	json_t **all = calloc(n + 1, sizeof(json_t *));
	json_t *sorted = json_array();
	size_t i;

	for (i = 0; all != NULL && i < n; i++)
		all[i] = json_array_get(list, i);
	if (all != NULL)
		qsort(all, n, sizeof(json_t *), compare_ids);
	for (i = 0; all != NULL && i < n; i++)
		if (i == 0 || compare_ids(&all[i - 1], &all[i]) != 0)
			json_array_append(sorted, all[i]);
	free(all);
	json_decref(list);
	return sorted;
}

json_t *
flows_steps(struct flowrra_client *c, const char *id, size_t max,
	    bool *ret_more, struct err *err)
{
	struct flow_query f = {
	    .q = {.client = c, .send = send_steps, .key = slice_of(id)},
	    .list = json_array()};

	if (flow_pages(&f, max, ret_more, err) == 0)
		return sort_steps(f.list);
	json_decref(f.list);
	return NULL;
}

/* --- waiting ----------------------------------------------------------------- */

/* Between two looks, which cost a store next to nothing; at first less, for what is
 * over soon. */
#define LOOK_MS 500
#define FIRST_MS 10

static bool
has_ended(const json_t *flow)
{
	const char *word = member_text(flow, "state");
	enum flow_state state;

	return word != NULL && flow_state_parse(slice_of(word), &state) == 0 &&
	       flow_state_has_ended(state);
}

/* false: the time is over. */
static bool
wait_pause(int64_t *pause_ms, int64_t until_ms)
{
	const int64_t left_ms = until_ms - clock_mono_ms();
	const int64_t ms =
	    until_ms != 0 && left_ms < *pause_ms ? left_ms : *pause_ms;
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = ms % 1000 * 1000000};

	if (ms <= 0)
		return false;
	nanosleep(&t, NULL);
	*pause_ms = *pause_ms * 2 < LOOK_MS ? *pause_ms * 2 : LOOK_MS;
	return true;
}

static void
not_ended(const json_t *flow, const char *id, double timeout_s, struct err *err)
{
	err_set(
	    err, ERR_TIMEOUT,
	    "waited %g s: %lld steps of workflow %s have not ended", timeout_s,
	    (long long)(json_integer_value(json_object_get(flow, "waiting")) +
			json_integer_value(json_object_get(flow, "released"))),
	    id);
}

/* Through outages of the server, but for the first look. */
json_t *
flows_wait(struct flowrra_client *c, const char *id, double timeout_s,
	   struct err *err)
{
	const int64_t until_ms =
	    timeout_s >= 0 ? clock_mono_ms() + (int64_t)(timeout_s * 1e3) + 1
			   : 0;
	int64_t pause_ms = FIRST_MS;
	bool seen = false;
	json_t *flow;

	for (;;) {
		flow = flows_get(c, id, err);
		if (flow == NULL && (!seen || err->code != ERR_UNAVAILABLE))
			return NULL;
		seen = true;
		if (flow != NULL && has_ended(flow))
			return flow;
		if (timeout_s == 0 || !wait_pause(&pause_ms, until_ms))
			break;
		json_decref(flow);
	}
	if (flow != NULL)
		not_ended(flow, id, timeout_s, err);
	json_decref(flow);
	return NULL;
}
