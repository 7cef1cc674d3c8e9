/* SPDX-License-Identifier: MIT */
/* The environment of a command that is kept apart from its task. */
#include <string.h>

#include "codec/blob.h"
#include "suite.h"
#include "util/err.h"

#define NAME "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define TASK(kwargs)                                                           \
	"{\"id\":\"1\",\"name\":\"exec.run\",\"args\":[1e2],"                  \
	"\"kwargs\":" kwargs ",\"x\":\"\\u00e4\"}"

START_TEST(a_name_is_the_digest_of_its_text)
{
	char name[BLOB_NAME_SIZE];

	blob_name(SLICE("{}"), name);
	ck_assert_str_eq(name, NAME);
}
END_TEST

static const struct {
	const char *task;
	bool found;
} tasks[] = {
    {TASK("{\"argv\":[\"a\"],\"env_blob\":\"" NAME "\"}"), true},
    {TASK("{\"argv\":[\"env_blob\"]}"), false},
    {TASK("{\"env_blob\":\"44\"}"), false},
    {TASK("{\"env_blob\":1}"), false},
    {TASK("[]"), false},
    {TASK("{\"a\":{\"env_blob\":\"" NAME "\"}}"), false},
    {"{\"id\":\"1\",\"name\":\"other\",\"kwargs\":{\"env_blob\":\"" NAME "\"}}",
     false},
    {"{\"name\":\"exec.run\",\"kwargs\":{\"env_blob\":\"" NAME "\"", false},
    {"", false}};

START_TEST(a_name_is_found_where_a_command_has_it)
{
	char name[BLOB_NAME_SIZE];

	ck_assert_int_eq(blob_find(slice_of(tasks[_i].task), name),
			 tasks[_i].found);
	if (tasks[_i].found)
		ck_assert_str_eq(name, NAME);
}
END_TEST

START_TEST(a_text_takes_the_place_of_its_name)
{
	struct buf out = BUF_INIT;

	ck_assert_int_eq(
	    blob_inline(SLICE(TASK("{\"argv\":[\"\\\"\"],\"env_blob\":\"" NAME
				   "\",\"n\":1e2}")),
			SLICE("{\"A\":\"\\n\"}"), &out, NULL),
	    0);
	ck_assert(
	    slice_eq((struct slice){out.data, out.len},
		     SLICE(TASK("{\"argv\":[\"\\\"\"],\"env\":{\"A\":\"\\n\"},"
				"\"n\":1e2}"))));
	buf_done(&out);
}
END_TEST

/* A store is anybody's: a text that would end its object early, say. */
START_TEST(a_text_that_is_no_object_is_refused)
{
	static const char *const texts[] = {"",	   "1",		 "[]",
					    "{}}", "{},\"a\":1", "{\"a\":"};
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(
		    blob_inline(SLICE(TASK("{\"env_blob\":\"" NAME "\"}")),
				slice_of(texts[i]), &out, NULL),
		    -1);
	ck_assert_int_eq(
	    blob_inline(SLICE(TASK("{\"a\":1}")), SLICE("{}"), &out, NULL), -1);
	buf_done(&out);
}
END_TEST

SUITE("blob")
{
	TEST(a_name_is_the_digest_of_its_text);
	TEST_LOOP(a_name_is_found_where_a_command_has_it, 0,
		  sizeof(tasks) / sizeof(tasks[0]));
	TEST(a_text_takes_the_place_of_its_name);
	TEST(a_text_that_is_no_object_is_refused);
}
