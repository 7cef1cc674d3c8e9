/* SPDX-License-Identifier: MIT */
/* What others have stored, made readable. */
#include "codec/repair.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static const struct {
	const char *text, *repaired;
} cases[] = {
    {"{\"a\":[1,-2.5e3,true,false,null,\"x\\n\\u00e9\"]}",
     "{\"a\":[1,-2.5e3,true,false,null,\"x\\n\\u00e9\"]}"},
    {"[12345678901234567890, 1e400]", "[\"12345678901234567890\", \"1e400\"]"},
    {"[NaN,Infinity,-Infinity,01,+1,.5]",
     "[\"NaN\",\"Infinity\",\"-Infinity\",\"01\",\"+1\",\".5\"]"},
    {"[\"a\\u0000b\"]", "[\"a\\ufffdb\"]"},
    {"[\"\\ud800\",\"\\udc00x\",\"\\ud83d\\ude00\"]",
     "[\"\\ufffd\",\"\\ufffdx\",\"\\ud83d\\ude00\"]"},
    {"[\"\xFF\xC3\xA9\x01\"]", "[\"\\ufffd\xC3\xA9\\ufffd\"]"},
    {"[\"\\x\"]", "[\"\\ufffdx\"]"},
    {"{\"a\\u0000\":1}", "{\"a\\ufffd\":1}"},
    {"'a'", "\"'a'\""},
    {"\"abc", "\"abc\""},
    {"\"abc\\", "\"abc\\ufffd\""},
    {"\"abc\\\"", "\"abc\\\"\""},
    {"", ""},
};

static char *
repair(const char *text, size_t len)
{
	/* Of its own size: a sanitizer sees what is read beyond it. */
	char *copy = malloc(len > 0 ? len : 1);
	struct buf out = BUF_INIT;

	memcpy(copy, text, len);
	repair_json((struct slice){copy, len}, &out);
	free(copy);
	buf_addc(&out, '\0');
	return out.data;
}

START_TEST(what_no_parser_takes_becomes_a_string)
{
	char *out = repair(cases[_i].text, strlen(cases[_i].text));

	ck_assert_str_eq(out, cases[_i].repaired);
	free(out);
}
END_TEST

/* As long as brackets, colons and commas are right, the result is JSON. */
START_TEST(any_byte_in_a_string_or_a_number_is_repaired)
{
	static const char text[] =
	    "[{\"abcd\":1234},\"\\u00e9\\ud83d\\ude00\"]";
	char copy[sizeof(text)];
	json_error_t why;
	json_t *json;
	char *out;
	size_t i;
	int byte;

	for (i = 0; i < sizeof(text) - 1; i++)
		for (byte = 0; byte < 256; byte++) {
			memcpy(copy, text, sizeof(text));
			if (strchr("[]{}:,\"", copy[i]) != NULL ||
			    (byte != 0 && strchr("[]{}:,\" \t\r\n", byte)))
				continue;
			if (byte == '\\' && copy[i + 1] == '"')
				continue; /* it takes the string's end */
			copy[i] = (char)byte;
			out = repair(copy, sizeof(text) - 1);
			json = json_loads(out, 0, &why);
			ck_assert_msg(json != NULL, "%s: %s", out, why.text);
			json_decref(json);
			free(out);
		}
}
END_TEST

SUITE("repair")
{
	TEST_LOOP(what_no_parser_takes_becomes_a_string, 0,
		  sizeof(cases) / sizeof(cases[0]));
	TEST(any_byte_in_a_string_or_a_number_is_repaired);
}
