/* SPDX-License-Identifier: MIT */
/* The JSON scanner: what it refuses and says, and how it reads values. */
#include "codec/scan.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

#define DEPTH 10
#define RANDOM_DOUBLES 20000
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	const char *message;
} refused[] = {
    {"", "not JSON: the text ends where a value is expected (byte 0)"},
    {" \n", "not JSON: the text ends where a value is expected (byte 2)"},
    {"hello", "not JSON: a value is expected here (byte 0)"},
    {"\xEF\xBB\xBF{}", "not JSON: a byte order mark is not allowed (byte 0)"},
    {"[NaN]", "not JSON: NaN is not JSON (byte 1)"},
    {"[Infinity]", "not JSON: Infinity is not JSON (byte 1)"},
    {"[-Infinity]", "not JSON: -Infinity is not JSON (byte 1)"},
    {"nul", "not JSON: a value is expected here (byte 0)"},
    {"nullx", "not JSON: something follows the end of the value (byte 4)"},
    {"{} {}", "not JSON: something follows the end of the value (byte 3)"},
    {"1 2", "not JSON: something follows the end of the value (byte 2)"},
    {"[", "not JSON: the text ends where a value is expected (byte 1)"},
    {"[1", "not JSON: the text ends inside an array (byte 2)"},
    {"[1,]", "not JSON: a value is expected here (byte 3)"},
    {"[,1]", "not JSON: a value is expected here (byte 1)"},
    {"[1 2]", "not JSON: \",\" or \"]\" is expected here (byte 3)"},
    {"[1}", "not JSON: \",\" or \"]\" is expected here (byte 2)"},
    {"{", "not JSON: the text ends inside an object (byte 1)"},
    {"{\"a\"", "not JSON: \":\" is expected here (byte 4)"},
    {"{\"a\" 1}", "not JSON: \":\" is expected here (byte 5)"},
    {"{\"a\":", "not JSON: the text ends where a value is expected (byte 5)"},
    {"{\"a\":1", "not JSON: the text ends inside an object (byte 6)"},
    {"{\"a\":1,}", "not JSON: a quoted member name is expected here (byte 7)"},
    {"{a:1}", "not JSON: a quoted member name is expected here (byte 1)"},
    {"{'a':1}", "not JSON: a quoted member name is expected here (byte 1)"},
    {"{\"a\":1]", "not JSON: \",\" or \"}\" is expected here (byte 6)"},
    {"01", "not JSON: a number may not begin with 0 (byte 0)"},
    {"-01", "not JSON: a number may not begin with 0 (byte 1)"},
    {"-", "not JSON: a digit is expected here (byte 1)"},
    {"1.", "not JSON: a digit is expected here (byte 2)"},
    {"1.e5", "not JSON: a digit is expected here (byte 2)"},
    {"1e", "not JSON: a digit is expected here (byte 2)"},
    {"1e+", "not JSON: a digit is expected here (byte 3)"},
    {"+1", "not JSON: a value is expected here (byte 0)"},
    {".5", "not JSON: a value is expected here (byte 0)"},
    {"0x10", "not JSON: something follows the end of the value (byte 1)"},
    {"\"abc", "not JSON: the text ends inside a string (byte 4)"},
    {"\"abcdefgh\\", "not JSON: the text ends inside a string (byte 9)"},
    {"\"\\x41\"", "not JSON: unknown escape (byte 1)"},
    {"\"\\u12g4\"", "not JSON: \\u needs four hexadecimal digits (byte 1)"},
    {"\"\\u12", "not JSON: \\u needs four hexadecimal digits (byte 1)"},
    {"\"\\ud83d\"", "not JSON: half of a surrogate pair (byte 1)"},
    {"\"\\ud83d\\n12345\"", "not JSON: half of a surrogate pair (byte 1)"},
    {"\"\\ud83d\\u0041\"", "not JSON: half of a surrogate pair (byte 1)"},
    {"\"\\ude00\"", "not JSON: half of a surrogate pair (byte 1)"},
    {"{\"a\\u0000\":1}",
     "not JSON: a member's name may not hold \\u0000 (byte 3)"},
    {"\"a\nb\"", "not JSON: a control character in a string must be "
		 "written as \\u00XX (byte 2)"},
    {"[[[[[[[[[[[]]]]]]]]]]]",
     "too deep: more than 10 arrays and objects inside one another "
     "(byte 10)"},
};

START_TEST(what_is_not_json_is_refused_and_the_place_named)
{
	struct err err = ERR_INIT;
	struct scan_value value;

	ck_assert_int_eq(
	    scan_check(slice_of(refused[_i].text), DEPTH, &value, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_str_eq(err.msg, refused[_i].message);
}
END_TEST

static bool
accepts(const void *bytes, size_t len)
{
	/* A copy without a NUL: the sanitizer sees what is read too far. */
	char *copy = malloc(len > 0 ? len : 1);
	struct scan_value value;
	int rc;

	memcpy(copy, bytes, len);
	rc = scan_check((struct slice){copy, len}, DEPTH, &value, NULL);
	free(copy);
	return rc == 0;
}

static bool
accepts_string(const char *content, size_t len)
{
	char text[64];

	text[0] = '"';
	memcpy(text + 1, content, len);
	text[len + 1] = '"';
	return accepts(text, len + 2);
}

static const struct {
	const char *bytes;
	bool good;
} utf8[] = {
    {"\x7F", true},
    {"\x80", false},
    {"\xBF", false},
    {"\xC0\x80", false},
    {"\xC1\xBF", false},
    {"\xC2\x80", true},
    {"\xDF\xBF", true},
    {"\xC2", false},
    {"\xC2\xC0", false},
    {"\xE0\x9F\xBF", false},
    {"\xE0\xA0\x80", true},
    {"\xEF\xBF\xBF", true},
    {"\xE2\x82", false},
    {"\xE2\x28\xA1", false},
    {"\xE2\x82\x28", false},
    {"\xED\x9F\xBF", true},
    {"\xED\xA0\x80", false},
    {"\xED\xBF\xBF", false},
    {"\xEE\x80\x80", true},
    {"\xF0\x8F\xBF\xBF", false},
    {"\xF0\x90\x80\x80", true},
    {"\xF4\x8F\xBF\xBF", true},
    {"\xF4\x90\x80\x80", false},
    {"\xF0\x9F\x98", false},
    {"\xF5\x80\x80\x80", false},
    {"\xF8\x88\x80\x80\x80", false},
    {"\xFE", false},
    {"\xFF", false},
};

START_TEST(strings_are_well_formed_utf8_wherever_they_stand)
{
	char text[32];
	size_t len = strlen(utf8[_i].bytes);
	size_t before;

	/* At each place of the eight bytes that are looked at together. */
	for (before = 0; before < 16; before++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + before, utf8[_i].bytes, len);
		ck_assert(accepts_string(text, before + len) == utf8[_i].good);
		ck_assert(accepts_string(text, before + len + 9) ==
			  utf8[_i].good);
	}
}
END_TEST

START_TEST(control_characters_end_no_string_unseen)
{
	char text[24];
	size_t at;
	int c;

	for (c = 0; c < 0x20; c++) {
		for (at = 0; at < sizeof(text); at++) {
			memset(text, '~', sizeof(text));
			text[at] = (char)c;
			ck_assert(!accepts_string(text, sizeof(text)));
		}
	}
	ck_assert(!accepts("{}\0", 3));
	ck_assert(!accepts("\0{}", 3));
	ck_assert(!accepts("[1,\0 2]", 7));
	ck_assert(accepts("\"\\u0000\"", 8));
}
END_TEST

START_TEST(a_text_cut_short_anywhere_is_refused)
{
	static const char text[] = "{\"a\": [1.5e+3, true, false, null, "
				   "\"\\u00e9\\ud83d\\ude00 \\\" \xC3\xA9\", "
				   "{\"b\": {}}], \"c\": -0}";
	size_t len;

	ck_assert(accepts(text, sizeof(text) - 1));
	for (len = 0; len < sizeof(text) - 1; len++)
		ck_assert_msg(!accepts(text, len), "%zu bytes", len);
}
END_TEST

START_TEST(a_hundred_thousand_levels_are_refused_with_little_stack)
{
	enum { LEVELS = 100000 };
	static const char *const opening[] = {"[", "{\"a\":", "[{\"a\":"};
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	struct scan_value value;
	int i;

	for (i = 0; i < LEVELS; i++)
		buf_adds(&text, opening[_i]);
	ck_assert(!text.failed);
	ck_assert_int_eq(scan_check((struct slice){text.data, text.len},
				    LEVELS * 2, &value, &err),
			 -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "more than 2000 arrays"));
	buf_done(&text);
}
END_TEST

START_TEST(the_depth_counts_what_is_open_and_not_what_was)
{
	struct scan_value value;

	ck_assert_int_eq(scan_check(SLICE("[[],[],{},[[]]]"), 3, &value, NULL),
			 0);
	ck_assert_int_eq(scan_check(SLICE("[[],[],{},[[]]]"), 2, &value, NULL),
			 -1);
	ck_assert_int_eq(scan_check(SLICE("1"), 0, &value, NULL), 0);
	ck_assert_int_eq(scan_check(SLICE("[]"), 0, &value, NULL), -1);
}
END_TEST

static int
list_member(void *arg, const struct scan_value *key,
	    const struct scan_value *value, struct err *err)
{
	buf_addf(arg, "%.*s=%s:%.*s;", (int)key->text.len, key->text.p,
		 scan_type_text(value->type), (int)value->text.len,
		 value->text.p);
	return 0;
}

START_TEST(members_come_in_their_order_as_they_stand)
{
	struct buf list = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    scan_object(SLICE(" { \"a\" : 1.50 ,\"\":[ 1, {\"x\":2} ],\n"
			      "\"a\":\"s\\n\",\"t\":true,\"f\":false,\"n\""
			      ":null,\"o\":{ } } "),
			DEPTH, list_member, &list, &err),
	    0);
	ck_assert_str_eq(list.data,
			 "a=a number:1.50;=an array:[ 1, {\"x\":2} ];"
			 "a=a string:s\\n;t=true:true;f=false:false;"
			 "n=null:null;o=an object:{ };");
	buf_done(&list);
}
END_TEST

static int
list_element(void *arg, const struct scan_value *value, struct err *err)
{
	buf_addf(arg, "%s:%.*s;", scan_type_text(value->type),
		 (int)value->text.len, value->text.p);
	return 0;
}

START_TEST(elements_come_in_their_order_as_they_stand)
{
	struct buf list = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    scan_array(SLICE(" [1.50 , [2, 3],{\"a\":[ ]},\"s\"] "), DEPTH,
		       list_element, &list, &err),
	    0);
	ck_assert_str_eq(list.data, "a number:1.50;an array:[2, 3];"
				    "an object:{\"a\":[ ]};a string:s;");
	ck_assert_int_eq(
	    scan_array(SLICE("[]"), DEPTH, list_element, NULL, &err), 0);
	ck_assert_int_eq(
	    scan_array(SLICE("{\"a\":[1]}"), DEPTH, list_element, NULL, &err),
	    -1);
	ck_assert_str_eq(err.msg, "the text is an object, must be an array");
	buf_done(&list);
}
END_TEST

static int
stop(void *arg, const struct scan_value *key, const struct scan_value *value,
     struct err *err)
{
	++*(int *)arg;
	return err_set(err, ERR_REFUSED, "enough");
}

START_TEST(a_callback_can_stop_the_scan)
{
	struct err err = ERR_INIT;
	int calls = 0;

	ck_assert_int_eq(
	    scan_object(SLICE("{\"a\":1,\"b\":2}"), DEPTH, stop, &calls, &err),
	    -1);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_str_eq(err.msg, "enough");
}
END_TEST

START_TEST(another_value_where_an_object_must_be_is_named)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    scan_object(SLICE("[1]"), DEPTH, list_member, NULL, &err), -1);
	ck_assert_str_eq(err.msg, "the text is an array, must be an object");
	ck_assert_int_eq(
	    scan_object(SLICE("[1"), DEPTH, list_member, NULL, &err), -1);
	ck_assert_str_eq(err.msg,
			 "not JSON: the text ends inside an array (byte 2)");
}
END_TEST

static const struct {
	const char *text;
	const char *bytes;
	size_t len;
} unescaped[] = {
    {"\"\"", "", 0},
    {"\"plain\"", "plain", 5},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
    {"\"a\\u0041\\u00e9\\u20AC\"", "aA\xC3\xA9\xE2\x82\xAC", 7},
    {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4},
    {"\"\\udbff\\udfff\"", "\xF4\x8F\xBF\xBF", 4},
    {"\"\\uD800\\uDC00x\"", "\xF0\x90\x80\x80x", 5},
    {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
     "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11},
    {"\"a\\u0000b\"", "a\0b", 3},
    {"\"\xC3\xA9\\n\xC3\xA9\"", "\xC3\xA9\n\xC3\xA9", 5},
};

START_TEST(escapes_become_the_characters_they_stand_for)
{
	struct scan_value value;
	struct buf out = BUF_INIT;

	buf_adds(&out, ">");
	ck_assert_int_eq(
	    scan_check(slice_of(unescaped[_i].text), DEPTH, &value, NULL), 0);
	ck_assert(value.escaped == (strchr(unescaped[_i].text, '\\') != NULL));
	scan_unescape(&value, &out);
	ck_assert_uint_eq(out.len, unescaped[_i].len + 1);
	ck_assert_mem_eq(out.data + 1, unescaped[_i].bytes, out.len - 1);
	ck_assert_int_eq(out.data[out.len], '\0');
	buf_done(&out);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} quoted[] = {
    {"", 0, "\"\""},
    {"plain text, long enough", 23, "\"plain text, long enough\""},
    {"\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\0\x01\x1F\x7F", 4, "\"\\u0000\\u0001\\u001f\x7F\""},
    {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 11,
     "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
    {"a\xFFz", 3, "\"a\xEF\xBF\xBDz\""},
    {"\xC3", 1, "\"\xEF\xBF\xBD\""},
    {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
};

START_TEST(any_bytes_become_a_string_that_reads_back)
{
	struct buf out = BUF_INIT;

	scan_quote(&out, (struct slice){quoted[_i].bytes, quoted[_i].len});
	ck_assert_str_eq(out.data, quoted[_i].text);
	ck_assert(accepts(out.data, out.len));
	buf_done(&out);
}
END_TEST

static int
int64_of(const char *text, int64_t *ret)
{
	struct scan_value value;

	ck_assert_int_eq(scan_check(slice_of(text), DEPTH, &value, NULL), 0);
	return scan_int64(&value, ret, NULL);
}

START_TEST(whole_numbers_fill_64_bits_and_no_more)
{
	int64_t n = 7;

	ck_assert_int_eq(int64_of("0", &n), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(int64_of("-0", &n), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(int64_of("9223372036854775807", &n), 0);
	ck_assert(n == INT64_MAX);
	ck_assert_int_eq(int64_of("-9223372036854775808", &n), 0);
	ck_assert(n == INT64_MIN);
	n = 7;
	ck_assert_int_eq(int64_of("9223372036854775808", &n), -1);
	ck_assert_int_eq(int64_of("-9223372036854775809", &n), -1);
	ck_assert_int_eq(int64_of("100000000000000000000", &n), -1);
	ck_assert_int_eq(int64_of("1.0", &n), -1);
	ck_assert_int_eq(int64_of("1e3", &n), -1);
	ck_assert_int_eq(n, 7);
}
END_TEST

static int
double_of(const char *text, double *ret)
{
	struct scan_value value;

	ck_assert_int_eq(scan_check(slice_of(text), DEPTH, &value, NULL), 0);
	return scan_double(&value, ret, NULL);
}

START_TEST(doubles_are_exact_finite_and_of_no_country)
{
	char digits[400];
	double d = 7;

	/* Not installed everywhere; where it is, it writes 1,5. */
	setlocale(LC_ALL, "de_DE.UTF-8");
	ck_assert_int_eq(double_of("1.5", &d), 0);
	ck_assert_double_eq(d, 1.5);
	ck_assert_int_eq(double_of("-2.5e-3", &d), 0);
	ck_assert_double_eq(d, -2.5e-3);
	ck_assert_int_eq(double_of("0.1", &d), 0);
	ck_assert_double_eq(d, 0.1);
	ck_assert_int_eq(double_of("12345678901234567890", &d), 0);
	ck_assert_double_eq(d, 12345678901234567890.0);
	ck_assert_int_eq(double_of("1e-400", &d), 0);
	ck_assert_double_eq(d, 0);
	memset(digits, '0', sizeof(digits));
	memcpy(digits, "1.", 2);
	memcpy(digits + sizeof(digits) - 5, "1e10", 5);
	ck_assert_int_eq(double_of(digits, &d), 0);
	ck_assert_double_eq(d, 1e10);
	ck_assert_int_eq(double_of("1e400", &d), -1);
	ck_assert_int_eq(double_of("-1e400", &d), -1);
	ck_assert_double_eq(d, 1e10);
}
END_TEST

/* Every bit, and the sign of zero. */
static void
double_is_strtods(const char *text)
{
	double ours = 7, theirs = strtod(text, NULL);

	ck_assert_msg(double_of(text, &ours) == 0, "%s is refused", text);
	ck_assert_msg(memcmp(&ours, &theirs, sizeof(ours)) == 0,
		      "%s is read as %.17g", text, ours);
}

/* Halfway between two doubles, at the ends of the ranges that are exact, and
 * where doubles become subnormal. */
static const char *const hard_doubles[] = {
    "-0",
    "-0.0",
    "0.000000000000000",
    "-0.00000000000000",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740995",
    "-9007199254740993",
    "9999999999999999",
    "-999999999999999",
    "999999999999999.9",
    "99999999999999.99",
    "9.99999999999999",
    "0.99999999999999",
    "0.123456789012345",
    "900719925474099.3",
    "1.00000000000000011102230246251565",
    "17976931348623157e292",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "4.9406564584124654e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "5e-324",
    "8.5e-1",
    "1E+2",
    "123456789012345678",
    "1234567890123456789",
    "0.30000000000000004",
    "7.2057594037927933e16",
};

START_TEST(doubles_are_what_strtod_reads)
{
	uint64_t seed = 88172645463325252u, bits;
	char text[400];
	double d;
	int i;

	for (i = 0; i < (int)N(hard_doubles); i++)
		double_is_strtods(hard_doubles[i]);
	for (i = 0; i < RANDOM_DOUBLES; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		bits = seed * 2685821657736338717u;
		memcpy(&d, &bits, sizeof(d));
		/* Of any size, and of the sizes that tasks have. */
		if (i % 2 != 0)
			d = (double)(int64_t)bits /
			    (double)(1ull << (bits & 63));
		if (!isfinite(d) || (i % 5 > 2 && fabs(d) > 1e18))
			continue;
		/* As programs print them, and as people write them. */
		if (i % 5 > 2)
			snprintf(text, sizeof(text), "%.*f", i % 4, d);
		else
			snprintf(text, sizeof(text), "%.*g", 15 + i % 5, d);
		double_is_strtods(text);
		/* Up to 17 digits, with the point anywhere. */
		snprintf(text, sizeof(text), "%s%" PRIu64 ".%0*" PRIu64,
			 bits & 1 ? "-" : "", bits >> (20 + seed % 44),
			 (int)(1 + seed % 15), seed >> (14 + bits % 50));
		double_is_strtods(text);
	}
}
END_TEST

SUITE("scan")
{
	TEST_LOOP(what_is_not_json_is_refused_and_the_place_named, 0,
		  N(refused));
	TEST_LOOP(strings_are_well_formed_utf8_wherever_they_stand, 0, N(utf8));
	TEST(control_characters_end_no_string_unseen);
	TEST(a_text_cut_short_anywhere_is_refused);
	TEST_LOOP(a_hundred_thousand_levels_are_refused_with_little_stack, 0,
		  3);
	TEST(the_depth_counts_what_is_open_and_not_what_was);
	TEST(members_come_in_their_order_as_they_stand);
	TEST(elements_come_in_their_order_as_they_stand);
	TEST(a_callback_can_stop_the_scan);
	TEST(another_value_where_an_object_must_be_is_named);
	TEST_LOOP(escapes_become_the_characters_they_stand_for, 0,
		  N(unescaped));
	TEST_LOOP(any_bytes_become_a_string_that_reads_back, 0, N(quoted));
	TEST(whole_numbers_fill_64_bits_and_no_more);
	TEST(doubles_are_exact_finite_and_of_no_country);
	TEST(doubles_are_what_strtod_reads);
}
