/* SPDX-License-Identifier: MIT */
#include "codec/history.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

static const struct attempt plain = {.number = 1,
				     .started_us = INT64_C(1795434788846827),
				     .finished_us = INT64_C(1795434789846827),
				     .worker = SLICE("host:main"),
				     .reason = SLICE("failed"),
				     .error = SLICE("it is broken")};

static struct slice
slice_of_buf(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

static size_t history_max = HISTORY_BYTES;

/* Adds one attempt to *history. */
static void
add(struct buf *history, const struct attempt *attempt)
{
	struct buf out = BUF_INIT;

	history_add(slice_of_buf(history), attempt, history_max, &out);
	ck_assert(!out.failed);
	buf_done(history);
	*history = out;
}

static json_t *
load(const struct buf *history)
{
	json_error_t error;
	json_t *list = json_loadb(history->data, history->len, 0, &error);

	ck_assert_msg(json_is_array(list), "%s: %s", error.text, history->data);
	return list;
}

static json_int_t
number(const json_t *list, size_t i)
{
	return json_integer_value(
	    json_object_get(json_array_get(list, i), "attempt"));
}

START_TEST(the_first_attempt_begins_a_history)
{
	struct buf history = BUF_INIT;

	add(&history, &plain);
	ck_assert_str_eq(history.data,
			 "[{\"attempt\":1,"
			 "\"started_at\":\"2026-11-23T11:53:08.846827+00:00\","
			 "\"finished_at\":\"2026-11-23T11:53:09.846827+00:00\","
			 "\"worker\":\"host:main\",\"reason\":\"failed\","
			 "\"error\":\"it is broken\"}]");
	buf_done(&history);
}
END_TEST

START_TEST(an_attempt_whose_start_is_not_known_says_so)
{
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;

	attempt.started_us = 0;
	add(&history, &attempt);
	ck_assert_ptr_nonnull(strstr(history.data, "\"started_at\":null,"));
	buf_done(&history);
}
END_TEST

START_TEST(the_oldest_of_too_many_attempts_goes)
{
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;
	json_t *list;
	size_t i;

	for (i = 0; i < HISTORY_MAX + 3; i++) {
		attempt.number = (int64_t)i + 1;
		add(&history, &attempt);
	}
	list = load(&history);
	ck_assert_uint_eq(json_array_size(list), HISTORY_MAX);
	for (i = 0; i < HISTORY_MAX; i++)
		ck_assert_int_eq(number(list, i), (json_int_t)i + 4);
	json_decref(list);
	buf_done(&history);
}
END_TEST

/* What looks short may be long in JSON. */
START_TEST(a_history_is_never_longer_than_it_may_be)
{
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;
	char error[1000];
	json_t *list;
	int i;

	memset(error, '\1', sizeof(error));
	attempt.error = (struct slice){error, sizeof(error)};
	for (i = 1; i <= HISTORY_MAX; i++) {
		attempt.number = i;
		add(&history, &attempt);
		ck_assert_uint_le(history.len, HISTORY_BYTES);
	}
	list = load(&history);
	ck_assert_uint_ge(json_array_size(list), 3);
	ck_assert_int_eq(number(list, json_array_size(list) - 1), HISTORY_MAX);
	json_decref(list);
	buf_done(&history);
}
END_TEST

START_TEST(a_long_error_is_cut_between_two_characters)
{
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;
	char error[HISTORY_TEXT_MAX + 50];
	const char *kept;
	json_t *list;

	memset(error, 'x', sizeof(error));
	memcpy(error + HISTORY_TEXT_MAX - 1, "\xC3\xA4", 2);
	attempt.error = (struct slice){error, sizeof(error)};
	history_max = HISTORY_BYTES_MAX;
	add(&history, &attempt);
	list = load(&history);
	kept = json_string_value(
	    json_object_get(json_array_get(list, 0), "error"));
	ck_assert_uint_eq(strlen(kept), HISTORY_TEXT_MAX - 1);
	ck_assert_uint_eq(strspn(kept, "x"), HISTORY_TEXT_MAX - 1);
	json_decref(list);
	buf_done(&history);
}
END_TEST

START_TEST(the_last_attempts_are_whole_and_the_earlier_ones_short)
{
	static char text[HISTORY_TEXT_MAX];
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;
	json_t *list, *one;
	size_t i;

	memset(text, 'x', sizeof(text));
	attempt.error = attempt.output = (struct slice){text, sizeof(text)};
	history_max = HISTORY_BYTES_MAX;
	for (i = 1; i <= HISTORY_MAX; i++) {
		attempt.number = (int64_t)i;
		add(&history, &attempt);
		ck_assert_uint_le(history.len, HISTORY_BYTES_MAX);
	}
	list = load(&history);
	ck_assert_uint_eq(json_array_size(list), HISTORY_MAX);
	for (i = 0; i < HISTORY_MAX; i++) {
		one = json_array_get(list, i);
		ck_assert_int_eq(number(list, i), (json_int_t)i + 1);
		ck_assert_uint_eq(
		    json_string_length(json_object_get(one, "error")),
		    i < HISTORY_MAX - 3 ? HISTORY_ERROR_MAX : HISTORY_TEXT_MAX);
		ck_assert_uint_eq(
		    json_string_length(json_object_get(one, "output")),
		    i < HISTORY_MAX - 3 ? 0 : HISTORY_TEXT_MAX);
	}
	json_decref(list);
	buf_done(&history);
}
END_TEST

/* As it is where the task has no room, and where an earlier version reads. */
START_TEST(in_little_room_what_the_last_attempt_said_is_cut)
{
	static char text[HISTORY_TEXT_MAX];
	struct attempt attempt = plain;
	struct buf history = BUF_INIT;
	json_t *list, *last;
	size_t i;

	memset(text, '\1', sizeof(text));
	attempt.error = attempt.output = (struct slice){text, sizeof(text)};
	history_max = HISTORY_BYTES;
	for (i = 1; i <= 4; i++) {
		attempt.number = (int64_t)i;
		add(&history, &attempt);
		ck_assert_uint_le(history.len, HISTORY_BYTES);
	}
	list = load(&history);
	ck_assert_uint_gt(json_array_size(list), 1);
	last = json_array_get(list, json_array_size(list) - 1);
	ck_assert_int_eq(number(list, json_array_size(list) - 1), 4);
	ck_assert_uint_ge(json_string_length(json_object_get(last, "error")),
			  HISTORY_ERROR_MAX);
	json_decref(list);
	buf_done(&history);
}
END_TEST

START_TEST(of_what_was_printed_the_last_whole_lines_are_kept)
{
	const struct slice text = SLICE("one\ntwo\nthr\xC3\xA4\n");

	ck_assert(slice_eq(history_tail(text, 100), text));
	ck_assert(slice_eq(history_tail(text, 8), SLICE("thr\xC3\xA4\n")));
	ck_assert(slice_eq(history_tail(text, 4), SLICE("r\xC3\xA4\n")));
	/* No half character. */
	ck_assert(slice_eq(history_tail(text, 2), SLICE("\n")));
	ck_assert(slice_eq(history_head(SLICE("r\xC3\xA4x"), 2), SLICE("r")));
	ck_assert(
	    slice_eq(history_head(SLICE("r\xC3\xA4x"), 3), SLICE("r\xC3\xA4")));
}
END_TEST

/* What an earlier version wrote stays as it is. */
START_TEST(attempts_of_earlier_versions_are_kept_as_they_are)
{
	static const char old[] = "[{\"attempt\":1,\"odd\":[1.50],"
				  "\"error\":\"\\u00e4\"}";
	struct buf history = BUF_INIT;

	buf_adds(&history, old);
	buf_addc(&history, ']');
	add(&history, &plain);
	ck_assert_int_eq(strncmp(history.data, old, strlen(old)), 0);
	ck_assert_uint_gt(history.len, strlen(old) + 100);
	buf_done(&history);
}
END_TEST

/* A producer can send anything. */
START_TEST(what_is_not_a_history_is_replaced)
{
	static const char *const strange[] = {
	    "", "{}", "[1", "5", "nonsense", "[\"a\", 5, [{}], null]"};
	struct buf history = BUF_INIT;
	json_t *list;
	size_t i;

	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		buf_adds(&history, strange[i]);
		add(&history, &plain);
		list = load(&history);
		ck_assert_uint_eq(json_array_size(list), 1);
		json_decref(list);
		buf_reset(&history);
	}
	buf_done(&history);
}
END_TEST

SUITE("history")
{
	TEST(the_first_attempt_begins_a_history);
	TEST(an_attempt_whose_start_is_not_known_says_so);
	TEST(the_oldest_of_too_many_attempts_goes);
	TEST(a_history_is_never_longer_than_it_may_be);
	TEST(a_long_error_is_cut_between_two_characters);
	TEST(the_last_attempts_are_whole_and_the_earlier_ones_short);
	TEST(in_little_room_what_the_last_attempt_said_is_cut);
	TEST(of_what_was_printed_the_last_whole_lines_are_kept);
	TEST(attempts_of_earlier_versions_are_kept_as_they_are);
	TEST(what_is_not_a_history_is_replaced);
}
