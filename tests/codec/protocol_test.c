/* SPDX-License-Identifier: MIT */
/* The vectors of flowrra-protocol(7), against the real decoders and encoders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "codec/order.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

/* --- what was read, as the vectors say it ------------------------------ */

static json_t *
text_or_null(struct slice text)
{
	return text.p != NULL ? json_stringn(text.p, text.len) : json_null();
}

static json_t *
time_or_null(int64_t us)
{
	char text[CLOCK_TEXT_SIZE];

	if (us == 0)
		return json_null();
	clock_format(us, text);
	return json_string(text);
}

static json_t *
number_or_null(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *
seconds_or_null(int64_t us)
{
	return us < 0 ? json_null() : json_real((double)us / 1e6);
}

static json_t *
meant_task(const struct task *t)
{
	return json_pack(
	    "{ss,ss,so,so,so,si,sb,so,so,so,so,so,so,sI,so,so,sI,sI,sI,sI,sI,"
	    "so,so,so,so,so}",
	    "id", t->id, "name", t->name, "queue",
	    t->queue != NULL ? json_string(t->queue) : json_null(), "args",
	    text_or_null(t->args), "kwargs", text_or_null(t->kwargs),
	    "priority", (int)t->priority, "cpu_bound", t->cpu_bound,
	    "max_retries", number_or_null((double)t->max_retries),
	    "retry_delay", seconds_or_null(t->retry.delay_us), "retry_backoff",
	    number_or_null(t->retry.backoff), "retry_delay_max",
	    seconds_or_null(t->retry.delay_max_us), "retry_jitter",
	    number_or_null(t->retry.jitter), "timeout",
	    seconds_or_null(t->timeout_us), "current_retry",
	    (json_int_t)t->current_retry, "submitted_at",
	    time_or_null(t->submitted_us), "expires_at",
	    time_or_null(t->expires_us), "crashes", (json_int_t)t->crashes,
	    "suspected", (json_int_t)t->suspected, "unknown",
	    (json_int_t)t->unknown, "unknown_since",
	    (json_int_t)t->unknown_since, "due_ms", (json_int_t)t->due_ms,
	    "reply_to", text_or_null(t->reply_to), "history",
	    text_or_null(t->history), "traceparent",
	    text_or_null(t->traceparent), "tracestate",
	    text_or_null(t->tracestate), "trace_link",
	    text_or_null(t->trace_link));
}

static json_t *
meant_record(const struct result *r)
{
	return json_pack(
	    "{so,ss,so,so,so,so,so,so,sI,so,so,so,so,sI,so,so,so,so,sb}",
	    "task_id", text_or_null(r->task_id), "status",
	    result_status_text(r->status), "task_name",
	    text_or_null(r->task_name), "result", text_or_null(r->result),
	    "error", text_or_null(r->error), "submitted_at",
	    time_or_null(r->submitted_us), "started_at",
	    time_or_null(r->started_us), "finished_at",
	    time_or_null(r->finished_us), "retries", (json_int_t)r->retries,
	    "args", text_or_null(r->args), "kwargs", text_or_null(r->kwargs),
	    "queue", text_or_null(r->queue), "worker", text_or_null(r->worker),
	    "attempts", (json_int_t)r->attempts, "reason",
	    text_or_null(r->reason), "progress", text_or_null(r->progress),
	    "exit_code",
	    r->end.exited != 0 ? json_integer(r->end.exited - 1) : json_null(),
	    "signal",
	    r->end.signal != 0 ? json_integer(r->end.signal) : json_null(),
	    "final", result_status_final(r->status));
}

static json_t *
meant_order(const struct order *o)
{
	static const char *const names[] = {
#define X(kind, text, member) [ORDER_##kind] = (text),
	    ORDERS(X)
#undef X
	};

	return json_pack("{ss,so,so,so}", "order", names[o->kind], "subject",
			 text_or_null(o->subject), "signal",
			 text_or_null(o->signal), "asker",
			 text_or_null(o->asker));
}

/* --- the vectors --------------------------------------------------------- */

/* A vector, and what is written of what was read. */
struct vector {
	const json_t *json;
	const json_t *standard;
	const char *name;
	struct slice bytes;
	struct buf written, brief;
	json_t *meant; /* NULL: it cannot be read, and why is in err */
	struct err err;
};

/* 1 and 1.0 are the same here. */
static bool
same_value(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	return json_equal(a, b);
}

static void
ck_means(const struct vector *v)
{
	json_t *wanted = json_copy((json_t *)v->standard), *value;
	const char *key;

	ck_assert_msg(v->meant != NULL, "%s: %s", v->name, v->err.msg);
	if (wanted == NULL)
		wanted = json_object();
	json_object_update(wanted, json_object_get(v->json, "means"));
	ck_assert_msg(json_object_size(wanted) == json_object_size(v->meant),
		      "%s: %s", v->name, json_dumps(v->meant, 0));
	json_object_foreach (wanted, key, value)
		ck_assert_msg(same_value(value, json_object_get(v->meant, key)),
			      "%s: %s is %s", v->name, key,
			      json_dumps(json_object_get(v->meant, key),
					 JSON_ENCODE_ANY));
	json_decref(wanted);
}

static void
ck_bytes(const struct vector *v, const char *member, const struct buf *got)
{
	const char *wanted =
	    json_string_value(json_object_get(v->json, member));

	if (wanted == NULL)
		return;
	ck_assert_msg(got->len == strlen(wanted) &&
			  memcmp(got->data, wanted, got->len) == 0,
		      "%s: %s is %.*s", v->name, member, (int)got->len,
		      got->data);
}

static void
ck_vector(const struct vector *v)
{
	const json_t *error = json_object_get(v->json, "error");

	if (error == NULL) {
		ck_means(v);
		ck_bytes(v, "written", &v->written);
		ck_bytes(v, "brief", &v->brief);
		return;
	}
	ck_assert_msg(v->meant == NULL, "%s: it was read", v->name);
	ck_assert_msg(strstr(v->err.msg, json_string_value(error)) != NULL,
		      "%s: %s", v->name, v->err.msg);
	ck_assert_int_eq(v->err.code, ERR_DATA);
}

/* Calls `check` for each vector of a file; a file has some. */
static void
each_vector(const char *file, size_t least, void (*read)(struct vector *v))
{
	json_t *all = json_load_file(file, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(all, "vectors"), *json;
	size_t i;

	ck_assert_msg(json_array_size(list) >= least, "%s", file);
	json_array_foreach (list, i, json) {
		struct vector v = {
		    .json = json,
		    .standard = json_object_get(all, "standard"),
		    .name = json_string_value(json_object_get(json, "name")),
		    .bytes = slice_of(
			json_string_value(json_object_get(json, "bytes")))};

		read(&v);
		ck_vector(&v);
		json_decref(v.meant);
		buf_done(&v.written);
		buf_done(&v.brief);
	}
	json_decref(all);
}

static int64_t
counter(const json_t *counters, const char *name)
{
	return json_integer_value(json_object_get(counters, name));
}

static void
ck_again(const struct vector *v, const struct task *t)
{
	const json_t *again = json_object_get(v->json, "again");
	const json_t *c = json_object_get(again, "counters");
	const struct task_counters counters = {.current_retry =
						   counter(c, "current_retry"),
					       .crashes = counter(c, "crashes"),
					       .due_ms = counter(c, "due_ms")};
	struct buf out = BUF_INIT;

	if (again == NULL)
		return;
	task_encode_again(t, &counters, &out);
	ck_assert_str_eq(out.data,
			 json_string_value(json_object_get(again, "bytes")));
	buf_done(&out);
}

static void
read_task(struct vector *v)
{
	struct task *t;

	if (task_decode(v->bytes, &t, &v->err) != 0)
		return;
	v->meant = meant_task(t);
	task_encode(t, &v->written);
	ck_again(v, t);
	task_free(t);
}

START_TEST(a_task_is_read_and_written_as_its_vector_says)
{
	each_vector("tests/protocol/tasks.json", 30, read_task);
}
END_TEST

static void
read_record(struct vector *v)
{
	struct buf scratch = BUF_INIT;
	struct result r;

	if (result_decode(v->bytes, &scratch, &r, &v->err) == 0) {
		v->meant = meant_record(&r);
		result_encode_both(&r, &v->written, &v->brief);
	}
	buf_done(&scratch);
}

START_TEST(a_record_is_read_and_written_as_its_vector_says)
{
	each_vector("tests/protocol/records.json", 10, read_record);
}
END_TEST

static void
read_order(struct vector *v)
{
	struct buf scratch = BUF_INIT;
	struct order o;

	if (order_read(v->bytes, &scratch, &o, &v->err) == 0) {
		v->meant = meant_order(&o);
		order_write(&o, &v->written);
		/* All that are told are written so, but for those that say
		 * otherwise. */
		if (json_object_get(v->json, "written") == NULL)
			ck_assert_str_eq(v->written.data, v->bytes.p);
	}
	buf_done(&scratch);
}

START_TEST(an_order_is_read_and_written_as_its_vector_says)
{
	each_vector("tests/protocol/orders.json", 12, read_order);
}
END_TEST

/* Each parameter of a URL is in the manual page. */
START_TEST(all_parameters_of_urls_are_documented)
{
	ck_assert_int_eq(
	    system("n=0; for p in $(sed -n "
		   "'s/^ *{\"\\([a-z_]*\\)\", offsetof.*/\\1/p; "
		   "s/^ *{\"\\([a-z_]*\\)\", \"[a-z0-9]*\", REDIS_.*/\\1/p' "
		   "lib/redis/url_query.c | sort -u) "
		   "$(sed -n 's/.*span_is(key, \"\\([a-z_]*\\)\").*/\\1/p' "
		   "lib/redis/url_query.c) "
		   "$(sed -n 's/^ *{\"\\([a-z]*\\)\", &url->.*/\\1/p' "
		   "lib/schedules/mysql_url.c) sslmode; do "
		   "n=$((n+1)); grep -qw -- \"$p\" conf/flowrra.conf.5 || "
		   "{ echo \"$p\" >&2; exit 1; }; done; test $n -ge 12"),
	    0);
}
END_TEST

SUITE("protocol")
{
	TEST(a_task_is_read_and_written_as_its_vector_says);
	TEST(a_record_is_read_and_written_as_its_vector_says);
	TEST(an_order_is_read_and_written_as_its_vector_says);
	TEST(all_parameters_of_urls_are_documented);
}
