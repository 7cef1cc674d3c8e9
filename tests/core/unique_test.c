/* SPDX-License-Identifier: MIT */
/* What a producer says of a unique key, and what that means. */
#include <math.h>
#include <string.h>

#include "codec/task_json.h"
#include "core/task.h"
#include "suite.h"
#include "util/err.h"

/* NULL: it is right, and in `meant`; else what is wrong. */
static struct unique meant;

static const char *
read_wish(struct unique_wish wish)
{
	static struct err err;

	memset(&meant, 0xee, sizeof(meant));
	err.msg[0] = '\0';
	if (unique_read(&wish, &meant, &err) == 0)
		return NULL;
	ck_assert_int_eq(err.code, ERR_DATA);
	return err.msg;
}

START_TEST(a_key_lasts_as_its_producer_says)
{
	ck_assert_ptr_null(read_wish((struct unique_wish){.key = "k"}));
	ck_assert(meant.until == UNIQUE_TIME && meant.ttl_s == 3600);
	ck_assert_ptr_null(
	    read_wish((struct unique_wish){.key = "k", .ttl_s = 7.4}));
	ck_assert(meant.until == UNIQUE_TIME && meant.ttl_s == 7);
	ck_assert_ptr_null(
	    read_wish((struct unique_wish){.key = "k", .until = "end"}));
	ck_assert(meant.until == UNIQUE_END && meant.ttl_s == 30 * 24 * 3600);
	ck_assert_ptr_null(read_wish((struct unique_wish){
	    .key = "k", .until = "start", .delayed = true}));
	ck_assert(meant.until == UNIQUE_START && meant.debounce_ms == 0);
	ck_assert_ptr_null(
	    read_wish((struct unique_wish){.key = "k", .debounce_s = 0.0001}));
	ck_assert(meant.until == UNIQUE_START && meant.debounce_ms == 1);
	ck_assert_ptr_null(read_wish((struct unique_wish){.ttl_s = -1}));
}
END_TEST

START_TEST(what_says_nothing_of_a_key_or_two_things_is_refused)
{
	char long_key[UNIQUE_KEY_MAX + 2];
	const struct {
		struct unique_wish wish;
		const char *why;
	} wrong[] = {
	    {{.key = ""}, "1 to 1024 bytes"},
	    {{.key = long_key}, "1 to 1024 bytes, not 1025"},
	    {{.until = "end"}, "unique_until needs a key"},
	    {{.ttl_s = 5}, "unique_ttl needs a key"},
	    {{.debounce_s = 5}, "debounce needs a key"},
	    {{.key = "k", .until = "never"}, "must be start or end"},
	    {{.key = "k", .until = ""}, "must be start or end"},
	    {{.key = "k", .debounce_s = 1, .delayed = true}, "delay or at"},
	    {{.key = "k", .debounce_s = 1, .until = "end"}, "\"end\""},
	    {{.key = "\xff", .until = "end"}, "must be UTF-8"},
	    {{.key = "k", .ttl_s = 0.5}, "unique_ttl 0.5 is out of range"},
	    {{.key = "k", .ttl_s = NAN}, "unique_ttl nan is out of range"},
	    {{.key = "k", .debounce_s = 1e12}, "debounce 1e+12 is out of"}};
	size_t i;

	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *said = read_wish(wrong[i].wish);

		ck_assert_msg(said != NULL && strstr(said, wrong[i].why),
			      "%zu: %s", i, said != NULL ? said : "accepted");
	}
}
END_TEST

/* The longest texts that a task can have before its arguments. */
START_TEST(a_task_tells_of_its_key_before_its_arguments)
{
	char id[TASK_ID_MAX + 1], key[UNIQUE_KEY_MAX + 1], group[201];
	struct task task = {
	    .id = id,
	    .name = "n",
	    .group = group,
	    .args = SLICE("[\",\\\"unique_until\\\":\\\"end\\\"\"]"),
	    .unique = key};
	struct buf out = BUF_INIT;

	memset(id, '"', sizeof(id));
	memset(key, '\x01', sizeof(key));
	memset(group, '\\', sizeof(group));
	id[sizeof(id) - 1] = key[sizeof(key) - 1] = '\0';
	group[sizeof(group) - 1] = '\0';
	for (; task.unique_until <= UNIQUE_END; task.unique_until++) {
		buf_reset(&out);
		task_encode(&task, &out);
		ck_assert_int_eq(
		    task_unique_until((struct slice){out.data, out.len}),
		    task.unique_until);
		ck_assert_int_le(strstr(out.data, "\"args\"") - out.data,
				 UNIQUE_HEAD);
	}
	ck_assert_int_eq(task_unique_until(SLICE(",\"unique_until\":\"en")),
			 UNIQUE_TIME);
	buf_done(&out);
}
END_TEST

SUITE("unique")
{
	TEST(a_key_lasts_as_its_producer_says);
	TEST(what_says_nothing_of_a_key_or_two_things_is_refused);
	TEST(a_task_tells_of_its_key_before_its_arguments);
}
