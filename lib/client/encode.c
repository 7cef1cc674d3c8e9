/* SPDX-License-Identifier: MIT */
/*
 * From a request to what is sent: the first step of a task's way.
 *
 * A request is checked, filled up with what the task's module has registered
 * and with what is configured, and written as two pieces of JSON: the task for
 * the queue, and its pending record. All defaults are resolved here, so a worker
 * with another configuration runs the task as its producer saw it.
 */
#include "client/encode.h"

#include <string.h>

#include "client/client.h"
#include "client/registry.h"
#include "codec/flow_args.h"
#include "codec/result_json.h"
#include "codec/scan.h"
#include "codec/task_json.h"
#include "codec/value.h"
#include "core/limit.h"
#include "core/result.h"
#include "core/trace_context.h"
#include "store/flow.h"
#include "store/steps.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/name.h"
#include "util/uuid.h"

#define US_PER_S 1e6
/* 9999-12-31T23:59:59.999999, the last time that can be written. Beyond it,
 * rounding to milliseconds may overflow, and the task would run at once. */
#define AT_MAX_US INT64_C(253402300799999999)
/* Arguments are one level down in the task. */
#define DEPTH_MAX (TASK_DEPTH_MAX - 1)

/* --- checks ------------------------------------------------------------ */

/* `valid` is the caller's verdict; this only words it. */
static int
check_text(const char *what, const char *text, bool valid, struct err *err)
{
	if (valid)
		return 0;
	return err_set(err, ERR_DATA,
		       "%s \"%.64s\" is not valid: 1 to %d of the characters "
		       "A-Z a-z 0-9 _ . -",
		       what, text,
		       strcmp(what, "queue") == 0 ? TASK_QUEUE_MAX
						  : TASK_NAME_MAX);
}

static int
check_request_names(const struct flowrra_request *r, struct err *err)
{
	if (r->name == NULL)
		return err_set(err, ERR_DATA, "the task has no name");
	if (check_text("name", r->name,
		       task_name_valid(slice_of(r->name), TASK_NAME_MAX),
		       err) != 0)
		return -1;
	if (r->queue != NULL &&
	    check_text("queue", r->queue,
		       task_name_valid(slice_of(r->queue), TASK_QUEUE_MAX),
		       err) != 0)
		return -1;
	if (r->group != NULL &&
	    limit_check_group(slice_of(r->group), ERR_DATA, err) != 0)
		return -1;
	if (r->id != NULL && !task_id_valid(slice_of(r->id)))
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a valid ID: 1 to %d printable "
			       "ASCII characters without spaces",
			       r->id, TASK_ID_MAX);
	if (r->force && r->queue == NULL)
		return err_set(err, ERR_DATA,
			       "a task submitted with force needs a queue");
	return 0;
}

/* Written so that NaN, which is neither above nor below, fails. */
static int
check_number(const char *what, double value, double min, double max,
	     struct err *err)
{
	if (value == FLOWRRA_UNSET || (value >= min && value <= max))
		return 0;
	return err_set(err, ERR_DATA, "%s %.10g is out of range (%g to %.10g)",
		       what, value, min, max);
}

static int
check_request_numbers(const struct flowrra_request *r, struct err *err)
{
#define TASK_SETTING(field, type, member, request, low, high, ...)             \
	if (check_number(#field, r->request, low, high, err) != 0)             \
		return -1;
#include "core/task_options.def"
	if (check_number("delay", r->delay_s, 0, TASK_DURATION_MAX_S, err) != 0)
		return -1;
	/* Either could be meant; to guess would run the task at a wrong time. */
	if (r->delay_s > 0 && r->at_us != 0)
		return err_set(err, ERR_DATA, "cannot use delay with at");
	if (r->at_us < 0 || r->expires_us < 0)
		return err_set(err, ERR_DATA, "times must be after 1970");
	if (r->at_us > AT_MAX_US)
		return err_set(err, ERR_DATA,
			       "at must be before the year 10000");
	return 0;
}

/* Syntax and type only: what the members mean is the handler's affair. *ret is
 * the text without the blanks around it. */
static int
check_request_json(const char *what, const char *text, enum scan_type type,
		   struct slice *ret, struct err *err)
{
	struct scan_value value;

	*ret = (struct slice){NULL, 0};
	if (text == NULL)
		return 0;
	if (value_scan(slice_of(text), DEPTH_MAX, &value, err) != 0)
		return err_prefix(err, "%s", what);
	if (value.type != type)
		return err_set(err, ERR_DATA, "%s must be a JSON %s", what,
			       type == SCAN_ARRAY ? "array" : "object");
	*ret = value.text;
	return 0;
}

static int
read_request_unique(const struct flowrra_request *r, struct unique *ret,
		    struct err *err)
{
	const struct unique_wish wish = {.key = r->unique,
					 .until = r->unique_until,
					 .ttl_s = r->unique_ttl_s,
					 .debounce_s = r->debounce_s,
					 .delayed =
					     r->delay_s > 0 || r->at_us != 0};

	/* No time to live is as good as 0, or FLOWRRA_UNSET. */
	if (r->unique_ttl_s != 0 && r->unique_ttl_s != FLOWRRA_UNSET &&
	    check_number("unique_ttl", r->unique_ttl_s, 1, TASK_DURATION_MAX_S,
			 err) != 0)
		return -1;
	return unique_read(&wish, ret, err);
}

/* A typed one that is wrong is refused: nobody would find out why the trace ends
 * there. */
static int
check_request_trace(const struct flowrra_request *r, struct task *task,
		    struct err *err)
{
	if (r->traceparent == NULL)
		return r->tracestate == NULL
			   ? 0
			   : err_set(err, ERR_DATA,
				     "tracestate needs a traceparent");
	if (traceparent_check(r->traceparent, err) != 0)
		return -1;
	task->traceparent = slice_of(r->traceparent);
	if (r->tracestate == NULL)
		return 0;
	task->tracestate = slice_of(r->tracestate);
	return tracestate_valid(task->tracestate)
		   ? 0
		   : err_set(err, ERR_DATA,
			     "tracestate \"%.64s\" is not valid: at most 32 "
			     "of KEY=VALUE with commas between, %d bytes",
			     r->tracestate, TRACESTATE_MAX);
}

static int
check_request_flow(const struct flowrra_request *r, struct task *task,
		   struct err *err)
{
	if (r->flow == NULL)
		return r->after == NULL && r->on == NULL
			   ? 0
			   : err_set(err, ERR_DATA,
				     "%s needs a workflow (flow)",
				     r->after != NULL ? "after" : "on");
	task->flow = slice_of(r->flow);
	task->on = slice_of(r->on != NULL ? r->on : "");
	if (!flow_id_valid(task->flow))
		return err_set(err, ERR_DATA,
			       "flow \"%.64s\" is not valid: 1 to %d of the "
			       "characters A-Z a-z 0-9 _ . -",
			       r->flow, TASK_FLOW_MAX);
	if (r->unique != NULL)
		return err_set(err, ERR_DATA,
			       "a step of a workflow cannot have a unique key");
	if (r->after != NULL && r->on != NULL)
		return err_set(err, ERR_DATA,
			       "cannot use after with on: a step with on runs "
			       "when all others have ended");
	return 0;
}

/* All checks that need no server come before those that do, so a wrong request
 * fails in the same way with the servers out of reach. */
static int
check_request(const struct flowrra_request *r, struct task *task,
	      struct unique *unique, struct err *err)
{
	if (read_request_unique(r, unique, err) != 0 ||
	    check_request_trace(r, task, err) != 0 ||
	    check_request_flow(r, task, err) != 0)
		return -1;
	if (check_request_names(r, err) != 0 ||
	    check_request_numbers(r, err) != 0)
		return -1;
	if (check_request_json("args", r->args, SCAN_ARRAY, &task->args, err) !=
		0 ||
	    check_request_json("kwargs", r->kwargs, SCAN_OBJECT, &task->kwargs,
			       err) != 0)
		return -1;
	return r->flow == NULL || (flow_args_check(task->args, err) == 0 &&
				   flow_args_check(task->kwargs, err) == 0)
		   ? 0
		   : -1;
}

/* --- the task ---------------------------------------------------------- */

static int64_t
request_microseconds(double seconds)
{
	return seconds < 0 ? TASK_UNSET : (int64_t)(seconds * US_PER_S + 0.5);
}

/* A request has durations in seconds, a task in microseconds. */
#define SETTING_OF_INT(value) (value)
#define SETTING_OF_NUMBER(value) (value)
#define SETTING_OF_SECONDS(value) request_microseconds(value)

static void
fill_task(const struct flowrra_client *c, const struct flowrra_request *r,
	  const struct registered *entry, struct task *task)
{
	task->name = r->name;
	task->queue = r->queue != NULL ? r->queue : entry->queue;
	task->group = r->group;
	task->priority = r->priority;
	task->cpu_bound =
	    r->cpu_bound < 0 ? entry->cpu_bound : r->cpu_bound != 0;
#define TASK_SETTING(field, type, member, request, ...)                        \
	task->member = SETTING_OF_##type(r->request);
#include "core/task_options.def"
	/* The request first, then what is registered, then the configuration. */
	task_resolve(task, &entry->settings, &c->conf->executor);
	task->submitted_us = clock_wall_us();
	task->expires_us = r->expires_us;
}

/* Rounded up: not a millisecond too early. */
static int64_t
milliseconds(int64_t us)
{
	return us <= 0 ? 0 : (us + 999) / 1000;
}

/* The task and its record without their arguments: nearly always enough, so
 * that the buffer of a single one grows once. */
#define ENCODED_USUAL 900

/* Offsets, not pointers, since the buffer of a batch moves while it grows. The
 * record repeats the arguments: it must tell of a task that is long gone. */
static void
append_encoded(const struct task *task, enum clock_form times, struct buf *out,
	       struct encoded *e)
{
	struct result pending = result_pending(task);

	pending.times = times;
	buf_reserve(out,
		    ENCODED_USUAL + 2 * (task->args.len + task->kwargs.len));
	e->id = out->len;
	e->id_len = pending.task_id.len;
	buf_add(out, task->id, e->id_len + 1);
	e->queue = out->len;
	buf_add(out, task->queue, pending.queue.len + 1);
	e->bytes = out->len;
	task_encode(task, out);
	e->bytes_len = out->len - e->bytes;
	e->record = out->len;
	result_encode(&pending, out);
	e->record_len = out->len - e->record;
	e->derived = times == CLOCK_FORM_UTC;
}

const char *
encode_likely_queue(const struct flowrra_request *request)
{
	if (request->queue != NULL)
		return request->queue;
	return request->cpu_bound > 0 ? "cpu" : "io";
}

static void
append_unique(const struct flowrra_request *request,
	      const struct unique *unique, struct buf *out, struct encoded *e)
{
	e->unique = out->len;
	e->unique_len = request->unique != NULL ? strlen(request->unique) : 0;
	if (e->unique_len > 0)
		buf_add(out, request->unique, e->unique_len);
	e->unique_s = unique->ttl_s;
	e->unique_until = unique->until;
	e->debounces = unique->debounce_ms > 0;
}

/* --- steps of workflows -------------------------------------------------- */

static int
append_flow(const struct flowrra_request *r, struct buf *out, struct encoded *e,
	    struct err *err)
{
	e->flow = out->len;
	e->flow_len = r->flow != NULL ? strlen(r->flow) : 0;
	if (r->flow == NULL)
		return 0;
	buf_adds(out, r->flow);
	if (r->on != NULL && steps_read_on(slice_of(r->on), &e->role, err) != 0)
		return -1;
	return r->after == NULL
		   ? 0
		   : steps_read_after(slice_of(r->after), &e->own, err);
}

static int
encode_into(const struct encoder *encoder,
	    const struct flowrra_request *request, struct encoded *ret,
	    struct err *err)
{
	struct flowrra_client *c = encoder->client;
	struct buf *out = encoder->out;
	struct registered entry = {.settings = TASK_SETTINGS_UNSET};
	struct task task = {.id = request->id};
	struct unique unique;
	char id[UUID_TEXT_SIZE];

	if (check_request(request, &task, &unique, err) != 0 ||
	    append_flow(request, out, ret, err) != 0 ||
	    (!encoder->adhoc && name_check_submitted(request->name, err) != 0))
		return -1;
	if (!request->force &&
	    registry_find(c, request->name, encode_likely_queue(request),
			  &entry, err) != 0)
		return -1;
	if (task.id == NULL) {
		uuid_make(id);
		task.id = id;
	}
	fill_task(c, request, &entry, &task);
	if (!request->force &&
	    registry_check_served(c, task.queue, task.name, err) != 0)
		return -1;
	task.unique = request->unique;
	task.unique_until = unique.until;
	ret->delay_ms =
	    unique.debounce_ms +
	    milliseconds((int64_t)(request->delay_s * US_PER_S + 0.5));
	ret->at_ms = milliseconds(request->at_us);
	/* For its worker, which measures how long it has waited since. */
	task.due_ms = ret->delay_ms > 0 ? clock_wall_us() / 1000 + ret->delay_ms
					: ret->at_ms;
	if (encoder->reply_to != NULL)
		task.reply_to = slice_of(encoder->reply_to);
	append_encoded(&task, c->conf->worker.foreign_times, out, ret);
	append_unique(request, &unique, out, ret);
	if (out->failed)
		return err_nomem(err);
	ret->priority = request->priority;
	/* A UUID of our own cannot be taken: looking would cost a step. Of a
	 * workflow, the same ID is the same step. */
	ret->exclusive = request->id != NULL && request->flow == NULL;
	/* Checked here, where the producer hears of it: a worker that is
	 * given a larger one can only put it into the dead list. */
	if ((int64_t)ret->bytes_len <= c->conf->worker.max_task_size)
		return 0;
	return err_set(
	    err, ERR_DATA,
	    "the task has %zu bytes as JSON, more than %lld ([worker] "
	    "max_task_size)",
	    ret->bytes_len, (long long)c->conf->worker.max_task_size);
}

int
encode_request(const struct encoder *encoder,
	       const struct flowrra_request *request, struct encoded *ret,
	       struct err *err)
{
	const size_t before = encoder->out->len;

	*ret = (struct encoded){.role = FLOW_STEP};
	if (encode_into(encoder, request, ret, err) == 0)
		return 0;
	/* The batch stays good for the tasks that it has. */
	encoder->out->failed = false;
	encoder->out->len = before;
	steps_after_done(&ret->own);
	return -1;
}
