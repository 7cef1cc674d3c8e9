/* SPDX-License-Identifier: MIT */
/* A stage with a workflow in it. */
#include "store/flow_scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#define AFTER_MAX 1300

struct flow_scene fs;

void
flow_start_worker(void)
{
	fs.worker = party_open(&fs.stage, "host:a");
	fs.looked = 0;
	broker_want(fs.worker->broker, 0, 4000);
}

void
flow_kill_worker(void)
{
	party_close(fs.worker);
	fs.worker = NULL;
}

void
flow_open(int kind)
{
	fs = (struct flow_scene){.looked = 0};
	stage_open(&fs.stage, kind);
	/* In a Cluster there is no step that is about a task and its record. */
	fs.stage.options.with_results = fs.stage.cluster == NULL;
	fs.client = party_open(&fs.stage, NULL);
	flow_start_worker();
	fs.results = backend_open(&fs.stage);
}

void
flow_close(void)
{
	backend_close(fs.results);
	party_close(fs.client);
	if (fs.worker != NULL)
		party_close(fs.worker);
	stage_close(&fs.stage);
}

/* --- the client ------------------------------------------------------------ */

enum err_code
flow_begin_with(const struct flow_begin *begin)
{
	fs.client->answered = false;
	broker_flow_begin(fs.client->broker, begin, party_on_value, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->err.code;
}

void
flow_begin_one(void)
{
	const struct flow_begin begin = {
	    .id = SLICE("f"), .label = SLICE("nightly"), .life_s = 1000};

	ck_assert_msg(flow_begin_with(&begin) == ERR_NONE, "%s",
		      fs.client->err.msg);
}

/* "a:success b:complete" */
static size_t
read_after(const char *text, struct broker_after *after)
{
	const char *colon;
	size_t n = 0, i, len;

	for (; text != NULL && *text != '\0'; n++) {
		ck_assert_uint_lt(n, AFTER_MAX);
		colon = strchr(text, ':');
		ck_assert_ptr_nonnull(colon);
		after[n].id = (struct slice){text, (size_t)(colon - text)};
		len = strcspn(colon + 1, " ");
		for (i = 0; i <= BROKER_AFTER_COMPLETE; i++)
			if (strlen(broker_after_words[i]) == len &&
			    memcmp(broker_after_words[i], colon + 1, len) == 0)
				break;
		ck_assert_uint_le(i, BROKER_AFTER_COMPLETE);
		after[n].how = (enum broker_after_how)i;
		text = colon + 1 + len;
		text += strspn(text, " ");
	}
	return n;
}

enum err_code
flow_add_with(struct broker_submit *task, const char *after)
{
	static struct broker_after list[AFTER_MAX];
	char bytes[300], record[300];

	snprintf(bytes, sizeof(bytes),
		 "{\"id\":\"%.*s\",\"name\":\"n\",\"flow\":\"%.*s\"}",
		 (int)task->id.len, task->id.p, (int)task->flow.len,
		 task->flow.p);
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%.*s\",\"status\":\"pending\",\"queue\":"
		 "\"io\"}",
		 (int)task->id.len, task->id.p);
	if (task->queue == NULL)
		task->queue = "io";
	task->bytes = slice_of(bytes);
	if (task->role == FLOW_STEP) {
		task->record = slice_of(record);
		task->derived = true;
	}
	task->after = list;
	task->n_after = read_after(after, list);
	return party_submit_with(fs.client, task);
}

void
flow_add(const char *id, const char *after)
{
	struct broker_submit task = {.id = slice_of(id), .flow = SLICE("f")};

	ck_assert_msg(flow_add_with(&task, after) == ERR_NONE, "%s: %s", id,
		      task.err.msg);
}

void
flow_add_callback(const char *id, enum flow_role role)
{
	struct broker_submit task = {
	    .id = slice_of(id), .flow = SLICE("f"), .role = role};

	ck_assert_msg(flow_add_with(&task, NULL) == ERR_NONE, "%s: %s", id,
		      task.err.msg);
}

static const char *
client_answer(void)
{
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->err.code != ERR_NONE ? fs.client->err.msg
					       : fs.client->value;
}

const char *
flow_seal_one(void)
{
	fs.client->answered = false;
	broker_flow_seal(fs.client->broker, SLICE("f"), party_on_value,
			 fs.client);
	return client_answer();
}

const char *
flow_cancel_one(void)
{
	fs.client->answered = false;
	broker_flow_cancel(fs.client->broker, SLICE("f"), party_on_value,
			   fs.client);
	return client_answer();
}

const char *
flow_end_one(const char *id, enum flow_outcome outcome)
{
	const struct flow_end end = {
	    .flow = SLICE("f"), .step = slice_of(id), .outcome = outcome};

	fs.client->answered = false;
	broker_flow_end_step(fs.client->broker, &end, party_on_value,
			     fs.client);
	return client_answer();
}

const char *
flow_reopen_one(const char *id)
{
	fs.client->answered = false;
	broker_flow_reopen(fs.client->broker, SLICE("f"), slice_of(id),
			   party_on_names, fs.client);
	return client_answer();
}

static void
on_record_reopened(struct slice none, const struct err *err, void *arg)
{
	struct party *p = arg;

	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	p->answered = true;
}

void
flow_reopen_record(const char *id)
{
	char record[300];

	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"pending\"}", id);
	fs.client->answered = false;
	results_reopen(fs.results->results, slice_of(id), slice_of(record),
		       on_record_reopened, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
}

/* --- looking --------------------------------------------------------------- */

static void
on_flow(const struct flow_info *flows, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	struct party *p = arg;

	p->answered = true;
	p->err = err != NULL ? *err : (struct err)ERR_INIT;
	if (n == 1)
		fs.info = *flows;
}

const char *
flow_state(void)
{
	fs.client->answered = false;
	broker_flow_get(fs.client->broker, SLICE("f"), on_flow, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->err.code != ERR_NONE ? fs.client->err.msg
					       : flow_state_word(fs.info.state);
}

const char *
flow_counts(void)
{
	static char text[200];

	flow_state();
	snprintf(text, sizeof(text),
		 "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
		 " %" PRId64,
		 fs.info.steps, fs.info.waiting, fs.info.released,
		 fs.info.ended[FLOW_STEP_SUCCEEDED],
		 fs.info.ended[FLOW_STEP_FAILED],
		 fs.info.ended[FLOW_STEP_SKIPPED]);
	return text;
}

static char shown[64][200];
static size_t n_shown;

static void
show_step(const struct flow_step *step)
{
	static const char *const places[] = {
	    [FLOW_WAITS] = "waits", [FLOW_RELEASED] = "released"};
	static const char *const outcomes[] = {"succeeded", "failed",
					       "skipped"};
	static const char *const roles[] = {"", " on success", " on failure",
					    " on complete"};
	char *line = shown[n_shown++];
	size_t i, len;

	ck_assert_uint_lt(n_shown, 64);
	len = (size_t)snprintf(
	    line, sizeof(shown[0]), "%.*s %s%s", (int)step->id.len, step->id.p,
	    step->place == FLOW_ENDED ? outcomes[step->outcome]
				      : places[step->place],
	    roles[step->role]);
	for (i = 0; i < step->n_after; i++)
		len += (size_t)snprintf(line + len, sizeof(shown[0]) - len,
					"%s %.*s:%s", i == 0 ? " after" : "",
					(int)step->after[i].id.len,
					step->after[i].id.p,
					broker_after_words[step->after[i].how]);
}

static void
on_steps(const struct flow_page *page, const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i;

	p->answered = true;
	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	snprintf(fs.next, sizeof(fs.next), "%.*s", (int)page->next.len,
		 page->next.p != NULL ? page->next.p : "");
	for (i = 0; i < page->n; i++)
		show_step(&page->steps[i]);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *
flow_show(void)
{
	static char text[sizeof(shown)];
	size_t i;

	n_shown = 0;
	fs.next[0] = '\0';
	do {
		fs.client->answered = false;
		broker_flow_steps(fs.client->broker, SLICE("f"),
				  slice_of(fs.next), 3, on_steps, fs.client);
		UNTIL(&fs.stage, fs.client->answered);
	} while (fs.next[0] != '\0');
	qsort(shown, n_shown, sizeof(shown[0]), compare_lines);
	text[0] = '\0';
	for (i = 0; i < n_shown; i++) {
		strcat(text, shown[i]);
		strcat(text, "; ");
	}
	return text;
}

/* --- the worker ------------------------------------------------------------- */

/* The text of a member of a task; "" if it has none. */
static void
member_of(struct slice bytes, const char *name, char *text, size_t size)
{
	char copy[1200], key[64], *p, *q;

	snprintf(copy, sizeof(copy), "%.*s", (int)bytes.len, bytes.p);
	snprintf(key, sizeof(key), "\"%s\":\"", name);
	text[0] = '\0';
	if ((p = strstr(copy, key)) == NULL)
		return;
	p += strlen(key);
	if ((q = strchr(p, '"')) != NULL)
		*q = '\0';
	snprintf(text, size, "%s", p);
}

static void
store_end(const char *id, const char *status, const char *more, size_t i)
{
	char record[1024];

	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"%s\"%s}", id, status, more);
	backend_put_of(&fs.stage, fs.results, id, record, true,
		       fs.stage.options.with_results ? fs.worker->claims[i]
						     : NULL);
}

static void
settle_end(const char *id, enum flow_outcome outcome, size_t i)
{
	struct broker_settle s = {.disposition = BROKER_ACK,
				  .id = slice_of(id),
				  .flow = SLICE("f"),
				  .outcome = outcome};

	party_settle_with(fs.worker, i, &s);
}

/* As a worker does. */
static void
skip(size_t i, const char *id, const char *why)
{
	char more[600];

	snprintf(more, sizeof(more), ",\"reason\":\"skipped\",\"error\":\"%s\"",
		 why);
	store_end(id, "failed", more, i);
	settle_end(id, FLOW_STEP_SKIPPED, i);
	snprintf(fs.skipped + strlen(fs.skipped),
		 sizeof(fs.skipped) - strlen(fs.skipped), "%s: %s\n", id, why);
}

static size_t
claim_of(const char *id)
{
	char claimed[200], why[500];
	size_t i;

	for (; fs.looked < fs.worker->n_claims; fs.looked++) {
		i = fs.looked;
		member_of(fs.worker->claims[i]->bytes, "id", claimed,
			  sizeof(claimed));
		member_of(fs.worker->claims[i]->bytes, "skipped", why,
			  sizeof(why));
		if (why[0] != '\0')
			skip(i, claimed, why);
	}
	for (i = 0; i < fs.worker->n_claims; i++)
		if (flow_is_claim_of(i, id))
			return i;
	return SIZE_MAX;
}

bool
flow_is_claim_of(size_t i, const char *id)
{
	char claimed[200] = "";

	if (fs.worker->claims[i] != NULL)
		member_of(fs.worker->claims[i]->bytes, "id", claimed,
			  sizeof(claimed));
	return strcmp(claimed, id) == 0;
}

bool
flow_is_claimed(const char *id)
{
	return claim_of(id) != SIZE_MAX;
}

void
flow_record(const char *id, const char *status)
{
	UNTIL(&fs.stage, flow_is_claimed(id));
	store_end(id, status, "", claim_of(id));
}

void
flow_run(const char *id, const char *status)
{
	flow_record(id, status);
	settle_end(id,
		   strcmp(status, "success") == 0 ? FLOW_STEP_SUCCEEDED
						  : FLOW_STEP_FAILED,
		   claim_of(id));
}

/* A store that skips by itself has stored the record. */
static bool
is_skipped(const char *id, const char *why)
{
	const char *record;

	flow_is_claimed(id);
	record = backend_get(&fs.stage, fs.results, id);
	return record != NULL &&
	       strstr(record, "\"reason\":\"skipped\"") != NULL &&
	       strstr(record, why) != NULL;
}

void
flow_wait_skipped(const char *id, const char *why)
{
	UNTIL(&fs.stage, is_skipped(id, why));
}

int64_t
flow_queued(void)
{
	fs.client->answered = false;
	broker_queues(fs.client->broker, SLICE("io"), party_on_queues,
		      fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->stats.waiting + fs.client->stats.delayed +
	       fs.client->stats.in_flight;
}
