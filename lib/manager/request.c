/* SPDX-License-Identifier: MIT */
/*
 * Requests from words and from JSON.
 *
 * One table has all the fields, made from core/task_options.def, so that what a
 * program may say in JSON and what an operator may say in options are the same.
 */
#include "manager/request.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/encode.h"
#include "client/registry.h"
#include "codec/value.h"
#include "core/task.h"
#include "flowrra/client.h"
#include "manager/object.h"
#include "manager/workers.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

/* Room for ids, names and numbers beside the arguments. */
#define OPTIONS_BYTES 16384

static const struct object_member fields[] = {
    {"name", .value = {.type = VALUE_TEXT,
		       .offset = offsetof(struct flowrra_request, name)}},
#define TASK_OPTION(field, of_type, member, low, high, ...)                    \
	{#field, .value = {.type = VALUE_##of_type,                            \
			   .offset = offsetof(struct flowrra_request, member), \
			   .min = (low),                                       \
			   .max = (high)}},
#define SUBMIT_OPTION TASK_OPTION
#include "core/task_options.def"
    {"args", OBJECT_ARRAY, {.offset = offsetof(struct flowrra_request, args)}},
    {"kwargs",
     OBJECT_OBJECT,
     {.offset = offsetof(struct flowrra_request, kwargs)}},
    {"after",
     OBJECT_ARRAY,
     {.offset = offsetof(struct flowrra_request, after)}},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))
_Static_assert(N_FIELDS <= 64, "a bit for each field");

/* What workers keep in a task; it begins again when it is submitted. A task
 * that was read from a queue or from the dead list can be so as it is. */
static const char *const skipped[] = {
    "current_retry", "submitted_at", "crashes",	 "suspected",
    "unknown",	     "history",	     "reply_to", NULL,
};

int
request_read(struct slice json, const struct flowrra_request *base,
	     struct buf *scratch, struct flowrra_request *ret,
	     const char **ret_field, struct err *err)
{
	static const struct object_spec spec = {.members = fields,
						.n = N_FIELDS,
						.skipped = skipped,
						.what = "task field"};
	struct flowrra_request request = *base;

	if (object_read(json, &spec, &request, scratch, ret_field, err) != 0)
		return -1;
	if (request.name == NULL) {
		if (ret_field != NULL)
			*ret_field = "name";
		return err_set(err, ERR_DATA, "\"name\" is missing");
	}
	/* That of another trace says nothing of this one. */
	if (request.traceparent != base->traceparent &&
	    request.tracestate == base->tracestate)
		request.tracestate = NULL;
	*ret = request;
	return 0;
}

/* An unknown task is the one message that does not begin with its field. */
const char *
request_field(const char *message)
{
	const size_t len = strcspn(message, " ");
	size_t i;

	if (strncmp(message, "unknown task ", 13) == 0)
		return "name";
	for (i = 0; i < N_FIELDS; i++)
		if (strlen(fields[i].name) == len &&
		    strncmp(fields[i].name, message, len) == 0)
			return fields[i].name;
	return NULL;
}

size_t
request_max(const struct flowrra_client *c)
{
	return (size_t)c->conf->worker.max_task_size + OPTIONS_BYTES;
}

/* --- words ------------------------------------------------------------- */

/* Appends a JSON string. Fails where it would have to replace bytes that are
 * not UTF-8: the task would get another text than was typed. To read it back is
 * the simplest way to know. */
static int
add_json_string(struct slice text, struct buf *out, struct err *err)
{
	struct scan_value value;
	struct buf back = BUF_INIT;
	size_t begin = out->len;
	bool same;

	scan_quote(out, text);
	if (out->failed)
		return err_nomem(err);
	if (scan_check((struct slice){out->data + begin, out->len - begin},
		       TASK_DEPTH_MAX, &value, err) != 0)
		return -1;
	scan_unescape(&value, &back);
	same = slice_eq(text, (struct slice){back.data, back.len});
	buf_done(&back);
	if (same)
		return 0;
	return err_set(err, ERR_DATA, "\"%.*s\" is not UTF-8",
		       (int)(text.len < 64 ? text.len : 64), text.p);
}

char *
request_unserved(struct flowrra_client *c,
		 const struct flowrra_request *request)
{
	char *queue = NULL;
	json_t *workers;

	if (!request->force && request->name != NULL)
		queue = registry_deserted(c, request->queue, request->name);
	else if (request->queue != NULL)
		queue = strdup(request->queue);
	if (queue == NULL)
		return NULL;
	workers = workers_list(c, NULL);
	if (workers == NULL || workers_serve(workers, queue)) {
		free(queue);
		queue = NULL;
	}
	json_decref(workers);
	return queue;
}

/* What the registration says; the name is checked when the task is submitted,
 * where the message about it belongs. */
int
request_words_of(struct flowrra_client *c,
		 const struct flowrra_request *request, enum request_words *ret,
		 struct err *err)
{
	const char *name = request->name;
	struct registered entry;

	if (client_check(c, err) != 0)
		return -1;
	if (!task_name_valid(slice_of(name), TASK_NAME_MAX) ||
	    (request->queue != NULL &&
	     !task_name_valid(slice_of(request->queue), TASK_QUEUE_MAX))) {
		*ret = REQUEST_JSON; /* refused when it is submitted */
		return 0;
	}
	if (registry_find(c, name, encode_likely_queue(request), &entry, err) !=
	    0)
		return -1;
	*ret = entry.text ? REQUEST_TEXT : REQUEST_JSON;
	return 0;
}

/* A number that JSON readers would round is refused; the advice is the option
 * that takes it as text, which does not help with a bad escape. */
static int
check_argument(const struct scan_value *value, struct err *err)
{
	struct err why;

	if (value_check(value, &why) == 0)
		return 0;
	return err_set(err, ERR_DATA, "%s%s", why.msg,
		       *value->inexact != '\\' ? " (--string)" : "");
}

/* A word that is JSON is taken as it is, unless the task takes texts; any other
 * word is a string. So 5 is a number and 5a needs no quotes. */
int
request_argument(const char *text, enum request_words words, struct buf *out,
		 struct err *err)
{
	struct scan_value value;

	if (words == REQUEST_TEXT ||
	    scan_check(slice_of(text), TASK_DEPTH_MAX, &value, NULL) != 0)
		return add_json_string(slice_of(text), out, err);
	if (check_argument(&value, err) != 0)
		return -1;
	/* As it was typed: a string with its quotes, a number with its
	 * digits. */
	buf_adds(out, text);
	return out->failed ? err_nomem(err) : 0;
}

int
request_arguments(const char *const *texts, size_t n, enum request_words words,
		  struct buf *out, struct err *err)
{
	size_t i;

	buf_addc(out, '[');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(out, ',');
		if (request_argument(texts[i], words, out, err) != 0)
			return err_prefix(err, "argument %zu", i + 1);
	}
	buf_addc(out, ']');
	return out->failed ? err_nomem(err) : 0;
}

/* JSON with a key twice means different things to different readers. */
static int
check_key(const char *const *texts, size_t i, size_t len, struct err *err)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (strncmp(texts[j], texts[i], len + 1) == 0)
			return err_set(err, ERR_DATA, "\"%.*s\" is given twice",
				       (int)len, texts[i]);
	return 0;
}

/* A key ends at the first '=': values may have more of them. */
int
request_keywords(const char *const *texts, size_t n, enum request_words words,
		 struct buf *out, struct err *err)
{
	const char *value;
	size_t i, len;

	buf_addc(out, '{');
	for (i = 0; i < n; i++) {
		if ((value = strchr(texts[i], '=')) == NULL ||
		    value == texts[i])
			return err_set(err, ERR_DATA,
				       "\"%.64s\": not KEY=VALUE", texts[i]);
		len = (size_t)(value - texts[i]);
		if (check_key(texts, i, len, err) != 0)
			return -1;
		if (i > 0)
			buf_addc(out, ',');
		if (add_json_string((struct slice){texts[i], len}, out, err) !=
		    0)
			return -1;
		buf_addc(out, ':');
		if (request_argument(value + 1, words, out, err) != 0)
			return err_prefix(err, "%.*s",
					  (int)(len < 64 ? len : 64), texts[i]);
	}
	buf_addc(out, '}');
	return out->failed ? err_nomem(err) : 0;
}

/* --- writing ------------------------------------------------------------- */

/* What is not set is left out: the reader has the same defaults. */
static void
write_text(struct buf *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_addf(out, ",\"%s\":", name);
	scan_quote(out, slice_of(text));
}

/* As many digits as come back as the same number. */
static void
write_number(struct buf *out, const char *name, double value, double unset)
{
	if (value != unset)
		buf_addf(out, ",\"%s\":%.17g", name, value);
}

/* JSON may have line breaks between its tokens, but not within them. */
static void
write_json(struct buf *out, const char *name, const char *json)
{
	size_t i;

	if (json == NULL)
		return;
	buf_addf(out, ",\"%s\":", name);
	for (i = 0; json[i] != '\0'; i++)
		buf_addc(out,
			 json[i] == '\n' || json[i] == '\r' ? ' ' : json[i]);
}

static void
write_time(struct buf *out, const char *name, int64_t us)
{
	char text[CLOCK_TEXT_SIZE];

	if (us == 0)
		return;
	clock_format(us, text);
	write_text(out, name, text);
}

/* For the way to another process, one request a line. */
void
request_write(const struct flowrra_request *r, struct buf *out)
{
	buf_adds(out, "{\"name\":");
	scan_quote(out, slice_of(r->name != NULL ? r->name : ""));
	write_json(out, "args", r->args != NULL ? r->args : "[]");
	write_json(out, "kwargs", r->kwargs != NULL ? r->kwargs : "{}");
	write_text(out, "id", r->id);
	write_text(out, "queue", r->queue);
	write_text(out, "group", r->group);
	write_number(out, "priority", r->priority, 0);
	write_number(out, "max_retries", r->max_retries, FLOWRRA_UNSET);
	write_number(out, "delay", r->delay_s, 0);
	write_time(out, "at", r->at_us);
	write_time(out, "expires_at", r->expires_us);
	write_number(out, "timeout", r->timeout_s, FLOWRRA_UNSET);
	write_number(out, "retry_delay", r->retry_delay_s, FLOWRRA_UNSET);
	write_number(out, "retry_backoff", r->retry_backoff, FLOWRRA_UNSET);
	write_number(out, "retry_delay_max", r->retry_delay_max_s,
		     FLOWRRA_UNSET);
	write_number(out, "retry_jitter", r->retry_jitter, FLOWRRA_UNSET);
	if (r->cpu_bound != FLOWRRA_UNSET)
		buf_addf(out, ",\"cpu_bound\":%s",
			 r->cpu_bound ? "true" : "false");
	write_text(out, "unique", r->unique);
	write_number(out, "unique_ttl", r->unique_ttl_s, FLOWRRA_UNSET);
	write_text(out, "unique_until", r->unique_until);
	write_number(out, "debounce", r->debounce_s, FLOWRRA_UNSET);
	write_text(out, "traceparent", r->traceparent);
	write_text(out, "tracestate", r->tracestate);
	write_text(out, "flow", r->flow);
	write_json(out, "after", r->after);
	write_text(out, "on", r->on);
	buf_adds(out, "}\n");
}
