/* SPDX-License-Identifier: MIT */
/* UTF-8, and the lines that programs print. */
#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/lines.h"

#define FFFD "\xef\xbf\xbd"

static const struct {
	struct slice text;
	const char *clean;
} texts[] = {
    {{"", 0}, ""},
    {{"plain", 5}, "plain"},
    {{"a\0b", 3}, "a" FFFD "b"},
    {{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {{"\x80", 1}, FFFD},
    {{"\xc0\xaf", 2}, FFFD FFFD},		    /* overlong */
    {{"\xe0\x80\xaf", 3}, FFFD FFFD FFFD},	    /* overlong */
    {{"\xed\xa0\x80", 3}, FFFD FFFD FFFD},	    /* a surrogate */
    {{"\xf4\x90\x80\x80", 4}, FFFD FFFD FFFD FFFD}, /* beyond U+10FFFF */
    {{"\xf5\x80\x80\x80", 4}, FFFD FFFD FFFD FFFD},
    {{"a\xc3", 2}, "a" FFFD}, /* cut off */
    {{"\xe2\x82z", 3}, FFFD FFFD "z"},
};

START_TEST(a_cut_is_between_two_characters)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac"; /* 1, 2, 3 bytes */
	static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6};
	size_t max;

	for (max = 0; max < sizeof(kept) / sizeof(kept[0]); max++)
		ck_assert_uint_eq(utf8_cut(text, sizeof(text) - 1, max),
				  kept[max]);
	/* Continuation bytes alone: nothing is left, and nothing before the
	 * text is read. */
	ck_assert_uint_eq(utf8_cut("\x80\x80\x80", 3, 2), 0);
}
END_TEST

START_TEST(what_is_not_utf8_is_replaced)
{
	struct buf out = BUF_INIT;

	utf8_add(&out, texts[_i].text.p, texts[_i].text.len);
	ck_assert_str_eq(out.data ? out.data : "", texts[_i].clean);
	buf_done(&out);
}
END_TEST

/* What must not be shown, and one beside it that may: as bytes and as JSON. */
static const struct {
	const char *text;
	const char *visible;
	const char *json;
} strange[] = {
    {"\x1b", "\\x1b", "\x1b"}, /* not in valid JSON */
    {"\x7f", "\\x7f", "\\u007f"},
    {"\xc2\x80", "\\xc2\\x80", "\\u0080"},
    {"\xc2\x9b", "\\xc2\\x9b", "\\u009b"},
    {"\xc2\x9f", "\\xc2\\x9f", "\\u009f"},
    {"\xc2\xa0", "\xc2\xa0", "\xc2\xa0"},
    {"\xc2\xad", "\\xc2\\xad", "\\u00ad"},
    {"\xd8\x9b", "\xd8\x9b", "\xd8\x9b"},
    {"\xd8\x9c", "\\xd8\\x9c", "\\u061c"},
    {"\xe1\xa0\x8e", "\\xe1\\xa0\\x8e", "\\u180e"},
    {"\xe2\x80\x8a", "\xe2\x80\x8a", "\xe2\x80\x8a"},
    {"\xe2\x80\x8b", "\\xe2\\x80\\x8b", "\\u200b"},
    {"\xe2\x80\x8f", "\\xe2\\x80\\x8f", "\\u200f"},
    {"\xe2\x80\x90", "\xe2\x80\x90", "\xe2\x80\x90"},
    {"\xe2\x80\xa7", "\xe2\x80\xa7", "\xe2\x80\xa7"},
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\u2028"},
    {"\xe2\x80\xae", "\\xe2\\x80\\xae", "\\u202e"},
    {"\xe2\x80\xaf", "\xe2\x80\xaf", "\xe2\x80\xaf"},
    {"\xe2\x81\xa0", "\\xe2\\x81\\xa0", "\\u2060"},
    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6", "\\u2066"},
    {"\xe2\x81\xa9", "\\xe2\\x81\\xa9", "\\u2069"},
    {"\xe2\x81\xb0", "\xe2\x81\xb0", "\xe2\x81\xb0"},
    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf", "\\ufeff"},
    {"\xef\xbf\xbd", "\xef\xbf\xbd", "\xef\xbf\xbd"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81", "\\udb40\\udc41"},
    {"\x9b", "\\x9b", "\\ufffd"},
    {"a\xe2\x80", "a\\xe2\\x80", "a\\ufffd\\ufffd"}, /* cut off */
    {"{\"\xc3\xa9\": 1}\n", "{\"\xc3\xa9\": 1}\\x0a", "{\"\xc3\xa9\": 1}\n"},
};

START_TEST(what_is_strange_is_made_visible)
{
	const char *text = strange[_i].text;
	struct buf out = BUF_INIT;

	utf8_add_visible(&out, text, strlen(text));
	ck_assert_str_eq(out.data, strange[_i].visible);
	buf_reset(&out);
	utf8_add_json(&out, text, strlen(text));
	ck_assert_str_eq(out.data, strange[_i].json);
	buf_done(&out);
}
END_TEST

/* --- lines --------------------------------------------------------------- */

static int64_t now_us;

static int64_t
fake_now(void)
{
	return now_us;
}

static void
collect(void *arg, struct slice line)
{
	buf_addf(arg, "%.*s|", (int)line.len, line.p);
}

START_TEST(output_is_cut_into_lines)
{
	struct buf out = BUF_INIT;
	struct lines_sink sink = {.on_line = collect, .arg = &out};
	struct lines l = {.sink = &sink};

	lines_take(&l, "one\ntw", 6);
	lines_take(&l, "o\n\nthr", 6);
	ck_assert_str_eq(out.data, "one|two||");
	lines_end(&l);
	lines_end(&l);
	lines_sink_end(&sink);
	ck_assert_str_eq(out.data, "one|two||thr|");
	buf_done(&out);
}
END_TEST

START_TEST(a_long_line_is_cut_off)
{
	static char text[3 * LINES_MAX_BYTES];
	struct buf out = BUF_INIT;
	struct lines_sink sink = {.on_line = collect, .arg = &out};
	struct lines l = {.sink = &sink};

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 2] = '\n';
	lines_take(&l, text, sizeof(text));
	lines_end(&l);
	ck_assert_uint_eq(out.len, LINES_MAX_BYTES + 3);
	ck_assert_str_eq(out.data + LINES_MAX_BYTES, "|a|");
	buf_done(&out);
}
END_TEST

START_TEST(a_flood_is_cut_off_and_said_to_be)
{
	const struct clock_source source = {.mono_us = fake_now};
	struct buf out = BUF_INIT;
	struct lines_sink sink = {.on_line = collect, .arg = &out};
	struct lines l = {.sink = &sink};
	int i;

	clock_replace(&source);
	now_us = 5000000;
	for (i = 0; i < LINES_PER_S + 7; i++)
		lines_take(&l, "x\n", 2);
	ck_assert_uint_eq(out.len, (size_t)LINES_PER_S * 2);
	now_us = 6000000;
	lines_take(&l, "y\n", 2);
	ck_assert_str_eq(
	    out.data + (size_t)LINES_PER_S * 2,
	    "(7 more lines dropped; at most 100 per second are logged)|y|");
	clock_replace(NULL);
	buf_done(&out);
}
END_TEST

SUITE("text")
{
	TEST(a_cut_is_between_two_characters);
	TEST_LOOP(what_is_not_utf8_is_replaced, 0,
		  sizeof(texts) / sizeof(texts[0]));
	TEST_LOOP(what_is_strange_is_made_visible, 0,
		  sizeof(strange) / sizeof(strange[0]));
	TEST(output_is_cut_into_lines);
	TEST(a_long_line_is_cut_off);
	TEST(a_flood_is_cut_off_and_said_to_be);
}
