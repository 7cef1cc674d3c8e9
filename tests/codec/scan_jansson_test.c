/* SPDX-License-Identifier: MIT */
/*
 * The scanner against jansson: both accept the same texts, and make the same
 * trees of them.
 *
 * Three differences are known and set apart: the scanner does not look at the
 * size of numbers, how deep a text may be is its caller's choice, and jansson
 * overlooks a NUL byte behind a number.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "codec/tree.h"
#include "suite.h"
#include "util/err.h"

#define SEED UINT64_C(20261123)
#define ROUNDS 300000
#define TEXT_MAX 512

static uint64_t state;

/* xorshift64*: the same numbers on every machine. */
static size_t
below(size_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (size_t)((state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static const char *const seeds[] = {
    "{\"id\": \"8fb37713\", \"name\": \"add\", \"args\": [1, 2], "
    "\"kwargs\": {}, \"max_retries\": 3, \"retry_delay\": 1.0, "
    "\"current_retry\": 0, \"priority\": 0, \"cpu_bound\": false}",
    "[null, true, false, -0, 1.5e+3, -2E-2, 0.25, \"\"]",
    "\"\\ud83d\\ude00 \\u00e9 \\u0000 \\\" \\\\ \\/ \\b\\f\\n\\r\\t\"",
    "{\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\": \"\xED\x9F\xBF\"}",
    "{\"a\": {\"b\": [[], {}, [{\"c\": [1]}]]}, \"a\": 2}",
    " [ 1 , \t2 ,\n3\r] ",
};

/* Pieces that stand at the edges of the grammar. */
static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\uDBFF",
    "\\uDFFF",
    "\\u00e9",
    "\\n",
    "\\x",
    "null",
    "true",
    "false",
    "nul",
    "NaN",
    "-",
    "+",
    "0",
    "00",
    "1",
    ".",
    "e",
    "E+",
    "1.5e3",
    " ",
    "\n",
    "\t",
    "\v",
    "\x7F",
    "\x80",
    "\xC3\xA9",
    "\xC3",
    "\xC0\x80",
    "\xED\xA0\x80",
    "\xEF\xBB\xBF",
    "\xF4\x90\x80\x80",
    "\xF0\x9F\x98\x80",
    "\"a\":1",
    "\x01",
};

static size_t
mutate(char *text, size_t len)
{
	const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];
	size_t piece_len = strlen(piece);
	size_t at = below(len + 1);
	size_t cut;

	switch (below(4)) {
	case 0: /* another byte, NUL among them */
		if (at < len)
			text[at] = (char)below(256);
		break;
	case 1: /* some bytes less */
		cut = below(4) + 1;
		if (at + cut <= len) {
			memmove(text + at, text + at + cut, len - at - cut);
			len -= cut;
		}
		break;
	case 2: /* a space more, which often changes nothing */
		piece = " ";
		piece_len = 1;
		/* fall through */
	default: /* a piece more */
		if (len + piece_len <= TEXT_MAX) {
			memmove(text + at + piece_len, text + at, len - at);
			memcpy(text + at, piece, piece_len);
			len += piece_len;
		}
		break;
	}
	return len;
}

/* Makes a text from a seed by up to three changes, or from pieces alone. */
static size_t
make_text(char *text)
{
	size_t len = 0;
	size_t changes;

	if (below(4) > 0) {
		const char *seed =
		    seeds[below(sizeof(seeds) / sizeof(seeds[0]))];

		len = strlen(seed);
		memcpy(text, seed, len);
		changes = below(3) + 1;
	} else {
		changes = below(8) + 1;
	}
	while (changes-- > 0)
		len = mutate(text, len);
	return len;
}

static bool
jansson_accepts(const char *text, size_t len, bool *ret_range)
{
	json_error_t error;
	json_t *json =
	    json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);

	*ret_range = json == NULL &&
		     json_error_code(&error) == json_error_numeric_overflow;
	json_decref(json);
	return json != NULL;
}

static void
compare(const char *text, size_t len, int *ret_accepted)
{
	/* A block of the exact size: the sanitizer sees every step too far. */
	char *exact = malloc(len > 0 ? len : 1);
	struct err err = ERR_INIT;
	struct scan_value value;
	bool ours, theirs, range;

	memcpy(exact, text, len);
	ours = scan_check((struct slice){exact, len}, 1000, &value, &err) == 0;
	theirs = jansson_accepts(exact, len, &range);
	if (ours != theirs && !range &&
	    (ours || memchr(exact, '\0', len) == NULL)) {
		struct buf shown = BUF_INIT;

		scan_quote(&shown, (struct slice){exact, len});
		ck_abort_msg("ours %d (%s), jansson %d: %s", ours, err.msg,
			     theirs, shown.data);
	}
	*ret_accepted += ours;
	free(exact);
}

START_TEST(the_scanner_accepts_what_jansson_accepts)
{
	char text[TEXT_MAX];
	int accepted = 0;
	int i;

	state = SEED;
	for (i = 0; i < ROUNDS; i++)
		compare(text, make_text(text), &accepted);
	printf("scan_jansson: seed %" PRIu64 ", %d texts, %d accepted\n", SEED,
	       ROUNDS, accepted);
	/* Enough on each side for the comparison to mean something. */
	ck_assert_int_gt(accepted, ROUNDS / 20);
	ck_assert_int_lt(accepted, ROUNDS * 19 / 20);
}
END_TEST

START_TEST(strings_mean_to_us_what_they_mean_to_jansson)
{
	char text[TEXT_MAX];
	struct buf bytes = BUF_INIT;
	struct scan_value value;
	int compared = 0;
	json_t *json;
	int i;

	state = SEED;
	for (i = 0; i < ROUNDS / 3; i++) {
		size_t len = make_text(text);

		if (scan_check((struct slice){text, len}, 1000, &value, NULL) ||
		    value.type != SCAN_STRING)
			continue;
		json = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY,
				  NULL);
		ck_assert_ptr_nonnull(json);
		buf_reset(&bytes);
		scan_unescape(&value, &bytes);
		ck_assert_uint_eq(bytes.len, json_string_length(json));
		ck_assert_mem_eq(bytes.data, json_string_value(json),
				 bytes.len);
		json_decref(json);
		compared++;
	}
	ck_assert_int_gt(compared, 1000);
	buf_done(&bytes);
}
END_TEST

/* What handlers get must not depend on who reads it. */
static bool
same_tree(const char *text, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1);
	struct err err = ERR_INIT;
	json_t *ours, *theirs;

	memcpy(exact, text, len);
	ours = tree_read((struct slice){exact, len}, &err);
	theirs = json_loadb(exact, len, JSON_DECODE_ANY, NULL);
	/* json_equal() compares neither the order of members nor the sign of
	 * zero; the texts show both. */
	if (ours != NULL && theirs != NULL) {
		char *a = json_dumps(ours, JSON_ENCODE_ANY);
		char *b = json_dumps(theirs, JSON_ENCODE_ANY);

		ck_assert_str_eq(a, b);
		ck_assert(json_equal(ours, theirs));
		free(a);
		free(b);
	} else if (ours != NULL || memchr(exact, '\0', len) == NULL) {
		ck_assert_msg(ours == theirs, "ours %p (%s), jansson %p: %.*s",
			      (void *)ours, err.msg, (void *)theirs, (int)len,
			      exact);
	}
	ck_assert(ours != NULL || err.code == ERR_DATA);
	free(exact);
	json_decref(theirs);
	json_decref(ours);
	return ours != NULL;
}

START_TEST(the_trees_are_those_of_jansson)
{
	static const char *const texts[] = {
	    "[[[[]]], [{}], {\"a\": [], \"b\": {\"c\": [1, [2]]}}, []]",
	    "{\"a\": 1, \"b\": [2], \"a\": {\"c\": 3}, \"\": \"\"}",
	    "[-0, -0.0, 0.0, 1E2, 1e-400, 9223372036854775807, "
	    "-9223372036854775808, 0.1, 123456789.123456789]",
	    "[1e400]",
	    "[9223372036854775808]",
	    "[\"a\\u0000b\"]",
	    "{\"\\u0041\\n\": \"\\ud83d\\ude00\", \"A\\n\": \"\\\"\"}",
	    "[\"Ã© plain text that is longer than eight bytes\"]",
	};
	char text[TEXT_MAX];
	int accepted = 0;
	size_t n;
	int i;

	for (n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
		same_tree(texts[n], strlen(texts[n]));
	state = SEED;
	for (i = 0; i < ROUNDS; i++)
		accepted += same_tree(text, make_text(text));
	ck_assert_int_gt(accepted, ROUNDS / 20);
}
END_TEST

START_TEST(a_tree_is_as_deep_as_is_said_and_not_deeper)
{
	char text[2 * TREE_DEPTH_MAX + 3];
	struct err err = ERR_INIT;
	json_t *tree;

	memset(text, '[', TREE_DEPTH_MAX + 1);
	memset(text + TREE_DEPTH_MAX + 1, ']', TREE_DEPTH_MAX + 1);
	tree = tree_read((struct slice){text + 1, 2 * TREE_DEPTH_MAX}, &err);
	ck_assert_ptr_nonnull(tree);
	json_decref(tree);
	tree = tree_read((struct slice){text, 2 * TREE_DEPTH_MAX + 2}, &err);
	ck_assert_ptr_null(tree);
	ck_assert_int_eq(strncmp(err.msg, "too deep", 8), 0);
}
END_TEST

START_TEST(what_is_as_deep_as_the_scanner_goes_jansson_reads)
{
	enum { DEEP = 2000 };
	char text[2 * DEEP + 3];
	struct scan_value value;
	struct err err = ERR_INIT;
	bool range;

	memset(text, '[', DEEP);
	text[DEEP] = '1';
	memset(text + DEEP + 1, ']', DEEP);
	ck_assert_int_eq(scan_check((struct slice){text, 2 * DEEP + 1}, 100000,
				    &value, &err),
			 0);
	ck_assert(jansson_accepts(text, 2 * DEEP + 1, &range));
}
END_TEST

START_TEST(numbers_beyond_the_machine_are_the_only_other_difference)
{
	static const char *const numbers[] = {
	    "9223372036854775808",
	    "-9223372036854775809",
	    "1e400",
	    "-1e999",
	    "12345678901234567890",
	    "1000000000000000000000000000000e300",
	};
	struct scan_value value;
	bool range;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		ck_assert_int_eq(
		    scan_check(slice_of(numbers[i]), 1, &value, NULL), 0);
		ck_assert(value.inexact == numbers[i]);
		ck_assert(
		    !jansson_accepts(numbers[i], strlen(numbers[i]), &range));
		ck_assert(range);
	}
}
END_TEST

SUITE("scan_jansson")
{
	SUITE_TIMEOUT(120);
	TEST(the_scanner_accepts_what_jansson_accepts);
	TEST(strings_mean_to_us_what_they_mean_to_jansson);
	TEST(the_trees_are_those_of_jansson);
	TEST(a_tree_is_as_deep_as_is_said_and_not_deeper);
	TEST(what_is_as_deep_as_the_scanner_goes_jansson_reads);
	TEST(numbers_beyond_the_machine_are_the_only_other_difference);
}
