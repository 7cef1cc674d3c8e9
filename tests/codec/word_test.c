/* SPDX-License-Identifier: MIT */
/* Words of commands as JSON. */
#include "codec/word.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

/* Each length has another padding. */
START_TEST(any_bytes_but_nul_come_back_as_they_were)
{
	static const char bytes[] = "\xff\x01\xfe\n\"\\\x80\xc3\xa9 end";
	const size_t len = (size_t)_i;
	struct buf json = BUF_INIT, back = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *j;

	word_write((struct slice){bytes, len}, &json);
	j = json_loads(json.data, JSON_DECODE_ANY, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_msg(word_read(j, &back, &err) == 0, "%s: %s", json.data,
		      err.msg);
	ck_assert_uint_eq(back.len, len);
	if (len > 0)
		ck_assert_mem_eq(back.data, bytes, len);
	json_decref(j);
	buf_done(&json);
	buf_done(&back);
}
END_TEST

static const struct {
	const char *word, *json;
} written[] = {
    {"", "\"\""},
    {"a b\n\"", "\"a b\\n\\\"\""},
    {"\xc3\xa9", "\"\xc3\xa9\""},
    {"\xff", "{\"base64\":\"/w==\"}"},
    {"\xff\xfe", "{\"base64\":\"//4=\"}"},
    {"\xff\xfe\xfd", "{\"base64\":\"//79\"}"},
    {"ab\xff", "{\"base64\":\"YWL/\"}"},
    /* A character that is cut off, and one too long for what it is. */
    {"\xc3", "{\"base64\":\"ww==\"}"},
    {"\xc0\x80", "{\"base64\":\"wIA=\"}"},
};

START_TEST(text_is_a_string_and_other_bytes_are_base64)
{
	struct buf json = BUF_INIT;

	word_write(slice_of(written[_i].word), &json);
	ck_assert_str_eq(json.data, written[_i].json);
	buf_done(&json);
}
END_TEST

static const char *const no_words[] = {
    "null", "5", "[\"a\"]", "{}", "{\"base64\":5}", "{\"base64\":\"/w=\"}",
    "{\"base64\":\"/w\"}", "{\"base64\":\"=w==\"}", "{\"base64\":\"/x==\"}",
    "{\"base64\":\"/w==\",\"more\":1}", "{\"base64\":\"/w=a\"}",
    "{\"base64\":\"////====\"}", "{\"base64\":\"_w==\"}",
    /* A NUL would cut off a word. */
    "{\"base64\":\"YQBi\"}", "\"a\\u0000b\""};

START_TEST(what_is_not_a_word_is_refused)
{
	struct buf back = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *j =
	    json_loads(no_words[_i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(word_read(j, &back, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	json_decref(j);
	buf_done(&back);
}
END_TEST

SUITE("word")
{
	TEST_LOOP(any_bytes_but_nul_come_back_as_they_were, 0, 13);
	TEST_LOOP(text_is_a_string_and_other_bytes_are_base64, 0,
		  sizeof(written) / sizeof(written[0]));
	TEST_LOOP(what_is_not_a_word_is_refused, 0,
		  sizeof(no_words) / sizeof(no_words[0]));
}
