/* SPDX-License-Identifier: MIT */
/* Workflows of a stage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/flow_stage.h"
#include "suite.h"

#define AFTER_MAX 32
#define STEPS_MAX 1024
#define NO_CLAIM SIZE_MAX

/* --- opening ---------------------------------------------------------------- */

static void
open_worker(struct flow_stage *s)
{
	s->worker = party_open(&s->stage, "host:a");
	broker_want(s->worker->broker, 0, 4000);
}

void
fstage_open(struct flow_stage *s, int kind)
{
	memset(s, 0, sizeof(*s));
	stage_open(&s->stage, kind);
	s->stage.options.with_results = true;
	open_worker(s);
	s->results = backend_open(&s->stage);
}

void
fstage_close(struct flow_stage *s)
{
	backend_close(s->results);
	party_close(s->worker);
	stage_close(&s->stage);
}

void
fstage_restart(struct flow_stage *s)
{
	backend_close(s->results);
	party_close(s->worker);
	open_worker(s);
	s->results = backend_open(&s->stage);
}

/* --- calls ------------------------------------------------------------------ */

static void
answer(struct flow_stage *s, const struct err *err)
{
	s->answered = true;
	s->err.code = ERR_NONE;
	if (err != NULL)
		s->err = *err;
}

static void
on_value(struct slice value, const struct err *err, void *arg)
{
	struct flow_stage *s = arg;

	answer(s, err);
	snprintf(s->value, sizeof(s->value), "%.*s", (int)value.len,
		 value.len > 0 ? value.p : "");
}

static void
on_names(const struct slice *names, size_t n, const struct err *err, void *arg)
{
	struct flow_stage *s = arg;
	size_t i, at = 0;

	answer(s, err);
	s->n = n;
	s->value[0] = '\0';
	for (i = 0; i < n && at < sizeof(s->value); i++)
		at += (size_t)snprintf(s->value + at, sizeof(s->value) - at,
				       "%s%.*s", i > 0 ? " " : "",
				       (int)names[i].len, names[i].p);
}

static const char *
answered(struct flow_stage *s)
{
	stage_called(&s->stage);
	UNTIL(&s->stage, s->answered);
	return s->err.code == ERR_NONE ? s->value : NULL;
}

enum err_code
fstage_begin_with(struct flow_stage *s, const struct flow_begin *begin)
{
	s->answered = false;
	broker_flow_begin(s->worker->broker, begin, on_value, s);
	answered(s);
	return s->err.code;
}

void
fstage_begin(struct flow_stage *s, enum flow_policy policy, bool whole)
{
	const struct flow_begin begin = {.id = SLICE("f"),
					 .label = SLICE("nightly"),
					 .on_failure = policy,
					 .whole = whole,
					 .life_s = 3600};

	ck_assert_msg(fstage_begin_with(s, &begin) == ERR_NONE, "%s",
		      s->err.msg);
}

const char *
fstage_seal(struct flow_stage *s)
{
	s->answered = false;
	broker_flow_seal(s->worker->broker, SLICE("f"), on_value, s);
	return answered(s);
}

const char *
fstage_cancel(struct flow_stage *s)
{
	s->answered = false;
	broker_flow_cancel(s->worker->broker, SLICE("f"), on_value, s);
	return answered(s);
}

const char *
fstage_end_step(struct flow_stage *s, const char *id, enum flow_outcome outcome)
{
	const struct flow_end end = {
	    .flow = SLICE("f"), .step = slice_of(id), .outcome = outcome};

	s->answered = false;
	broker_flow_end_step(s->worker->broker, &end, on_value, s);
	return answered(s);
}

const char *
fstage_reopen(struct flow_stage *s, const char *id)
{
	s->answered = false;
	broker_flow_reopen(s->worker->broker, SLICE("f"), slice_of(id),
			   on_names, s);
	return answered(s);
}

/* --- steps -------------------------------------------------------------------- */

static void
write_bytes(char *out, size_t size, const char *id)
{
	snprintf(out, size, "{\"id\":\"%s\",\"name\":\"n\",\"flow\":\"f\"}",
		 id);
}

static enum broker_after_how
how_named(const char *word)
{
	size_t i;

	for (i = 0; i <= BROKER_AFTER_COMPLETE; i++)
		if (strcmp(word, broker_after_words[i]) == 0)
			return (enum broker_after_how)i;
	ck_abort_msg("no such word: %s", word);
}

/* Cuts `text` up. */
static size_t
read_after(char *text, struct broker_after after[AFTER_MAX])
{
	char *rest = text, *one, *how;
	size_t n = 0;

	while ((one = strsep(&rest, ",")) != NULL) {
		if (*one == '\0')
			continue;
		ck_assert_uint_lt(n, AFTER_MAX);
		if ((how = strchr(one, ':')) != NULL)
			*how++ = '\0';
		after[n++] = (struct broker_after){
		    .id = slice_of(one),
		    .how = how != NULL ? how_named(how) : BROKER_AFTER_SUCCESS};
	}
	return n;
}

enum err_code
fstage_add_with(struct flow_stage *s, const char *id, const char *after,
		const struct broker_submit *more)
{
	struct broker_after list[AFTER_MAX];
	struct broker_submit task = *more;
	char text[1024], bytes[256];

	snprintf(text, sizeof(text), "%s", after);
	write_bytes(bytes, sizeof(bytes), id);
	task.queue = "io";
	task.id = slice_of(id);
	task.bytes = slice_of(bytes);
	task.record = SLICE("{\"status\":\"pending\"}");
	task.derived = true;
	task.n_after = read_after(text, list);
	task.after = list;
	if (task.flow.len == 0)
		task.flow = SLICE("f");
	return party_submit_with(s->worker, &task);
}

void
fstage_add(struct flow_stage *s, const char *id, const char *after)
{
	const struct broker_submit more = {.flow = SLICE("f")};

	ck_assert_msg(fstage_add_with(s, id, after, &more) == ERR_NONE, "%s",
		      s->worker->err.msg);
}

/* The claim's place: bytes may say more than they did when they were submitted. */
static size_t
claim_of(const struct flow_stage *s, const char *id)
{
	const struct broker_claim *c;
	char text[256];
	size_t i;

	snprintf(text, sizeof(text), "{\"id\":\"%s\"", id);
	for (i = 0; i < s->worker->n_claims; i++) {
		c = s->worker->claims[i];
		if (c != NULL && c->bytes.len >= strlen(text) &&
		    memcmp(c->bytes.p, text, strlen(text)) == 0)
			return i;
	}
	return NO_CLAIM;
}

bool
fstage_is_claimed(const struct flow_stage *s, const char *id)
{
	return claim_of(s, id) != NO_CLAIM;
}

void
fstage_store(struct flow_stage *s, const char *id, enum flow_outcome outcome)
{
	char record[512];

	UNTIL(&s->stage, fstage_is_claimed(s, id));
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"%s\",\"result\":\"of %s\"%s,"
		 "\"flow\":\"f\"}",
		 id, outcome == FLOW_STEP_SUCCEEDED ? "success" : "failed", id,
		 outcome == FLOW_STEP_SKIPPED ? ",\"reason\":\"" BROKER_SKIPPED
						"\""
					      : "");
	backend_put_of(&s->stage, s->results, id, record, true,
		       s->worker->claims[claim_of(s, id)]);
}

void
fstage_settle(struct flow_stage *s, const char *id, enum flow_outcome outcome)
{
	struct broker_settle settle = {
	    .disposition =
		outcome == FLOW_STEP_FAILED ? BROKER_BURY : BROKER_ACK,
	    .id = slice_of(id),
	    .info = SLICE("{\"reason\":\"test\"}"),
	    .flow = SLICE("f"),
	    .outcome = outcome};

	UNTIL(&s->stage, fstage_is_claimed(s, id));
	party_settle_with(s->worker, claim_of(s, id), &settle);
}

void
fstage_finish(struct flow_stage *s, const char *id, enum flow_outcome outcome)
{
	fstage_store(s, id, outcome);
	fstage_settle(s, id, outcome);
}

void
fstage_settle_down(struct flow_stage *s)
{
	static unsigned int n;
	char id[32], bytes[64];

	snprintf(id, sizeof(id), "last-%u", n++);
	snprintf(bytes, sizeof(bytes), "{\"id\":\"%s\",\"name\":\"n\"}", id);
	ck_assert_int_eq(party_submit(s->worker, id, bytes, 1000000, 0),
			 ERR_NONE);
	UNTIL(&s->stage, fstage_is_claimed(s, id));
	party_settle(s->worker, claim_of(s, id), BROKER_ACK);
}

/* --- looking ------------------------------------------------------------------ */

static void
on_flows(const struct flow_info *flows, size_t n, struct slice next,
	 const struct err *err, void *arg)
{
	struct flow_stage *s = arg;

	answer(s, err);
	if (err != NULL)
		return;
	ck_assert_uint_eq(n, 1);
	s->info = flows[0];
	snprintf(s->label, sizeof(s->label), "%.*s", (int)flows[0].label.len,
		 flows[0].label.p);
	s->info.label = slice_of(s->label);
}

const struct flow_info *
fstage_look(struct flow_stage *s)
{
	s->answered = false;
	broker_flow_get(s->worker->broker, SLICE("f"), on_flows, s);
	return answered(s) != NULL ? &s->info : NULL;
}

void
fstage_await(struct flow_stage *s, enum flow_state state)
{
	UNTIL(&s->stage, fstage_look(s) != NULL && s->info.state == state);
}

struct listed {
	struct flow_stage *scene;
	char *lines[STEPS_MAX];
	size_t n;
	char next[64];
};

static const char *
place_word(const struct flow_step *step)
{
	static const char *const outcomes[] = {[FLOW_STEP_SUCCEEDED] =
						   "succeeded",
					       [FLOW_STEP_FAILED] = "failed",
					       [FLOW_STEP_SKIPPED] = "skipped"};

	if (step->place == FLOW_ENDED)
		return outcomes[step->outcome];
	return step->place == FLOW_WAITS ? "waits" : "released";
}

static void
on_steps(const struct flow_page *page, const struct err *err, void *arg)
{
	struct listed *l = arg;
	size_t i;

	answer(l->scene, err);
	l->next[0] = '\0';
	for (i = 0; err == NULL && i < page->n; i++) {
		ck_assert_uint_lt(l->n, STEPS_MAX);
		ck_assert_int_ge(asprintf(&l->lines[l->n++], "%.*s=%s",
					  (int)page->steps[i].id.len,
					  page->steps[i].id.p,
					  place_word(&page->steps[i])),
				 0);
	}
	if (err == NULL)
		snprintf(l->next, sizeof(l->next), "%.*s", (int)page->next.len,
			 page->next.len > 0 ? page->next.p : "");
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In small pages, each of them once. */
const char *
fstage_steps(struct flow_stage *s)
{
	struct listed l = {.scene = s};
	size_t i, at = 0;

	do {
		s->answered = false;
		broker_flow_steps(s->worker->broker, SLICE("f"),
				  slice_of(l.next), 2, on_steps, &l);
		ck_assert_ptr_nonnull(answered(s));
	} while (l.next[0] != '\0');
	qsort(l.lines, l.n, sizeof(l.lines[0]), by_text);
	s->value[0] = '\0';
	for (i = 0; i < l.n; i++) {
		if (i == 0 || strcmp(l.lines[i], l.lines[i - 1]) != 0)
			at += (size_t)snprintf(s->value + at,
					       sizeof(s->value) - at, "%s%s",
					       i > 0 ? " " : "", l.lines[i]);
		ck_assert_uint_lt(at, sizeof(s->value));
	}
	for (i = 0; i < l.n; i++)
		free(l.lines[i]);
	return s->value;
}

/* A store that cannot write its record has a worker do that: it claims the step, with
 * the reason, and does not run it. */
static bool
is_skipped(struct flow_stage *s, const char *id, const char **record)
{
	const size_t i = claim_of(s, id);

	*record = backend_get(&s->stage, s->results, id);
	if (i != NO_CLAIM) {
		ck_assert_ptr_nonnull(memmem(s->worker->claims[i]->bytes.p,
					     s->worker->claims[i]->bytes.len,
					     "\"skipped\":", 10));
		fstage_finish(s, id, FLOW_STEP_SKIPPED);
		return false;
	}
	return *record != NULL && strstr(*record, "\"failed\"") != NULL;
}

void
fstage_ck_skipped(struct flow_stage *s, const char *id)
{
	const char *record;

	UNTIL(&s->stage, is_skipped(s, id, &record));
	ck_assert_msg(strstr(record, "\"reason\":\"skipped\"") != NULL, "%s",
		      record);
}
