/* SPDX-License-Identifier: MIT */
/* Trace Context: the examples of the Recommendation, and of the W3C's suite of
 * tests for it. */
#include <stdlib.h>
#include <string.h>

#include "core/trace_context.h"
#include "suite.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const struct {
	const char *text;
	bool valid, sampled;
} parents[] = {
    {"00-" TRACE "-" SPAN "-01", true, true},
    {"00-" TRACE "-" SPAN "-00", true, false},
    /* Other flags are none of version 00, and are passed over. */
    {"00-" TRACE "-" SPAN "-03", true, true},
    {"00-" TRACE "-" SPAN "-fe", true, false},
    /* Later versions, also with more behind a hyphen. */
    {"cc-" TRACE "-" SPAN "-01", true, true},
    {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", true, true},
    {"cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", false, false},
    {"00-" TRACE "-" SPAN "-01-what-the-future-will-be-like", false, false},
    {"00-" TRACE "-" SPAN "-01-", false, false},
    {"ff-" TRACE "-" SPAN "-01", false, false},
    {"00-00000000000000000000000000000000-" SPAN "-01", false, false},
    {"00-" TRACE "-0000000000000000-01", false, false},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false},
    {"00-" TRACE "-00F067AA0BA902B7-01", false, false},
    {"00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01", false, false},
    {"00-" TRACE "-.0f067aa0ba902b7-01", false, false},
    {"00-" TRACE "-" SPAN "-.0", false, false},
    {"00-" TRACE "-" SPAN "-0.", false, false},
    {"00-" TRACE "-" SPAN "-1", false, false},
    {"00-" TRACE "-" SPAN "-001", false, false},
    {".0-" TRACE "-" SPAN "-01", false, false},
    {"000-" TRACE "-" SPAN "-01", false, false},
    {"0-" TRACE "-" SPAN "-01", false, false},
    {"00-" TRACE "-" SPAN, false, false},
    {"00-" TRACE "_" SPAN "-01", false, false},
    {" 00-" TRACE "-" SPAN "-01", false, false},
    {"00-" TRACE "-" SPAN "-01 ", false, false},
    {"", false, false},
};

START_TEST(a_traceparent_is_read_as_the_recommendation_says)
{
	struct trace_context c = {.sampled = false};
	char text[TRACEPARENT_SIZE];

	ck_assert_msg(trace_context_read(slice_of(parents[_i].text), &c) ==
			  parents[_i].valid,
		      "%s", parents[_i].text);
	if (!parents[_i].valid)
		return;
	ck_assert(c.sampled == parents[_i].sampled);
	trace_context_write(&c, text);
	ck_assert_str_eq(text, c.sampled ? "00-" TRACE "-" SPAN "-01"
					 : "00-" TRACE "-" SPAN "-00");
}
END_TEST

#define K256                                                                   \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"     \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"     \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"     \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define M8 "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,"

static const struct {
	const char *text;
	bool valid;
} states[] = {
    {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true},
    {"foo=1", true},
    {"foo=1 \t , \t bar=2, \t baz=3", true},
    {"foo=1,,,bar=2", true},
    {"foo-_*/bar=bar4", true},
    {"t61rcwkgmze@vendor=1", true},
    {"0foo=1", true},
    {"foo= 1", true},
    {K256 "=1", true},
    {"foo=" K256, true},
    {M8 M8 M8 "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8", true},
    {M8 M8 M8 M8 "i=9", false},
    {K256 "k=1", false},
    {"foo=" K256 "k", false},
    {K256 "=" K256, false}, /* 513 bytes */
    {"foo", false},
    {"foo=", false},
    {"=1", false},
    {"foo =1", false},
    {"FOO=1", false},
    {"foo.bar=1", false},
    {"foo@=1,bar=2", false},
    {"@foo=1", false},
    {"foo@@bar=1", false},
    {"foo@bar@baz=1", false},
    {"foo=bar=baz", false},
    {"foo=\x7f", false},
    {"foo=\xc3\xa4", false},
    {",", false},
    {"", false},
};

START_TEST(a_tracestate_is_checked_as_the_recommendation_says)
{
	ck_assert_msg(tracestate_valid(slice_of(states[_i].text)) ==
			  states[_i].valid,
		      "%s", states[_i].text);
}
END_TEST

START_TEST(ids_are_digits_and_differ)
{
	struct trace_context a, b, c;
	char text[TRACEPARENT_SIZE];

	a.sampled = b.sampled = true;
	trace_make_trace_id(a.trace_id);
	trace_make_trace_id(b.trace_id);
	trace_make_span_id(a.span_id);
	trace_make_span_id(b.span_id);
	ck_assert(memcmp(a.trace_id, b.trace_id, TRACE_ID_LEN) != 0);
	ck_assert(memcmp(a.span_id, b.span_id, SPAN_ID_LEN) != 0);
	trace_context_write(&a, text);
	ck_assert(trace_context_read(slice_of(text), &c));
}
END_TEST

SUITE("trace-context")
{
	TEST_LOOP(a_traceparent_is_read_as_the_recommendation_says, 0,
		  sizeof(parents) / sizeof(parents[0]));
	TEST_LOOP(a_tracestate_is_checked_as_the_recommendation_says, 0,
		  sizeof(states) / sizeof(states[0]));
	TEST(ids_are_digits_and_differ);
}
