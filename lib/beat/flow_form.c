/* SPDX-License-Identifier: MIT */
/*
 * What a schedule says of its workflow was checked when it was stored: its names
 * are unique, what a step waits for is there, and the steps are in an order. So
 * names only become IDs here, and what the steps leave open is filled in.
 */
#include "beat/flow_form.h"

#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/flow_args.h"
#include "codec/task_json.h"
#include "schedules/schedules.h"
#include "store/flow.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)

/* --- reading ----------------------------------------------------------- */

struct step_text {
	struct flow_form_step step;
	struct slice name;
};

#define FIELD(of_name, kind, at, ...)                                          \
	{                                                                      \
		.name = {of_name, sizeof(of_name) - 1}, .type = FIELD_##kind,  \
		.offset = offsetof(struct step_text, at), __VA_ARGS__          \
	}
#define FIELD_KIND_INT FIELD_WHOLE
#define FIELD_KIND_NUMBER FIELD_NUMBER
#define FIELD_KIND_SECONDS FIELD_SECONDS

static const struct field step_fields[] = {
    FIELD("name", TEXT, name, .required = true),
    FIELD("args", ARRAY, step.args),
    FIELD("kwargs", OBJECT, step.kwargs),
    FIELD("id", TEXT, step.id, .required = true),
    FIELD("queue", TEXT, step.queue),
    FIELD("group", TEXT, step.group),
    FIELD("priority", WHOLE, step.priority, .min = INT32_MIN, .max = INT32_MAX),
    FIELD("delay", SECONDS, step.delay_us, .max = TASK_DURATION_MAX_S),
#define TASK_SETTING(field, kind, member, request, low, high, ...)             \
	{.name = {#field, sizeof(#field) - 1},                                 \
	 .type = FIELD_KIND_##kind,                                            \
	 .offset = offsetof(struct step_text, step.settings.member),           \
	 .min = (low),                                                         \
	 .max = (high)},
#include "core/task_options.def"
    FIELD("cpu_bound", ANY, step.cpu_bound),
    FIELD("after", ARRAY, step.after),
    FIELD("on", TEXT, step.on),
    FIELD("expires_at", TEXT, step.expires_at),
};
#undef FIELD

struct head {
	struct slice label, on_failure, steps;
	int64_t life_us;
};
#define FIELD(of_name, kind, at, ...)                                          \
	{                                                                      \
		.name = {of_name, sizeof(of_name) - 1}, .type = FIELD_##kind,  \
		.offset = offsetof(struct head, at), __VA_ARGS__               \
	}
static const struct field head_fields[] = {
    FIELD("label", TEXT, label),
    FIELD("on_failure", TEXT, on_failure),
    FIELD("life", SECONDS, life_us, .max = FLOW_LIFE_MAX_S),
    FIELD("steps", ARRAY, steps, .required = true),
};
#undef FIELD

static struct flow_form_step *
form_add(struct flow_form *form)
{
	const size_t cap = form->cap > 0 ? 2 * form->cap : 16;
	struct flow_form_step *grown;

	if (form->n == form->cap) {
		grown = reallocarray(form->steps, cap, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		form->steps = grown;
		form->cap = cap;
	}
	return &form->steps[form->n++];
}

/* The name of its task gets a NUL: others are asked about it. */
static int
on_step(void *arg, const struct scan_value *value, struct err *err)
{
	static const struct task_settings unset = TASK_SETTINGS_UNSET;
	struct flow_form_step *to = form_add(arg);
	struct step_text read = {.step.settings = unset};
	const struct fields_in in = {.table = step_fields,
				     .n = sizeof(step_fields) /
					  sizeof(step_fields[0]),
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &read.step.scratch};
	char name[TASK_NAME_MAX + 1];
	int r;

	if (to == NULL)
		return err_nomem(err);
	*to = (struct flow_form_step){.id = {NULL, 0}};
	r = fields_read(&in, value->text, &read, err);
	*to = read.step;
	if (r != 0)
		return -1;
	if (!task_name_valid(read.name, TASK_NAME_MAX))
		return err_set(err, ERR_DATA,
			       "\"%.*s\" is not a valid task name",
			       (int)read.name.len, read.name.p);
	snprintf(name, sizeof(name), "%.*s", (int)read.name.len, read.name.p);
	to->name = strdup(name);
	return to->name != NULL ? 0 : err_nomem(err);
}

int
flow_form_read(struct flow_form *form, const char *workflow, struct err *err)
{
	struct head head = {.life_us = 0};
	const struct fields_in in = {.table = head_fields,
				     .n = sizeof(head_fields) /
					  sizeof(head_fields[0]),
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &form->scratch};

	if (fields_read(&in, slice_of(workflow), &head, err) != 0)
		return -1;
	form->label = head.label;
	form->on_failure = head.on_failure;
	form->life_us = head.life_us;
	return scan_array(head.steps, TASK_DEPTH_MAX, on_step, form, err);
}

void
flow_form_done(struct flow_form *form)
{
	size_t i;

	for (i = 0; i < form->n; i++) {
		free((char *)(uintptr_t)form->steps[i].name);
		buf_done(&form->steps[i].scratch);
	}
	free(form->steps);
	buf_done(&form->scratch);
	*form = (struct flow_form){.n = 0};
}

/* --- writing ------------------------------------------------------------- */

/* One fire of it that is being written. */
struct writing {
	const struct flow_fire *fire;
	struct buf *out;
	struct buf id, queue, group, args, kwargs; /* of the step in hand */
	size_t n;				   /* of an array */
};

static int
map_name(void *arg, struct slice name, struct buf *out, struct err *err)
{
	const struct writing *w = arg;

	buf_addf(out, "%s.%.*s", w->fire->id, (int)name.len, name.p);
	return 0;
}

static int
on_after(void *arg, const struct scan_value *value, struct err *err)
{
	struct writing *w = arg;

	if (value->type != SCAN_STRING || value->escaped)
		return err_set(err, ERR_DATA,
			       "\"after\" is not a list of names");
	buf_addf(w->out, "%s\"%s.%.*s\"", w->n++ > 0 ? "," : "", w->fire->id,
		 (int)value->text.len, value->text.p);
	return 0;
}

/* A text with its NUL; NULL where it is empty. */
static const char *
keep(struct buf *to, struct slice text)
{
	buf_reset(to);
	buf_add(to, text.p, text.len);
	buf_addc(to, '\0');
	return text.len > 0 && !to->failed ? to->data : NULL;
}

static int
map_args(struct writing *w, struct slice json, struct buf *to,
	 struct slice *ret, struct err *err)
{
	buf_reset(to);
	*ret = json;
	if (!flow_args_any(json))
		return 0;
	if (flow_args_map(json, map_name, w, to, err) != 0)
		return -1;
	*ret = (struct slice){to->data, to->len};
	return 0;
}

static int
read_expiry(const struct writing *w, struct slice text, int64_t *ret,
	    struct err *err)
{
	char duration[64];
	int64_t us;

	*ret = 0;
	if (text.len == 0)
		return 0;
	snprintf(duration, sizeof(duration), "%.*s", (int)text.len, text.p);
	if (clock_parse_duration(duration, &us, err) != 0)
		return -1;
	*ret = w->fire->now_us + us;
	return 0;
}

static int
write_task(struct writing *w, const struct flow_form_step *s, struct err *err)
{
	struct task task = {
	    .name = s->name,
	    .priority = (int32_t)s->priority,
	    .cpu_bound = s->cpu_bound.len > 0
			     ? slice_eq(s->cpu_bound, SLICE("true"))
			     : s->defaults.cpu_bound,
	    .max_retries = s->settings.max_retries,
	    .retry = s->settings.retry,
	    .timeout_us = s->settings.timeout_us,
	    .submitted_us = w->fire->now_us,
	    .due_ms =
		s->delay_us > 0 ? (w->fire->now_us + s->delay_us) / 1000 : 0,
	    .trace_link = slice_of(w->fire->schedule->traceparent),
	    .flow = slice_of(w->fire->id),
	    .on = s->on};

	buf_reset(&w->id);
	map_name(w, s->id, &w->id, err);
	buf_addc(&w->id, '\0');
	task.id = w->id.data;
	task.queue = keep(&w->queue, s->queue);
	if (task.queue == NULL)
		task.queue = s->defaults.queue;
	task.group = keep(&w->group, s->group);
	if (read_expiry(w, s->expires_at, &task.expires_us, err) != 0 ||
	    map_args(w, s->args, &w->args, &task.args, err) != 0 ||
	    map_args(w, s->kwargs, &w->kwargs, &task.kwargs, err) != 0)
		return -1;
	if (w->id.failed || w->queue.failed || w->group.failed)
		return err_nomem(err);
	task_resolve(&task, &s->defaults.settings, &w->fire->conf->executor);
	task_encode(&task, w->out);
	return 0;
}

static int
write_step(struct writing *w, const struct flow_form_step *s, struct err *err)
{
	buf_adds(w->out, "{");
	if (s->on.len > 0)
		buf_addf(w->out, "\"on\":\"%.*s\",", (int)s->on.len, s->on.p);
	if (s->after.len > 0) {
		w->n = 0;
		buf_adds(w->out, "\"after\":[");
		if (scan_array(s->after, 2, on_after, w, err) != 0)
			return -1;
		buf_adds(w->out, "],");
	}
	if (s->delay_us > 0)
		buf_addf(w->out, "\"delay_ms\":%lld,",
			 (long long)((s->delay_us + 999) / 1000));
	buf_adds(w->out, "\"task\":");
	if (write_task(w, s, err) != 0)
		return -1;
	buf_addc(w->out, '}');
	return 0;
}

/* As long as its results are kept, unless it says so; and longer than a fire may
 * be sent again. */
static int64_t
life_s(const struct flow_form *form, const struct conf *conf)
{
	const int64_t us =
	    form->life_us > 0 ? form->life_us : conf->backend.ttl;
	const int64_t s = us / US_PER_S;

	if (us == 0 || s > FLOW_LIFE_MAX_S)
		return FLOW_LIFE_MAX_S;
	return s < FLOW_FORM_LIFE_S ? FLOW_FORM_LIFE_S : s;
}

static void
write_head(struct writing *w, const struct flow_form *form)
{
	buf_adds(w->out, "{\"label\":");
	scan_quote(w->out, form->label.len > 0
			       ? form->label
			       : slice_of(w->fire->schedule->task));
	buf_addf(w->out, ",\"on_failure\":\"%.*s\",\"life\":%lld,\"steps\":[",
		 (int)form->on_failure.len,
		 form->on_failure.len > 0 ? form->on_failure.p : "",
		 (long long)life_s(form, w->fire->conf));
}

int
flow_form_encode(const struct flow_form *form, const struct flow_fire *fire,
		 struct buf *out, struct err *err)
{
	struct writing w = {.fire = fire, .out = out};
	int r = 0;
	size_t i;

	write_head(&w, form);
	for (i = 0; i < form->n && r == 0; i++) {
		if (i > 0)
			buf_addc(out, ',');
		r = write_step(&w, &form->steps[i], err);
	}
	buf_adds(out, "]}");
	buf_done(&w.id);
	buf_done(&w.queue);
	buf_done(&w.group);
	buf_done(&w.args);
	buf_done(&w.kwargs);
	return r == 0 && out->failed ? err_nomem(err) : r;
}
