/* SPDX-License-Identifier: MIT */
/* The contract of keys that a task has until it starts, or ends: each way in which a
 * task may leave frees its key, and no other one's. */
#include <stdio.h>
#include <string.h>

#include "codec/task_json.h"
#include "store/limits_scene.h"

#define KEY "k \\ \"ü\""

static char bytes[1024];

/* As a producer would submit it, with the argument `arg`. */
static struct broker_submit
unique_task(const char *id, const char *arg, enum unique_until until)
{
	struct task task = {.id = id,
			    .name = "n",
			    .args = slice_of(arg),
			    .max_retries = TASK_UNSET,
			    .unique = KEY,
			    .unique_until = until};
	struct buf out = BUF_INIT;

	task_encode(&task, &out);
	ck_assert_uint_lt(out.len, sizeof(bytes));
	memcpy(bytes, out.data, out.len);
	buf_done(&out);
	return (struct broker_submit){.queue = "io",
				      .id = slice_of(id),
				      .bytes = {bytes, strlen(bytes)},
				      .unique = SLICE(KEY),
				      .unique_s = 60,
				      .unique_until = until};
}

/* Whether it was queued; if not, `owner` has the key. */
static bool
put(const char *id, enum unique_until until, const char *owner)
{
	struct broker_submit task;

	memset(bytes, 0, sizeof(bytes));
	task = unique_task(id, "[]", until);
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
	if (task.duplicate)
		ck_assert_str_eq(task.owner, owner);
	return !task.duplicate;
}

static bool
put_later(const char *id, const char *arg, int64_t delay_ms, bool debounces)
{
	struct broker_submit task;

	memset(bytes, 0, sizeof(bytes));
	task = unique_task(id, arg, UNIQUE_START);
	task.delay_ms = delay_ms;
	task.debounces = debounces;
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
	return !task.duplicate;
}

START_TEST(a_key_is_free_when_its_task_starts)
{
	lim_open(_i);
	ck_assert(put("1", UNIQUE_START, NULL));
	ck_assert(!put("2", UNIQUE_START, "1"));
	ck_assert(!put("3", UNIQUE_END, "1"));
	ck_assert(!put("4", UNIQUE_TIME, "1"));
	lim_take(lim_worker(), 1);
	ck_assert(put("5", UNIQUE_START, NULL));
	/* This one was waited for; and its key is not the first one's. */
	lim_take(lim_worker(), 2);
	ck_assert(put("6", UNIQUE_END, NULL));
	party_settle(lim_worker(), 0, BROKER_ACK);
	ck_assert(!put("7", UNIQUE_END, "6"));
	op_close();
}
END_TEST

START_TEST(a_key_is_free_when_its_task_has_ended)
{
	size_t n = 1;

	lim_open(_i);
	ck_assert(put("1", UNIQUE_END, NULL));
	lim_take(lim_worker(), n);
	ck_assert(!put("2", UNIQUE_END, "1"));
	/* A retry is no end; nor is what puts it back. */
	party_settle(lim_worker(), 0, BROKER_RELEASE);
	lim_take(lim_worker(), ++n);
	ck_assert(!put("3", UNIQUE_START, "1"));
	party_settle(lim_worker(), 1, BROKER_ACK);
	ck_assert(put("4", UNIQUE_END, NULL));
	lim_take(lim_worker(), ++n);
	party_bury(lim_worker(), 2, "4", "{}");
	ck_assert(put("5", UNIQUE_END, NULL));
	op_close();
}
END_TEST

START_TEST(a_key_of_a_limited_queue_is_free_then)
{
	lim_open(_i);
	lim_set(LIMIT_QUEUE, "", 5);
	ck_assert(put("1", UNIQUE_START, NULL));
	lim_take(lim_worker(), 1);
	ck_assert(put("2", UNIQUE_END, NULL));
	lim_take(lim_worker(), 2);
	ck_assert(!put("3", UNIQUE_END, "2"));
	party_settle(lim_worker(), 1, BROKER_ACK);
	ck_assert(put("4", UNIQUE_END, NULL));
	op_close();
}
END_TEST

START_TEST(what_is_held_by_a_limit_keeps_its_key)
{
	lim_open(_i);
	lim_set(LIMIT_TASK, "n", 1);
	lim_put("first", NULL, 0);
	lim_take(lim_worker(), 1);
	ck_assert(put("1", UNIQUE_START, NULL));
	lim_take(lim_worker(), 1);
	ck_assert(!put("2", UNIQUE_START, "1"));
	ck_assert(op_withdraw(op.producer, "1"));
	ck_assert(put("3", UNIQUE_START, NULL));
	lim_take(lim_worker(), 1);
	op_purge(op.producer, 100);
	ck_assert(put("4", UNIQUE_START, NULL));
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 2);
	ck_assert(put("5", UNIQUE_START, NULL));
	op_close();
}
END_TEST

START_TEST(what_is_removed_frees_its_key)
{
	lim_open(_i);
	ck_assert(put("1", UNIQUE_END, NULL));
	ck_assert(op_withdraw(op.producer, "1"));
	ck_assert(put_later("2", "[]", 60000, false));
	ck_assert(!put("3", UNIQUE_END, "2"));
	ck_assert(op_withdraw(op.producer, "2"));
	ck_assert(put("4", UNIQUE_START, NULL));
	op_purge(op.producer, 100);
	ck_assert(put_later("5", "[]", 60000, false));
	op_purge(op.producer, 100);
	ck_assert(put("6", UNIQUE_END, NULL));
	op_close();
}
END_TEST

START_TEST(a_key_that_lasts_for_a_time_stays)
{
	lim_open(_i);
	ck_assert(put("1", UNIQUE_TIME, NULL));
	ck_assert(op_withdraw(op.producer, "1"));
	ck_assert(!put("2", UNIQUE_END, "1"));
	op_close();
}
END_TEST

START_TEST(a_delayed_task_becomes_the_last_one_with_its_key)
{
	lim_open(_i);
	ck_assert(put_later("1", "[1]", 60000, true));
	ck_assert(!put_later("2", "[2]", 60000, true));
	ck_assert(!put_later("3", "[3]", 50, true));
	lim_take(lim_worker(), 1);
	ck_assert(lim_is_claim(lim_worker(), 0, "1"));
	ck_assert_ptr_nonnull(memmem(lim_worker()->claims[0]->bytes.p,
				     lim_worker()->claims[0]->bytes.len,
				     "\"args\":[3]", 10));
	/* It has started: this is another one. */
	ck_assert(put_later("4", "[4]", 60000, true));
	ck_assert(!put_later("5", "[5]", 60000, true));
	ck_assert(op_withdraw(op.producer, "4"));
	ck_assert(put_later("6", "[6]", 60000, true));
	op_close();
}
END_TEST

/* One that waits is as it is: what came after it is not lost. */
START_TEST(a_task_that_waits_does_not_become_another)
{
	lim_open(_i);
	ck_assert(put("1", UNIQUE_START, NULL));
	ck_assert(put_later("2", "[2]", 50, true));
	ck_assert(!put_later("3", "[3]", 50, true));
	lim_take(lim_worker(), 2);
	ck_assert(lim_has_claim(lim_worker(), 0, "1"));
	ck_assert(lim_has_claim(lim_worker(), 0, "2"));
	op_close();
}
END_TEST

/* It takes no more room than before. */
START_TEST(a_full_queue_has_room_for_what_a_task_becomes)
{
	struct broker_submit task;
	struct party *p;

	lim_open(_i);
	op.stage.options.max_queue_size = 1;
	p = party_open(&op.stage, NULL);
	ck_assert(put_later("1", "[1]", 60000, true));
	memset(bytes, 0, sizeof(bytes));
	task = unique_task("2", "[2]", UNIQUE_START);
	task.delay_ms = 50;
	task.debounces = true;
	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
	ck_assert(task.duplicate);
	ck_assert_str_eq(task.owner, "1");
	ck_assert_int_eq(party_submit(p, "3", "[3]", 0, 0), ERR_FULL);
	lim_take(lim_worker(), 1);
	ck_assert_ptr_nonnull(memmem(lim_worker()->claims[0]->bytes.p,
				     lim_worker()->claims[0]->bytes.len,
				     "\"args\":[2]", 10));
	/* It has started: this is another one, for which there is room now. */
	task.duplicate = false;
	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
	ck_assert(!task.duplicate);
	party_close(p);
	op_close();
}
END_TEST

/* By a producer that stores records. */
static bool
put_recorded(struct party *p, const char *id, const char *arg,
	     enum unique_until until, bool debounces)
{
	struct broker_submit task;
	char record[256];

	memset(bytes, 0, sizeof(bytes));
	task = unique_task(id, arg, until);
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"pending\",\"args\":%s}", id,
		 arg);
	task.record = slice_of(record);
	task.delay_ms = 60000;
	task.debounces = debounces;
	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
	return !task.duplicate;
}

/* A task of each key is delayed: one that may become another, and one that may not. */
START_TEST(a_record_says_what_its_task_has_become)
{
	static const struct {
		enum unique_until until;
		const char *record;
	} cases[] = {
	    {UNIQUE_START,
	     "{\"task_id\":\"1\",\"status\":\"pending\",\"args\":[2]}"},
	    {UNIQUE_END,
	     "{\"task_id\":\"1\",\"status\":\"pending\",\"args\":[1]}"}};
	struct backend *results;
	struct party *p;
	size_t i;

	for (i = 0; i < 2; i++) {
		lim_open(_i);
		op.stage.options.with_results = true;
		p = party_open(&op.stage, NULL);
		results = backend_open(&op.stage);
		ck_assert(put_recorded(p, "1", "[1]", cases[i].until, false));
		ck_assert(!put_recorded(p, "2", "[2]", UNIQUE_START, true));
		ck_assert_str_eq(backend_get(&op.stage, results, "1"),
				 cases[i].record);
		UNTIL(&op.stage, backend_get(&op.stage, results, "2") == NULL);
		backend_close(results);
		party_close(p);
		op_close();
	}
}
END_TEST

#define CASES(kind)                                                            \
	X(a_key_is_free_when_its_task_starts, kind)                            \
	X(a_key_is_free_when_its_task_has_ended, kind)                         \
	X(a_key_of_a_limited_queue_is_free_then, kind)                         \
	X(what_is_held_by_a_limit_keeps_its_key, kind)                         \
	X(what_is_removed_frees_its_key, kind)                                 \
	X(a_key_that_lasts_for_a_time_stays, kind)                             \
	X(a_delayed_task_becomes_the_last_one_with_its_key, kind)              \
	X(a_task_that_waits_does_not_become_another, kind)                     \
	X(a_full_queue_has_room_for_what_a_task_becomes, kind)                 \
	X(a_record_says_what_its_task_has_become, kind)

LIMITS_SUITES("unique")
