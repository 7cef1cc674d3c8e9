/* SPDX-License-Identifier: MIT */
/* Workflows of schedules: what is stored of a file, and what is refused. */
#include "manager/schedule_flow.h"

#include <stdio.h>
#include <string.h>

#include "manager/schedule.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/err.h"

static struct buf stored;
static struct err err;
static int lines[8];
static size_t n_told;

static void
tell(void *arg, int line, const char *text)
{
	if (n_told < 8)
		lines[n_told] = line;
	n_told++;
}

static int
write_flow(const char *text)
{
	int r;

	n_told = 0;
	err = (struct err)ERR_INIT;
	buf_reset(&stored);
	r = schedule_flow_write(text, tell, NULL, &stored, &err);
	buf_addc(&stored, '\0');
	return r;
}

static void
ck_stored(const char *text, const char *wanted)
{
	ck_assert_msg(write_flow(text) == 0, "%s", err.msg);
	ck_assert_str_eq(stored.data, wanted);
}

#define FETCH "{\"name\":\"get\",\"args\":[],\"kwargs\":{},\"id\":\"fetch\"}"

START_TEST(each_form_of_a_file_is_stored_in_one)
{
	char again[1000];

	ck_stored("{\"name\":\"get\",\"id\":\"fetch\"}\n",
		  "{\"steps\":[" FETCH "]}");
	ck_stored("[{\"name\":\"get\",\"id\":\"fetch\"}]",
		  "{\"steps\":[" FETCH "]}");
	/* Steps without names get their numbers, and each stands behind those
	 * that it comes after. */
	ck_stored(
	    "{\"label\":\"a \\\"b\\\"\",\"on_failure\":\"cancel\",\"life\":"
	    "\"2d\",\"steps\":[\n"
	    " {\"name\":\"sum\",\"args\":[{\"$all\":[\"fetch\",\"3\"],"
	    "\"path\":\"x\"}],\"after\":[\"fetch:complete\"],"
	    "\"expires_at\":\"1h30m\",\"delay\":\"1.5s\",\"queue\":\"q\","
	    "\"group\":\"g\",\"max_retries\":2},\n"
	    " {\"name\":\"get\",\"id\":\"fetch\"},{\"name\":\"add\"},\n"
	    " {\"name\":\"tell\",\"on\":\"failure\"}]}",
	    "{\"label\":\"a \\\"b\\\"\",\"on_failure\":\"cancel\",\"life\":"
	    "172800,\"steps\":[" FETCH
	    ",{\"name\":\"add\",\"args\":[],\"kwargs\":{},\"id\":\"3\"},"
	    "{\"name\":\"tell\",\"args\":[],\"kwargs\":{},\"id\":\"4\","
	    "\"on\":\"failure\"},"
	    "{\"name\":\"sum\",\"args\":[{\"$all\":[\"fetch\",\"3\"],"
	    "\"path\":\"x\"}],\"kwargs\":{},\"id\":\"1\",\"queue\":\"q\","
	    "\"group\":\"g\",\"max_retries\":2,\"delay\":1.5,"
	    "\"after\":[\"fetch:complete\",\"3:success\"],"
	    "\"expires_at\":\"5400s\"}]}");
	/* What is stored is stored the same way again. */
	snprintf(again, sizeof(again), "%s", stored.data);
	ck_stored(again, again);
	buf_done(&stored);
}
END_TEST

static const struct {
	const char *text, *words;
	int line;
} mistakes[] = {
    {"", "workflow: the file has no steps", 0},
    {"{\"steps\":[]}", "workflow: the file has no steps", 0},
    {"[1]", "workflow, line 1: a step is a JSON object", 1},
    {"[{\"name\":\"add\",\n\"after\":[\"x\"]}]",
     "workflow, line 2: step \"1\": there is no step \"x\"", 2},
    {"[{\"name\":\"a\",\"id\":\"a\",\"after\":[\"b\"]},\n"
     "{\"name\":\"a\",\"id\":\"b\",\"after\":[\"a\"]}]",
     "waits for itself", 1},
    {"[{\"name\":\"add\",\n\"at\":\"2090-01-01T00:00:00Z\"}]",
     "workflow, line 2: step \"1\": \"at\" would be the same "
     "time",
     2},
    {"[{\"name\":\"add\",\n\"expires_at\":\"2090-01-01T00:00:00Z\"}]",
     "workflow, line 2: step \"1\": \"expires_at\": a schedule needs a "
     "duration",
     2},
    {"[{\"name\":\"add\",\"traceparent\":"
     "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}]",
     "each fire begins a new trace", 1},
    {"[{\"name\":\"a b\"}]", "step \"1\": \"a b\" is not a valid task name", 1},
    {"[{\"name\":\"exec.run\"}]", "exec.run", 1},
    {"[{\"name\":\"add\",\"queue\":\"a/b\"}]",
     "\"a/b\" is not a valid queue name", 1},
    {"[{\"name\":\"add\",\"group\":\"\"}]", "the group \"\" is not valid", 1},
    {"[{\"name\":\"add\",\"args\":[1e400]}]", "1e400 is beyond the range", 1},
    {"[{\"name\":\"add\",\"unique\":\"k\"}]", "cannot have a key", 1},
    {"{\"on_failure\":\"stop\",\"steps\":[{\"name\":\"add\"}]}",
     "on_failure \"stop\" is not one of continue, cancel", 0},
    {"{\"label\":\"a\\u0001\",\"steps\":[{\"name\":\"add\"}]}",
     "\"label\": ", 0},
};

START_TEST(a_mistake_is_told_with_line_and_step)
{
	ck_assert_int_eq(write_flow(mistakes[_i].text), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, mistakes[_i].words) != NULL, "%s",
		      err.msg);
	ck_assert_uint_ge(n_told, 1);
	ck_assert_int_eq(lines[0], mistakes[_i].line);
	buf_done(&stored);
}
END_TEST

START_TEST(all_mistakes_are_told_and_the_first_is_the_error)
{
	ck_assert_int_eq(
	    write_flow("[{\"name\":\"a\",\"queue\":\"/\"},\n"
		       "{\"name\":\"b\",\"at\":\"2090-01-01T00:00:00Z\"},\n"
		       "{\"name\":\"c\"},\n{\"name\":\"/\"}]"),
	    -1);
	ck_assert_uint_eq(n_told, 3);
	ck_assert_int_eq(lines[0], 1);
	ck_assert_int_eq(lines[1], 2);
	ck_assert_int_eq(lines[2], 4);
	ck_assert_ptr_nonnull(strstr(err.msg, "workflow, line 1: "));
	buf_done(&stored);
}
END_TEST

START_TEST(one_that_is_too_large_is_refused)
{
	struct buf text = BUF_INIT;
	size_t i;

	buf_adds(&text, "[{\"name\":\"add\",\"args\":[\"");
	for (i = 0; i < SCHEDULE_ARGS_MAX; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, "\"]}]");
	buf_addc(&text, '\0');
	ck_assert_int_eq(write_flow(text.data), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "more than 1048576"));
	buf_done(&text);
	buf_done(&stored);
}
END_TEST

START_TEST(what_is_of_a_task_stands_in_the_steps)
{
	struct schedule_form form;

	schedule_form_init(&form);
	ck_assert_ptr_null(schedule_flow_stray(&form));
	form.args = "[]";
	form.kwargs = "{}";
	ck_assert_ptr_null(schedule_flow_stray(&form));
	form.timeout_s = 3;
	ck_assert_str_eq(schedule_flow_stray(&form), "timeout");
	form.group = "g";
	ck_assert_str_eq(schedule_flow_stray(&form), "group");
	form.args = "[1]";
	ck_assert_str_eq(schedule_flow_stray(&form), "args");
	ck_assert(schedule_flow_is_none(NULL));
	ck_assert(schedule_flow_is_none(""));
	ck_assert(schedule_flow_is_none(" { } "));
	ck_assert(!schedule_flow_is_none("{\"steps\":[]}"));
	ck_assert(!schedule_flow_is_none("x"));
}
END_TEST

/* --- IDs ------------------------------------------------------------------ */

START_TEST(the_workflow_of_a_fire_has_its_own_id)
{
	static const struct {
		const char *id;
		int64_t us;
		const char *flow;
	} cases[] = {
	    {"nightly", INT64_C(1795402800000000), "nightly-20261123T030000Z"},
	    {"nightly", INT64_C(1795402800250000),
	     "nightly-20261123T030000.250000Z"},
	    {"a b", INT64_C(1795402800000000), NULL},
	    {"report/daily", INT64_C(1795402800000000), NULL},
	    {"an-id-that-is-longer-than-what-a-workflow-has-room-for", 0, NULL},
	};
	char text[SCHEDULE_TASK_ID_SIZE], other[SCHEDULE_TASK_ID_SIZE];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		schedule_fire_id(cases[i].id, SCHEDULE_WORKFLOW, cases[i].us,
				 text);
		if (cases[i].flow != NULL)
			ck_assert_str_eq(text, cases[i].flow);
		else
			ck_assert_uint_eq(strlen(text), 36);
		ck_assert_int_eq(schedule_work_of_id(text), SCHEDULE_WORKFLOW);
		schedule_fire_id(cases[i].id, SCHEDULE_WORKFLOW,
				 cases[i].us + 1, other);
		ck_assert_str_ne(text, other);
		schedule_fire_id(cases[i].id, SCHEDULE_TASK, cases[i].us, text);
		ck_assert_int_eq(schedule_work_of_id(text), SCHEDULE_TASK);
	}
}
END_TEST

SUITE("manager-schedule-flow")
{
	TEST(each_form_of_a_file_is_stored_in_one);
	TEST_LOOP(a_mistake_is_told_with_line_and_step, 0,
		  (int)(sizeof(mistakes) / sizeof(mistakes[0])));
	TEST(all_mistakes_are_told_and_the_first_is_the_error);
	TEST(one_that_is_too_large_is_refused);
	TEST(what_is_of_a_task_stands_in_the_steps);
	TEST(the_workflow_of_a_fire_has_its_own_id);
}
