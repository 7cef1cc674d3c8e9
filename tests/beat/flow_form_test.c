/* SPDX-License-Identifier: MIT */
/* What a fire carries of the workflow of its schedule. */
#include "beat/flow_form.h"

#include <stdio.h>
#include <string.h>

#include "schedules/schedules.h"
#include "suite.h"
#include "util/conf.h"
#include "util/err.h"

#define NOW_US INT64_C(1772323200000000) /* 2026-03-01T00:00:00Z */
#define DAY_US INT64_C(86400000000)

static struct buf text;
static struct err err;

/* -1 with err. */
static int
encode(const char *workflow, int64_t ttl_us)
{
	const struct conf conf = {
	    .executor = {.max_retries = 3, .retry_delay = 1000000},
	    .backend = {.ttl = ttl_us}};
	const struct schedule s = {
	    .task = "nightly", .workflow = workflow, .traceparent = ""};
	const struct flow_fire fire = {
	    .schedule = &s, .id = "n-1", .conf = &conf, .now_us = NOW_US};
	struct flow_form form = {.n = 0};
	size_t i;
	int r;

	err = (struct err)ERR_INIT;
	buf_reset(&text);
	r = flow_form_read(&form, workflow, &err);
	for (i = 0; i < form.n; i++)
		registered_decode(SLICE("{\"queue\":\"cpu\",\"cpu_bound\":true,"
					"\"max_retries\":5}"),
				  &form.steps[i].defaults, NULL);
	if (r == 0)
		r = flow_form_encode(&form, &fire, &text, &err);
	buf_addc(&text, '\0');
	flow_form_done(&form);
	return r;
}

/* It is too long for a message of check's. */
static bool
said(const char *wanted)
{
	if (strcmp(text.data, wanted) == 0)
		return true;
	printf("%s\nis not\n%s\n", text.data, wanted);
	return false;
}

#define MADE "2026-03-01T00:00:00.000000+00:00"

static const char whole[] =
    "{\"label\":\"a \\\"b\\\"\",\"on_failure\":\"cancel\","
    "\"life\":604800,\"steps\":["
    "{\"task\":{\"id\":\"n-1.a\",\"name\":\"add\",\"args\":[1],"
    "\"kwargs\":{},\"max_retries\":5,\"retry_delay\":1.0,"
    "\"current_retry\":0,\"priority\":0,\"cpu_bound\":true,"
    "\"queue\":\"cpu\",\"submitted_at\":\"" MADE "\",\"flow\":\"n-1\"}},"
    "{\"after\":[\"n-1.a:complete\"],\"delay_ms\":1500,"
    "\"task\":{\"id\":\"n-1.b\",\"name\":\"sum\",\"group\":\"g\","
    "\"args\":[{\"$from\":\"n-1.a\"}],"
    "\"kwargs\":{\"all\":{\"$all\":[\"n-1.a\"],\"path\":\"x\"}},"
    "\"max_retries\":1,\"retry_delay\":2.0,\"current_retry\":0,"
    "\"priority\":-2,\"cpu_bound\":false,\"queue\":\"io\","
    "\"submitted_at\":\"" MADE "\",\"expires_at\":"
    "\"2026-03-01T00:01:30.000000+00:00\",\"timeout\":9.0,"
    "\"retry_backoff\":1.5,\"flow\":\"n-1\","
    "\"due_ms\":1772323201500}},"
    "{\"on\":\"failure\",\"task\":{\"id\":\"n-1.c\",\"name\":\"add\","
    "\"args\":[],\"kwargs\":{},\"max_retries\":5,\"retry_delay\":1.0,"
    "\"current_retry\":0,\"priority\":0,\"cpu_bound\":true,"
    "\"queue\":\"cpu\",\"submitted_at\":\"" MADE
    "\",\"flow\":\"n-1\",\"on\":\"failure\"}}]}";

START_TEST(names_become_ids_and_what_is_left_open_is_filled_in)
{
	ck_assert_msg(
	    encode("{\"label\":\"a \\\"b\\\"\",\"on_failure\":\"cancel\","
		   "\"life\":604800,\"steps\":[{\"name\":\"add\",\"args\":[1],"
		   "\"kwargs\":{},\"id\":\"a\"},{\"name\":\"sum\","
		   "\"args\":[{\"$from\":\"a\"}],\"kwargs\":"
		   "{\"all\":{\"$all\":[\"a\"],\"path\":\"x\"}},\"id\":\"b\","
		   "\"queue\":\"io\",\"group\":\"g\",\"priority\":-2,"
		   "\"max_retries\":1,\"delay\":1.5,\"timeout\":9,"
		   "\"retry_delay\":2,\"retry_backoff\":1.5,"
		   "\"cpu_bound\":false,\"after\":[\"a:complete\"],"
		   "\"expires_at\":\"90s\"},"
		   "{\"name\":\"add\",\"id\":\"c\",\"on\":\"failure\"}]}",
		   DAY_US) == 0,
	    "%s", err.msg);
	ck_assert(said(whole));
	buf_done(&text);
}
END_TEST

/* A fire may be sent again for three days, and must find it. */
START_TEST(it_is_kept_for_longer_than_a_fire_is_sent_again)
{
	static const struct {
		int64_t ttl_us;
		const char *said, *life;
	} cases[] = {
	    {DAY_US, "", "\"life\":259200,"},
	    {DAY_US, "\"life\":60,", "\"life\":259200,"},
	    {10 * DAY_US, "", "\"life\":864000,"},
	    {DAY_US, "\"life\":864000,", "\"life\":864000,"},
	    {0, "", "\"life\":316224000,"},
	};
	char workflow[200];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(workflow, sizeof(workflow),
			 "{%s\"steps\":[{\"name\":\"add\",\"id\":\"a\"}]}",
			 cases[i].said);
		ck_assert_int_eq(encode(workflow, cases[i].ttl_us), 0);
		ck_assert_msg(strstr(text.data, cases[i].life) != NULL, "%s",
			      text.data);
		/* The schedule's name is its label. */
		ck_assert_ptr_nonnull(
		    strstr(text.data, "{\"label\":\"nightly\","));
	}
	buf_done(&text);
}
END_TEST

static const char *const wrong[] = {
    "",
    "[]",
    "{}",
    "{\"steps\":{}}",
    "{\"steps\":[1]}",
    "{\"steps\":[{\"id\":\"a\"}]}",
    "{\"steps\":[{\"name\":\"add\"}]}",
    "{\"steps\":[{\"id\":\"a\",\"name\":\"a b\"}]}",
    "{\"steps\":[{\"id\":\"a\",\"name\":\"add\",\"max_retries\":-1}]}",
    "{\"steps\":[{\"id\":\"a\",\"name\":\"add\",\"after\":[1]}]}",
    "{\"steps\":[{\"id\":\"a\",\"name\":\"add\",\"expires_at\":\"soon\"}]}",
    "{\"steps\":[{\"id\":\"a\",\"name\":\"add\",\"args\":[{\"$from\":1}]}]}",
};

START_TEST(what_makes_no_sense_is_an_error)
{
	ck_assert_int_eq(encode(wrong[_i], DAY_US), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	buf_done(&text);
}
END_TEST

SUITE("beat-flow-form")
{
	TEST(names_become_ids_and_what_is_left_open_is_filled_in);
	TEST(it_is_kept_for_longer_than_a_fire_is_sent_again);
	TEST_LOOP(what_makes_no_sense_is_an_error, 0,
		  (int)(sizeof(wrong) / sizeof(wrong[0])));
}
