/* SPDX-License-Identifier: MIT */
/*
 * Workflows that the commands of tasks begin, seal and cancel: they have no way to
 * the store but the one by which they submit (executor/task_socket.h).
 */
#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "dispatch/state.h"
#include "store/flow.h"

/* One that is under way; its asker may be gone when it is answered. */
struct flow_ask {
	struct dispatch *dispatch;
	struct submit_request asker;
	struct buf json, scratch;
	struct slice verb, flow, label, on_failure;
	bool whole;
	int64_t life_us;
};

#define FIELD(of_name, kind, at, ...)                                          \
	{                                                                      \
		.name = {of_name, sizeof(of_name) - 1}, .type = FIELD_##kind,  \
		.offset = offsetof(struct flow_ask, at), __VA_ARGS__           \
	}
static const struct field fields[] = {
    FIELD("workflow", TEXT, verb, .required = true),
    FIELD("flow", TEXT, flow, .required = true),
    FIELD("label", TEXT, label),
    FIELD("on_failure", TEXT, on_failure),
    FIELD("whole", BOOL, whole),
    FIELD("life", SECONDS, life_us, .max = FLOW_LIFE_MAX_S),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void
flow_ask_finish(struct flow_ask *f, const struct err *err)
{
	pool_submitted(f->dispatch->pool, f->asker.executor, f->asker.job,
		       f->asker.number, err);
	buf_done(&f->json);
	buf_done(&f->scratch);
	free(f);
}

/* Without an error, the message is the answer: the state, or nothing. */
static void
on_flow_answer(struct slice value, const struct err *err, void *arg)
{
	struct err answer = {.code = ERR_NONE};

	if (err != NULL)
		answer = *err;
	else
		snprintf(answer.msg, sizeof(answer.msg), "%.*s", (int)value.len,
			 value.len > 0 ? value.p : "");
	flow_ask_finish(arg, &answer);
}

static int
flow_ask_policy(struct slice word, enum flow_policy *ret, struct err *err)
{
	size_t i;

	*ret = FLOW_CONTINUE;
	for (i = 0; i <= FLOW_CANCEL; i++)
		if (slice_eq(word, slice_of(flow_policy_words[i]))) {
			*ret = (enum flow_policy)i;
			return 0;
		}
	return word.len == 0
		   ? 0
		   : err_set(err, ERR_DATA,
			     "on_failure \"%.*s\" is not one of "
			     "continue, cancel",
			     (int)(word.len < 64 ? word.len : 64), word.p);
}

/* As long as results are kept, unless it says so. */
static int
flow_ask_begin(struct flow_ask *f, struct err *err)
{
	const int64_t ttl_s = dispatch_ttl_s(f->dispatch);
	struct flow_begin begin = {.id = f->flow,
				   .label = f->label,
				   .whole = f->whole,
				   .life_s = f->life_us / 1000000};

	if (begin.life_s == 0)
		begin.life_s = ttl_s > 0 && ttl_s < FLOW_LIFE_MAX_S
				   ? ttl_s
				   : FLOW_LIFE_MAX_S;
	if (flow_ask_policy(f->on_failure, &begin.on_failure, err) != 0)
		return -1;
	broker_flow_begin(f->dispatch->broker, &begin, on_flow_answer, f);
	return 0;
}

static int
flow_ask_do(struct flow_ask *f, struct err *err)
{
	if (slice_eq(f->verb, SLICE("begin")))
		return flow_ask_begin(f, err);
	if (slice_eq(f->verb, SLICE("seal")))
		broker_flow_seal(f->dispatch->broker, f->flow, on_flow_answer,
				 f);
	else if (slice_eq(f->verb, SLICE("cancel")))
		broker_flow_cancel(f->dispatch->broker, f->flow, on_flow_answer,
				   f);
	else
		return err_set(err, ERR_DATA,
			       "workflow \"%.*s\" is not one of begin, seal, "
			       "cancel",
			       (int)(f->verb.len < 64 ? f->verb.len : 64),
			       f->verb.p);
	return 0;
}

/* A task has a name, and no verb. */
bool
flow_ask_is_one(struct slice json)
{
	static const char member[] = "\"workflow\":";

	return memmem(json.p, json.len, member, sizeof(member) - 1) != NULL &&
	       memmem(json.p, json.len, "\"name\":", 7) == NULL;
}

void
flow_ask_for(struct dispatch *d, const struct submit_request *asker,
	     struct slice json)
{
	struct flow_ask *f = calloc(1, sizeof(*f));
	const struct fields_in in = {.table = fields,
				     .n = N_FIELDS,
				     .max_depth = 2,
				     .scratch = f != NULL ? &f->scratch : NULL};
	struct err err;

	if (f == NULL) {
		err_nomem(&err);
		pool_submitted(d->pool, asker->executor, asker->job,
			       asker->number, &err);
		return;
	}
	f->dispatch = d;
	f->asker = *asker;
	buf_add(&f->json, json.p, json.len);
	if (f->json.failed)
		err_nomem(&err);
	else if (fields_read(&in, (struct slice){f->json.data, f->json.len}, f,
			     &err) == 0 &&
		 flow_ask_do(f, &err) == 0)
		return;
	flow_ask_finish(f, &err);
}
