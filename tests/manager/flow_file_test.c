/* SPDX-License-Identifier: MIT */
/* Files that say what a workflow does: what is read, what it becomes, and where
 * mistakes are told. */
#include "manager/flow_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "suite.h"
#include "util/err.h"

static struct flow_file file;
static struct err err;
static char told[4096]; /* "LINE: TEXT\n" of each mistake */

static void
tell(void *arg, int line, const char *text)
{
	const size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "%d: %s\n", line, text);
}

static int
read_file(const char *text)
{
	static const struct flowrra_request base = FLOWRRA_REQUEST_INIT;

	flow_file_done(&file);
	told[0] = '\0';
	return flow_file_read(&file, text, "F", &base, tell, NULL, &err);
}

static const struct flow_file_step *
step(const char *name)
{
	size_t i;

	for (i = 0; i < file.n; i++)
		if (strcmp(file.steps[i].name, name) == 0)
			return &file.steps[i];
	ck_abort_msg("no step %s", name);
}

/* Each is behind all that it needs, and none is missing. */
static void
check_order(void)
{
	bool *placed = calloc(file.n, sizeof(*placed));
	const struct flow_file_step *s;
	size_t i, k;

	for (i = 0; i < file.n; i++) {
		s = &file.steps[file.order[i]];
		for (k = 0; k < s->n_needs; k++)
			ck_assert_msg(placed[s->needs[k].step], "%s", s->name);
		ck_assert(!placed[file.order[i]]);
		placed[file.order[i]] = true;
	}
	free(placed);
}

START_TEST(an_object_with_steps_is_read)
{
	ck_assert_msg(
	    read_file("{\"label\": \"nightly\", \"on_failure\": \"cancel\",\n"
		      " \"life\": \"2d\", \"steps\": [\n"
		      "  {\"id\": \"b\", \"name\": \"parse\", \"after\": "
		      "[\"a:complete\"]},\n"
		      "  {\"id\": \"a\", \"name\": \"fetch\", \"queue\": \"q\","
		      " \"priority\": 4}]}") == 0,
	    "%s", told);
	ck_assert_str_eq(file.label, "nightly");
	ck_assert_str_eq(file.on_failure, "cancel");
	ck_assert_double_eq(file.life_s, 172800);
	ck_assert_uint_eq(file.n, 2);
	ck_assert_str_eq(step("a")->request.id, "F.a");
	ck_assert_str_eq(step("a")->request.flow, "F");
	ck_assert_str_eq(step("a")->request.queue, "q");
	ck_assert_int_eq(step("a")->request.priority, 4);
	ck_assert_ptr_null(step("a")->request.after);
	ck_assert_str_eq(step("b")->request.after, "[\"F.a:complete\"]");
	ck_assert_int_eq(step("b")->line, 3);
	ck_assert_int_eq(step("a")->line, 4);
	check_order();
}
END_TEST

START_TEST(an_array_and_lines_are_the_same_steps)
{
	static const char *const texts[] = {
	    "[{\"id\":\"a\",\"name\":\"x\"},\n"
	    "{\"id\":\"b\",\"name\":\"y\",\"after\":[\"a\"]}]",
	    "{\"id\":\"a\",\"name\":\"x\"}\n"
	    "{\"id\":\"b\",\"name\":\"y\",\"after\":[\"a\"]}\n",
	    "\n\n{\"id\":\"a\",\"name\":\"x\"}\r\n\r\n"
	    "  {\"id\":\"b\",\"name\":\"y\",\"after\":[\"a\"]}"};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_msg(read_file(texts[i]) == 0, "%s", told);
		ck_assert_uint_eq(file.n, 2);
		ck_assert_str_eq(step("b")->request.after, "[\"F.a:success\"]");
		check_order();
	}
}
END_TEST

START_TEST(a_step_without_a_name_has_its_number)
{
	ck_assert_msg(read_file("{\"name\":\"x\"}\n{\"name\":\"x\"}\n"
				"{\"name\":\"y\",\"after\":[\"1\",\"2\"]}\n") ==
			  0,
		      "%s", told);
	ck_assert_str_eq(step("1")->request.id, "F.1");
	ck_assert_str_eq(step("3")->request.after,
			 "[\"F.1:success\",\"F.2:success\"]");
	check_order();
}
END_TEST

START_TEST(references_become_ids_and_are_waited_for)
{
	ck_assert_msg(
	    read_file(
		"[{\"id\":\"a\",\"name\":\"x\"},{\"id\":\"b\",\"name\":\"x\"},"
		"{\"id\":\"c\",\"name\":\"y\",\"after\":[\"b:complete\"],"
		"\"args\":[1.50, {\"$from\" : \"a\",\"path\":\"x.0\"},"
		"\"$from\", {\"k\":\"$all\"}],"
		"\"kwargs\":{\"l\":[{\"$all\":[\"a\", \"b\"]}]}}]") == 0,
	    "%s", told);
	ck_assert_str_eq(step("c")->request.args,
			 "[1.50, {\"$from\":\"F.a\",\"path\":\"x.0\"},"
			 "\"$from\", {\"k\":\"$all\"}]");
	ck_assert_str_eq(step("c")->request.kwargs,
			 "{\"l\":[{\"$all\":[\"F.a\",\"F.b\"]}]}");
	ck_assert_str_eq(step("c")->request.after,
			 "[\"F.b:complete\",\"F.a:success\"]");
	check_order();
}
END_TEST

START_TEST(a_callback_reads_results_and_waits_for_none)
{
	ck_assert_msg(
	    read_file("{\"id\":\"a\",\"name\":\"x\"}\n"
		      "{\"id\":\"t\",\"name\":\"y\",\"on\":\"failure\""
		      ",\"args\":[{\"$from\":\"a\"}]}") == 0,
	    "%s", told);
	ck_assert_str_eq(step("t")->request.on, "failure");
	ck_assert_ptr_null(step("t")->request.after);
	ck_assert_str_eq(step("t")->request.args, "[{\"$from\":\"F.a\"}]");
}
END_TEST

/* What is wrong, and what is told of it. */
static const struct {
	const char *text, *told;
} mistakes[] = {
    {"", "0: the file has no steps\n"},
    {"{\"steps\":[]}", "0: the file has no steps\n"},
    {"[{\"id\":\"a\",\n \"name\":\"x\",}]",
     "2: not JSON: a quoted member name is expected here (byte 24)\n"},
    {"{\"name\":\"x\"}\n{\"name\":\n",
     "2: not JSON: the text ends where a value is expected (byte 8)\n"},
    {"[7]", "1: a step is a JSON object\n"},
    {"{\n\"step\": 1,\n\"steps\": []}",
     "2: unknown member \"step\"; did you mean \"steps\"?\n"},
    {"{\"steps\": [\n{\"id\": \"a\"}]}", "2: \"name\" is missing\n"},
    {"[{\"name\":\"x\",\n\"priority\":\"7\"}]",
     "2: \"priority\" must be a whole number\n"},
    {"[{\"name\":\"x\",\"id\":\"a b\"}]",
     "1: \"id\": not 1 to 99 of the characters A-Z a-z 0-9 _ . -\n"},
    {"{\"id\":\"a\",\"name\":\"x\"}\n{\"name\":\"y\",\"id\":\"a\"}",
     "2: step \"a\": the name is that of line 1, too\n"},
    {"{\"id\":\"fetch\",\"name\":\"x\"}\n"
     "{\"id\":\"b\",\"name\":\"y\",\"after\":[\"fecth\"]}",
     "2: step \"b\": there is no step \"fecth\"; did you mean \"fetch\"?\n"},
    {"[{\"id\":\"a\",\"name\":\"x\"},{\"id\":\"b\",\"name\":\"y\",\n"
     "\"kwargs\":{\"k\":{\"$all\":[\"a\",\"zzzzzz\"]}}}]",
     "2: step \"b\": there is no step \"zzzzzz\"\n"},
    {"{\"id\":\"b\",\"name\":\"y\",\"args\":[{\"$from\":7}]}",
     "1: step \"b\": not a reference to results: \"$from\":7}]...; write "
     "{\"$from\": ID} or {\"$all\": [ID, ...]}, and a \"path\" behind it\n"},
    {"{\"id\":\"b\",\"name\":\"y\",\"args\":[{\"$all\":\"b\"}]}",
     "1: step \"b\": not a reference to results: \"$all\":\"b\"}]...; write "
     "{\"$from\": ID} or {\"$all\": [ID, ...]}, and a \"path\" behind it\n"},
    {"{\"id\":\"a\",\"name\":\"x\"}\n"
     "{\"id\":\"b\",\"name\":\"y\",\"after\":[\"a\",\"a:complete\"]}",
     "2: step \"b\": \"after\" has \"a\" twice\n"},
    {"{\"id\":\"b\",\"name\":\"y\",\"after\":[7]}",
     "1: step \"b\": \"after\" is an array of names\n"},
    {"{\"id\":\"b\",\"name\":\"y\",\"after\":[\"b\"]}",
     "1: step \"b\": waits for itself: \"b\" after \"b\"\n"},
    {"{\"id\":\"start\",\"name\":\"y\",\"after\":[\"c\"]}\n"
     "{\"id\":\"a\",\"name\":\"y\",\"after\":[\"b\"]}\n"
     "{\"id\":\"b\",\"name\":\"y\",\"args\":[{\"$from\":\"c\"}]}\n"
     "{\"id\":\"c\",\"name\":\"y\",\"after\":[\"a\"]}\n",
     "4: step \"c\": waits for itself: \"c\" after \"a\" after \"b\" after "
     "\"c\"\n"},
    {"{\"id\":\"a\",\"name\":\"x\",\"on\":\"done\"}",
     "1: step \"a\": \"on\": \"done\" is not one of success, failure, "
     "complete\n"},
    {"{\"id\":\"a\",\"name\":\"x\"}\n"
     "{\"id\":\"t\",\"name\":\"x\",\"on\":\"success\",\"after\":[\"a\"]}",
     "2: step \"t\": \"on\" and \"after\" do not go together: a step with "
     "\"on\" runs once all others have ended\n"},
    {"{\"id\":\"t\",\"name\":\"x\",\"on\":\"success\"}\n"
     "{\"id\":\"a\",\"name\":\"x\",\"after\":[\"t\"]}",
     "2: step \"a\": step \"t\" runs once the workflow has ended: no other "
     "can wait for it\n"},
    {"{\"id\":\"a\",\"name\":\"x\",\"flow\":\"g\"}",
     "1: \"flow\": the file is the workflow\n"},
    {"{\"id\":\"a\",\"name\":\"x\",\"unique\":\"g\"}",
     "1: \"unique\": a step of a workflow cannot have a key\n"},
};

START_TEST(a_mistake_is_told_with_its_line)
{
	ck_assert_int_eq(read_file(mistakes[_i].text), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_str_eq(told, mistakes[_i].told);
}
END_TEST

START_TEST(all_mistakes_are_told)
{
	ck_assert_int_eq(read_file("{\"id\":\"a\"}\n7\n"
				   "{\"id\":\"b\",\"nmae\":\"x\"}\n"),
			 -1);
	ck_assert_str_eq(
	    told, "1: \"name\" is missing\n"
		  "2: the text is a number, must be an object\n"
		  "3: unknown task field \"nmae\"; did you mean \"name\"?\n");
}
END_TEST

/* A row that is as long as can be, written backwards. */
START_TEST(ten_thousand_steps_are_put_in_order)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = FLOW_FILE_MAX; i-- > 1;)
		buf_addf(&text,
			 "{\"id\":\"s%zu\",\"name\":\"x\",\"after\":[\"s%zu\"]"
			 "}\n",
			 i, i - 1);
	buf_adds(&text, "{\"id\":\"s0\",\"name\":\"x\"}\n");
	ck_assert_msg(read_file(text.data) == 0, "%s", told);
	ck_assert_uint_eq(file.n, FLOW_FILE_MAX);
	ck_assert_str_eq(file.steps[file.order[0]].name, "s0");
	check_order();
	buf_adds(&text, "{\"name\":\"x\"}\n{\"name\":\"x\"}\n");
	ck_assert_int_eq(read_file(text.data), -1);
	ck_assert_str_eq(told,
			 "10001: more than 10000 steps; begin a workflow and "
			 "add them with submit --stdin --flow\n");
	buf_done(&text);
}
END_TEST

/* Quotes, escapes and names that look like what they are not. */
START_TEST(names_are_found_through_escapes)
{
	ck_assert_msg(
	    read_file("[{\"id\":\"a\",\"name\":\"x\"},{\"id\":\"b\",\"name\":"
		      "\"y\",\"args\":[\"\\\"$from\\\":\",\"\\\\\","
		      "{\"$from\":\"\\u0061\"}]}]") == 0,
	    "%s", told);
	ck_assert_str_eq(step("b")->request.args,
			 "[\"\\\"$from\\\":\",\"\\\\\",{\"$from\":\"F.a\"}]");
}
END_TEST

SUITE("flow_file")
{
	TEST(an_object_with_steps_is_read);
	TEST(an_array_and_lines_are_the_same_steps);
	TEST(a_step_without_a_name_has_its_number);
	TEST(references_become_ids_and_are_waited_for);
	TEST(a_callback_reads_results_and_waits_for_none);
	TEST_LOOP(a_mistake_is_told_with_its_line, 0,
		  (int)(sizeof(mistakes) / sizeof(mistakes[0])));
	TEST(all_mistakes_are_told);
	TEST(ten_thousand_steps_are_put_in_order);
	TEST(names_are_found_through_escapes);
}
