/* SPDX-License-Identifier: MIT */
/*
 * A task as it came, with other counters and another history.
 *
 * A retry must not lose what a producer put into the task that this version
 * does not know. So the bytes are copied, and only the values that change are
 * replaced where they stand.
 */
#include "codec/task_json.h"

#include <stddef.h>
#include <string.h>

#include "codec/scan.h"
#include "codec/write.h"

#define COUNTER(counter, ...)                                                  \
	{                                                                      \
		.name = {#counter, sizeof(#counter) - 1},                      \
		.key = {",\"" #counter "\":",                                  \
			sizeof(",\"" #counter "\":") - 1},                     \
		.at = offsetof(struct task_counters, counter), __VA_ARGS__     \
	}

/*
 * `always` is for current_retry, which the Python package wants in each task.
 * The others are left out while they are zero, so that a task that was never in
 * trouble stays as short as it came.
 */
static const struct {
	struct slice name;
	struct slice key; /* as it is written */
	size_t at;
	bool always;
	bool array; /* a struct slice, else an int64_t */
} table[] = {
    COUNTER(current_retry, .always = true),
    COUNTER(crashes),
    COUNTER(suspected),
    COUNTER(unknown),
    COUNTER(unknown_since),
    COUNTER(due_ms),
    COUNTER(history, .array = true),
};
#define N_COUNTERS (sizeof(table) / sizeof(table[0]))

/* What lies between `done` and the next value that changes is copied in one
 * piece. */
struct splice {
	const struct task_counters *counters;
	struct buf *out;
	const char *done; /* the task is copied up to here */
	bool seen[N_COUNTERS];
};

static int64_t
number_of(const struct task_counters *counters, size_t i)
{
	int64_t value;

	memcpy(&value, (const char *)counters + table[i].at, sizeof(value));
	return value;
}

static struct slice
array_of(const struct task_counters *counters, size_t i)
{
	struct slice value;

	memcpy(&value, (const char *)counters + table[i].at, sizeof(value));
	return value.len > 0 ? value : SLICE("[]");
}

static void
write_value(const struct splice *s, size_t i)
{
	struct slice array;

	if (table[i].array) {
		array = array_of(s->counters, i);
		buf_add(s->out, array.p, array.len);
	} else {
		write_int64(s->out, number_of(s->counters, i));
	}
}

/* "[]" has two bytes. */
static bool
is_nothing(const struct splice *s, size_t i)
{
	return table[i].array ? array_of(s->counters, i).len == 2
			      : number_of(s->counters, i) == 0;
}

/* Returns N_COUNTERS for a member that is not a counter. */
static size_t
find_counter(const struct scan_value *key, struct buf *out)
{
	struct buf name = BUF_INIT;
	struct slice text = key->text;
	size_t i;

	if (key->escaped) {
		scan_unescape(key, &name);
		text = (struct slice){name.data, name.len};
		/* Taken for an unknown name, a counter would come twice. */
		out->failed |= name.failed;
	}
	for (i = 0; i < N_COUNTERS; i++)
		if (slice_eq(text, table[i].name))
			break;
	buf_done(&name);
	return i;
}

/* Puts a new value in place of an old one. */
static int
on_counter_member(void *arg, const struct scan_value *key,
		  const struct scan_value *value, struct err *err)
{
	struct splice *s = arg;
	size_t i = find_counter(key, s->out);

	if (i == N_COUNTERS)
		return 0;
	s->seen[i] = true;
	if (value->type != (table[i].array ? SCAN_ARRAY : SCAN_NUMBER) &&
	    value->type != SCAN_NULL)
		return 0; /* another's, of the same name */
	buf_add(s->out, s->done, (size_t)(value->text.p - s->done));
	write_value(s, i);
	s->done = value->text.p + value->text.len;
	return 0;
}

void
task_encode_again(const struct task *task, const struct task_counters *counters,
		  struct buf *out)
{
	struct splice s = {
	    .counters = counters, .out = out, .done = task->raw.p};
	const char *brace = task->raw.p + task->raw.len;
	size_t i;

	/* Cannot fail on what was decoded, which also ends in a brace. */
	scan_object(task->raw, TASK_DEPTH_MAX, on_counter_member, &s, NULL);
	do
		brace--;
	while (*brace != '}');
	buf_add(out, s.done, (size_t)(brace - s.done));
	for (i = 0; i < N_COUNTERS; i++) {
		if (s.seen[i] || (is_nothing(&s, i) && !table[i].always))
			continue;
		/* Never the first: there are an id and a name. */
		buf_add(out, table[i].key.p, table[i].key.len);
		write_value(&s, i);
	}
	buf_add(out, brace, (size_t)(task->raw.p + task->raw.len - brace));
}
