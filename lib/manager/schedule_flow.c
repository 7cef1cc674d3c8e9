/* SPDX-License-Identifier: MIT */
/* Workflows of schedules: checking, writing, and beginning one by hand. */
#include "manager/schedule_flow.h"

#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "codec/flow_args.h"
#include "codec/scan.h"
#include "codec/value.h"
#include "core/limit.h"
#include "core/task.h"
#include "manager/flows.h"
#include "manager/flows_submit.h"
#include "manager/request.h"
#include "manager/schedule.h"
#include "schedules/schedules.h"
#include "store/flow.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/name.h"

/* The workflow of no fire, while it is checked: its steps are "w.NAME". */
#define DRAFT "w"

/* --- mistakes ------------------------------------------------------------ */

/* The first one is the error, and all are told. */
struct mistakes {
	flow_tell_fn *tell;
	void *arg;
	size_t n;
	struct err first;
};

static void
on_mistake(void *arg, int line, const char *text)
{
	struct mistakes *m = arg;

	if (m->n++ == 0 && line > 0)
		err_set(&m->first, ERR_DATA, "workflow, line %d: %s", line,
			text);
	else if (m->n == 1)
		err_set(&m->first, ERR_DATA, "workflow: %s", text);
	if (m->tell != NULL)
		m->tell(m->arg, line, text);
}

/* --- what only a schedule asks for --------------------------------------- */

struct member_text {
	struct slice name;
	struct buf text;
	bool found;
};

static int
on_member(void *arg, const struct scan_value *key,
	  const struct scan_value *value, struct err *err)
{
	struct member_text *m = arg;

	if (!slice_eq(key->text, m->name) || value->type == SCAN_NULL)
		return 0;
	m->found = true;
	if (value->type == SCAN_STRING)
		scan_unescape(value, &m->text);
	else
		buf_add(&m->text, value->text.p, value->text.len);
	return 0;
}

/* *ret_us: 0 if it is not said. */
static int
read_expiry(const struct flow_file_step *s, int64_t *ret_us, struct err *err)
{
	struct member_text m = {.name = SLICE("expires_at")};
	int r = 0;

	*ret_us = 0;
	scan_object(s->text, TASK_DEPTH_MAX, on_member, &m, NULL);
	buf_addc(&m.text, '\0');
	if (m.text.failed)
		r = err_nomem(err);
	else if (m.found &&
		 clock_parse_duration(m.text.data, ret_us, NULL) != 0)
		r = err_set(err, ERR_DATA,
			    "\"expires_at\": a schedule needs a duration, such "
			    "as \"1h\", from the fire on");
	buf_done(&m.text);
	return r;
}

static int
check_json(const char *what, const char *json, struct err *err)
{
	struct scan_value value;

	if (json == NULL ||
	    value_scan(slice_of(json), TASK_DEPTH_MAX - 1, &value, err) == 0)
		return 0;
	return err_prefix(err, "%s", what);
}

/* All that would fail at each fire, at night and unseen. *ret_member is to blame. */
static int
check_step(const struct flow_file_step *s, const char **ret_member,
	   struct err *err)
{
	const struct flowrra_request *r = &s->request;
	int64_t expiry_us;

	*ret_member = "name";
	if (name_check_task(slice_of(r->name), ERR_DATA, err) != 0 ||
	    name_check_submitted(r->name, err) != 0)
		return -1;
	*ret_member = "queue";
	if (r->queue != NULL &&
	    name_check_queue(slice_of(r->queue), ERR_DATA, err) != 0)
		return -1;
	*ret_member = "group";
	if (r->group != NULL &&
	    limit_check_group(slice_of(r->group), ERR_DATA, err) != 0)
		return -1;
	*ret_member = "at";
	if (r->at_us != 0)
		return err_set(
		    err, ERR_DATA,
		    "\"at\" would be the same time for each fire; use "
		    "\"delay\"");
	*ret_member = "traceparent";
	if (r->traceparent != NULL || r->tracestate != NULL)
		return err_set(err, ERR_DATA,
			       "not in a schedule, because each fire "
			       "begins a new trace");
	*ret_member = "args";
	if (check_json("args", r->args, err) != 0)
		return -1;
	*ret_member = "kwargs";
	if (check_json("kwargs", r->kwargs, err) != 0)
		return -1;
	*ret_member = "expires_at";
	return read_expiry(s, &expiry_us, err);
}

static int
check_head(const struct flow_file *file, struct err *err)
{
	size_t i;

	if (file->label != NULL && !flow_label_valid(slice_of(file->label)))
		return err_set(err, ERR_DATA,
			       "\"label\": at most %d bytes of UTF-8, without "
			       "control characters",
			       FLOW_LABEL_MAX);
	if (file->on_failure == NULL)
		return 0;
	for (i = 0; i <= FLOW_CANCEL; i++)
		if (strcmp(file->on_failure, flow_policy_words[i]) == 0)
			return 0;
	return err_set(err, ERR_DATA,
		       "on_failure \"%.64s\" is not one of continue, cancel",
		       file->on_failure);
}

static int
check_file(const struct flow_file *file, const char *text, struct mistakes *m,
	   struct err *err)
{
	struct flow_reading r = {.file = (struct flow_file *)(uintptr_t)file,
				 .text = text,
				 .id = DRAFT,
				 .tell = on_mistake,
				 .arg = m};
	const struct flow_file_step *s;
	const char *member = NULL;

	if (check_head(file, err) != 0)
		on_mistake(m, 0, err->msg);
	for (s = file->steps; s < file->steps + file->n; s++)
		if (check_step(s, &member, err) != 0)
			flow_file_tell(&r, s, flow_file_line(&r, s, member),
				       err->msg);
	return m->n == 0 ? 0 : -1;
}

/* --- writing --------------------------------------------------------------- */

/* An ID of the draft is a name again. */
static int
strip_id(void *arg, struct slice id, struct buf *out, struct err *err)
{
	buf_add(out, id.p + strlen(DRAFT "."), id.len - strlen(DRAFT "."));
	return 0;
}

static int
strip_args(const char **json, struct buf *to, struct err *err)
{
	if (*json == NULL || !flow_args_any(slice_of(*json)))
		return 0;
	if (flow_args_map(slice_of(*json), strip_id, NULL, to, err) != 0)
		return -1;
	buf_addc(to, '\0');
	*json = to->data;
	return to->failed ? err_nomem(err) : 0;
}

static void
write_after(const struct flow_file *file, const struct flow_file_step *s,
	    struct buf *out)
{
	size_t i;

	for (i = 0; i < s->n_needs; i++)
		buf_addf(out, "%s\"%s:%s\"", i > 0 ? "," : ",\"after\":[",
			 file->steps[s->needs[i].step].name,
			 broker_after_words[s->needs[i].how]);
	if (s->n_needs > 0)
		buf_addc(out, ']');
}

/* The request's own members end with a bracket and a line's end. */
static int
write_step(const struct flow_file *file, const struct flow_file_step *s,
	   struct buf *out, struct err *err)
{
	struct flowrra_request request = s->request;
	struct buf args = BUF_INIT, kwargs = BUF_INIT;
	int64_t expiry_us = 0;
	int r = -1;

	request.id = s->name;
	request.flow = request.after = NULL;
	request.expires_us = 0;
	if (strip_args(&request.args, &args, err) == 0 &&
	    strip_args(&request.kwargs, &kwargs, err) == 0 &&
	    read_expiry(s, &expiry_us, err) == 0)
		r = 0;
	request_write(&request, out);
	buf_done(&args);
	buf_done(&kwargs);
	if (r != 0 || out->failed)
		return r != 0 ? -1 : err_nomem(err);
	out->len -= strlen("}\n");
	write_after(file, s, out);
	if (expiry_us > 0 && expiry_us % 1000000 == 0)
		buf_addf(out, ",\"expires_at\":\"%llds\"",
			 (long long)(expiry_us / 1000000));
	else if (expiry_us > 0)
		buf_addf(out, ",\"expires_at\":\"%lldms\"",
			 (long long)((expiry_us + 999) / 1000));
	if (request.force)
		buf_adds(out, ",\"force\":true");
	buf_addc(out, '}');
	return out->failed ? err_nomem(err) : 0;
}

static int
write_file(const struct flow_file *file, struct buf *out, struct err *err)
{
	size_t i;

	buf_addc(out, '{');
	if (file->label != NULL) {
		buf_adds(out, "\"label\":");
		scan_quote(out, slice_of(file->label));
		buf_addc(out, ',');
	}
	if (file->on_failure != NULL)
		buf_addf(out, "\"on_failure\":\"%s\",", file->on_failure);
	if (file->life_s > 0)
		buf_addf(out, "\"life\":%.17g,", file->life_s);
	buf_adds(out, "\"steps\":[");
	for (i = 0; i < file->n; i++) {
		if (i > 0)
			buf_addc(out, ',');
		if (write_step(file, &file->steps[file->order[i]], out, err) !=
		    0)
			return -1;
	}
	buf_adds(out, "]}");
	return out->failed ? err_nomem(err) : 0;
}

static int
check_size(size_t bytes, struct err *err)
{
	if (bytes <= SCHEDULE_ARGS_MAX)
		return 0;
	return err_set(err, ERR_DATA,
		       "workflow: %zu bytes as JSON, more than %d", bytes,
		       SCHEDULE_ARGS_MAX);
}

int
schedule_flow_write(const char *text, flow_tell_fn *tell, void *arg,
		    struct buf *out, struct err *err)
{
	static const struct flowrra_request base = FLOWRRA_REQUEST_INIT;
	struct mistakes m = {.tell = tell, .arg = arg};
	struct flow_file file = {.n = 0};
	const size_t before = out->len;
	struct err why = ERR_INIT;
	int r = flow_file_read(&file, text, DRAFT, &base, on_mistake, &m, &why);

	if (r == 0)
		r = check_file(&file, text, &m, &why);
	if (r == 0 && (r = write_file(&file, out, err)) == 0)
		r = check_size(out->len - before, err);
	else if (m.n > 0)
		err_set(err, ERR_DATA, "%s", m.first.msg);
	flow_file_done(&file);
	return r;
}

/* --- forms ----------------------------------------------------------------- */

static int
on_any_member(void *arg, const struct scan_value *key,
	      const struct scan_value *value, struct err *err)
{
	*(bool *)arg = true;
	return 0;
}

bool
schedule_flow_is_none(const char *text)
{
	bool any = false;

	return text == NULL || text[0] == '\0' ||
	       (scan_object(slice_of(text), TASK_DEPTH_MAX, on_any_member, &any,
			    NULL) == 0 &&
		!any);
}

static bool
is_other(const char *text, const char *usual)
{
	return text != NULL && text[0] != '\0' && strcmp(text, usual) != 0;
}

const char *
schedule_flow_stray(const struct schedule_form *f)
{
	if (is_other(f->args, "[]"))
		return "args";
	if (is_other(f->kwargs, "{}"))
		return "kwargs";
	if (is_other(f->queue, ""))
		return "queue";
	if (is_other(f->group, ""))
		return "group";
	if (f->priority != 0)
		return "priority";
	if (f->expires_s > 0)
		return "expires";
#define SCHEDULE_SETTING(field, type, member, ...)                             \
	if (f->member != TASK_UNSET)                                           \
		return #field;
#include "manager/schedule.def"
	return NULL;
}

/* --- with a store ---------------------------------------------------------- */

/* What is stored has no mistakes, unless another version made it. */
static int
read_stored(struct flow_file *file, const char *workflow, const char *id,
	    const struct flowrra_request *base, struct err *err)
{
	struct mistakes m = {.tell = NULL};

	if (flow_file_read(file, workflow, id, base, on_mistake, &m, err) == 0)
		return 0;
	return m.n > 0 ? err_set(err, ERR_DATA, "%s", m.first.msg) : -1;
}

static int
check_steps(struct flowrra_client *c, const struct flow_file *file,
	    struct err *err)
{
	struct flowrra_batch *batch;
	struct flowrra_error error;
	size_t i;
	int r = 0;

	if (flowrra_batch_new(c, &batch, &error) != 0)
		return err_set(err, err_of_exit_status(error.code), "%s",
			       error.message);
	for (i = 0; i < file->n && r == 0; i++)
		if (flowrra_batch_add(batch, &file->steps[i].request, &error) !=
		    0)
			r = err_set(err, err_of_exit_status(error.code),
				    "workflow: step \"%s\": %s",
				    file->steps[i].name, error.message);
	flowrra_batch_free(batch);
	return r;
}

/* They are made ready to be sent, and that is all. */
int
schedule_flow_check(struct flowrra_client *c, const char *workflow,
		    struct err *err)
{
	static const struct flowrra_request base = FLOWRRA_REQUEST_INIT;
	struct flow_file file = {.n = 0};
	int r = client_check(c, err);

	if (r == 0)
		r = read_stored(&file, workflow, DRAFT, &base, err);
	if (r == 0)
		r = check_steps(c, &file, err);
	flow_file_done(&file);
	return r;
}

static void
on_refused(void *arg, size_t step, const char *why)
{
}

int
schedule_flow_run(struct flowrra_client *c, const struct schedule_flow_run *run,
		  struct err *err)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT;
	const struct flows_begin begin = {.id = run->id};
	const struct flows_submission s = {.begin = &begin,
					   .refused = on_refused};
	struct flow_file file = {.n = 0};
	int r;

	base.traceparent = run->traceparent;
	base.tracestate = run->tracestate;
	r = read_stored(&file, run->workflow, run->id, &base, err);
	if (r == 0 && file.label == NULL)
		file.label = run->name;
	if (r == 0)
		r = flows_submit_file(c, &file, &s, err);
	flow_file_done(&file);
	return r;
}
