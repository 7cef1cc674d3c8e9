/* SPDX-License-Identifier: MIT */
/* References to results in arguments: found, changed and filled. */
#include "codec/flow_args.h"

#include <string.h>

#include "suite.h"
#include "util/err.h"

static struct buf out;
static struct err err;

static struct slice
result_of(void *arg, struct slice id)
{
	if (slice_eq(id, SLICE("a")))
		return SLICE("7");
	if (slice_eq(id, SLICE("b\"")))
		return SLICE("\"text\"");
	if (slice_eq(id, SLICE("deep")))
		return SLICE("{\"x\": [10, {\"y z\": \"end\"}], \"1\": true}");
	return SLICE("");
}

static const struct {
	const char *json, *filled;
} fills[] = {
    {"[]", "[]"},
    {"[1.50, \"$from\", {\"k\": \"$all\"}]",
     "[1.50, \"$from\", {\"k\": \"$all\"}]"},
    {"[{\"$from\":\"a\"}]", "[7]"},
    {"[ { \"$from\" : \"a\" } , 1e400]", "[ 7 , 1e400]"},
    {"{\"k\":{\"$from\":\"b\\\"\"},\"l\":2}", "{\"k\":\"text\",\"l\":2}"},
    {"[{\"$all\":[\"a\",\"none\",\"b\\u0022\"]}]", "[[7,null,\"text\"]]"},
    {"[{\"$all\":[]}]", "[[]]"},
    {"[{\"$from\":\"none\"},[[{\"$from\":\"a\"}]]]", "[null,[[7]]]"},
    {"[{\"$from\":\"deep\",\"path\":\"x.1.y z\"}]", "[\"end\"]"},
    {"[{\"$from\":\"deep\",\"path\":\"x.0\"}]", "[10]"},
    {"[{\"$from\":\"deep\",\"path\":\"1\"}]", "[true]"},
    {"[{\"$from\":\"deep\",\"path\":\"x.2\"}]", "[null]"},
    {"[{\"$from\":\"deep\",\"path\":\"x.0.y\"}]", "[null]"},
    {"[{\"$from\":\"deep\",\"path\":\"x.-1\"}]", "[null]"},
    {"[{\"$all\":[\"deep\",\"a\"],\"path\":\"x.0\"}]", "[[10,null]]"},
    /* What is like one and is none stays. */
    {"[{\"$from\":7}]", "[{\"$from\":7}]"},
    {"[{\"$from\":\"a\",\"more\":1}]", "[{\"$from\":\"a\",\"more\":1}]"},
    {"[{\"x\":1,\"$from\":\"a\"}]", "[{\"x\":1,\"$from\":\"a\"}]"},
    {"[{\"$all\":\"a\"}]", "[{\"$all\":\"a\"}]"},
    {"[{\"$all\":[\"a\",7]}]", "[{\"$all\":[\"a\",7]}]"},
    {"[{\"$all\":[\"a\",{\"$from\":\"a\"}]}]", "[{\"$all\":[\"a\",7]}]"},
};

START_TEST(references_become_results)
{
	buf_reset(&out);
	ck_assert_int_eq(flow_args_fill(slice_of(fills[_i].json), result_of,
					NULL, &out, &err),
			 0);
	buf_addc(&out, '\0');
	ck_assert_str_eq(out.data, fills[_i].filled);
}
END_TEST

static int
map_id(void *arg, struct slice id, struct buf *to, struct err *why)
{
	if (slice_eq(id, SLICE("bad")))
		return err_set(why, ERR_DATA, "bad");
	buf_addf(to, "F.%.*s", (int)id.len, id.p);
	return 0;
}

static const struct {
	const char *json, *mapped; /* NULL: an error */
} maps[] = {
    {"[1.50,{\"$from\" : \"a\", \"path\":\"x\\u0041\"}]",
     "[1.50,{\"$from\":\"F.a\",\"path\":\"x\\u0041\"}]"},
    {"{\"k\":{\"$all\":[\"a\",\"\\u0062\"]}}",
     "{\"k\":{\"$all\":[\"F.a\",\"F.b\"]}}"},
    {"[\"$from\",\"\\\"$from\\\":\"]", "[\"$from\",\"\\\"$from\\\":\"]"},
    {"[{\"$from\":\"bad\"}]", NULL},
    {"[{\"$from\":7}]", NULL},
    {"[{\"$all\":\"a\"}]", NULL},
    {"[{\"$from\":\"a\",\"more\":1}]", NULL},
    {"[{\"x\":1,\"$from\":\"a\"}]", NULL},
};

START_TEST(ids_are_mapped_and_mistakes_refused)
{
	buf_reset(&out);
	ck_assert_int_eq(
	    flow_args_map(slice_of(maps[_i].json), map_id, NULL, &out, &err),
	    maps[_i].mapped != NULL ? 0 : -1);
	if (maps[_i].mapped == NULL)
		return;
	buf_addc(&out, '\0');
	ck_assert_str_eq(out.data, maps[_i].mapped);
}
END_TEST

static int
add_id(void *arg, struct slice id, struct err *why)
{
	buf_addf(&out, "%.*s ", (int)id.len, id.p);
	return 0;
}

START_TEST(each_id_is_told)
{
	const struct slice json =
	    SLICE("[{\"$from\":\"a\"},{\"$all\":[\"b\",\"a\"]},{\"$from\":7}]");

	buf_reset(&out);
	ck_assert(flow_args_any(json));
	ck_assert(!flow_args_any(SLICE("[\"from\",\"$\"]")));
	ck_assert(!flow_args_any(SLICE("")));
	ck_assert_int_eq(flow_args_each(json, add_id, NULL, &err), 0);
	ck_assert_str_eq(out.data, "a b a ");
}
END_TEST

START_TEST(what_is_no_reference_is_refused)
{
	ck_assert_int_eq(
	    flow_args_check(SLICE("[{\"$from\":\"a\"},\"$from\"]"), &err), 0);
	ck_assert_int_eq(flow_args_check(SLICE("[{\"$from\":\"a b\"}]"), &err),
			 -1);
	ck_assert_str_eq(
	    err.msg, "a reference to results: \"a b\" is not a valid task ID");
	ck_assert_int_eq(flow_args_check(SLICE("[{\"$all\":{}}]"), &err), -1);
}
END_TEST

SUITE("flow_args")
{
	TEST_LOOP(references_become_results, 0,
		  (int)(sizeof(fills) / sizeof(fills[0])));
	TEST_LOOP(ids_are_mapped_and_mistakes_refused, 0,
		  (int)(sizeof(maps) / sizeof(maps[0])));
	TEST(each_id_is_told);
	TEST(what_is_no_reference_is_refused);
}
