/* SPDX-License-Identifier: MIT */
/* The tree that the steps of a workflow make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/flows.h"
#include "manager/member.h"
#include "suite.h"
#include "util/buf.h"

/* "a; b<a; c<a:failure,b": steps, and what each comes after. */
static json_t *
steps_of(const char *text)
{
	char copy[256], *rest, *word, *after, *one;
	json_t *steps = json_array(), *step;

	snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, "; ", &rest); word != NULL;
	     word = strtok_r(NULL, "; ", &rest)) {
		after = strchr(word, '<');
		if (after != NULL)
			*after++ = '\0';
		step = json_pack("{s:s, s:s, s:[]}", "task_id", word, "step",
				 word, "after");
		while ((one = strsep(&after, ",")) != NULL)
			json_array_append_new(json_object_get(step, "after"),
					      json_string(one));
		json_array_append_new(steps, step);
	}
	return steps;
}

/* "0a 1b >1c 1c*": depth and name of each row, with marks where it goes on with the
 * chain above it, and where it refers. */
static void
ck_tree(const char *text, size_t max, const char *expected, size_t left_out,
	bool is_cut)
{
	json_t *steps = steps_of(text), *rows, *row;
	struct buf seen = BUF_INIT;
	size_t i, n = (size_t)-1;
	bool cut = true;

	rows = flows_tree(steps, max, &cut, &n);
	ck_assert_ptr_nonnull(rows);
	json_array_foreach (rows, i, row)
		buf_addf(
		    &seen, "%s%s%lld%s%s", i > 0 ? " " : "",
		    json_is_true(json_object_get(row, "chained")) ? ">" : "",
		    (long long)json_integer_value(
			json_object_get(row, "depth")),
		    member_text(row, "step"),
		    json_is_true(json_object_get(row, "again")) ? "*" : "");
	buf_addc(&seen, '\0');
	ck_assert_str_eq(seen.data, expected);
	ck_assert_uint_eq(n, left_out);
	ck_assert_int_eq(cut, is_cut);
	buf_done(&seen);
	json_decref(rows);
	json_decref(steps);
}

START_TEST(a_step_stands_below_the_one_that_it_comes_after)
{
	ck_tree("a; b<a; c<b; d<a; e", 100, "0a 1b >1c 1d 0e", 0, false);
	ck_tree("", 100, "", 0, false);
}
END_TEST

START_TEST(a_chain_goes_no_deeper)
{
	ck_tree("a; b<a; c<b; d", 100, "0a >0b >0c 0d", 0, false);
	ck_tree("a; b<a; c<b; d<c; e<c; f<e", 100, "0a >0b >0c 1d 1e >1f", 0,
		false);
	/* What comes after another one, too, is no link of a chain. */
	ck_tree("a; b<a; x; c<b,x", 100, "0a >0b 1c 0x 1c*", 0, false);
}
END_TEST

/* And is not told again with all that comes after it. */
START_TEST(of_several_the_first_has_it_and_the_others_refer_to_it)
{
	ck_tree("a; b<a; c<a; d<b,c; e<d", 100, "0a 1b 2d >2e 1c 2d*", 0,
		false);
	/* The first is the one that is drawn first, whatever the step says. */
	ck_tree("a; b; c<b,a", 100, "0a 1c 0b 1c*", 0, false);
}
END_TEST

START_TEST(of_success_and_failure_of_one_it_is_told_once)
{
	ck_tree("a; b<a:success,a:failure; c<b:complete", 100, "0a >0b >0c", 0,
		false);
}
END_TEST

START_TEST(after_what_is_not_there_it_begins_a_tree)
{
	ck_tree("b<gone; c<gone,b", 100, "0b >0c", 0, false);
}
END_TEST

START_TEST(no_more_rows_than_asked_for_and_the_rest_is_counted)
{
	ck_tree("a; b<a; c<a; d<b,c; e<d", 3, "0a 1b 2d", 2, true);
	ck_tree("a; b", 0, "", 2, true);
	/* References are rows, too, but leave no step out. */
	ck_tree("a; b; c<a,b", 3, "0a 1c 0b", 0, true);
	ck_tree("a; b; c<a,b; d", 4, "0a 1c 0b 1c*", 1, true);
}
END_TEST

/* Each comes after the 20 before it: deeper than a stack of calls should be. */
START_TEST(many_steps_are_told_in_bounded_memory_and_depth)
{
	json_t *steps = json_array(), *rows, *step;
	char id[16], before[16];
	size_t left = 0;
	bool cut;
	int i, k;

	for (i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		step = json_pack("{s:s, s:s, s:[]}", "task_id", id, "step", id,
				 "after");
		for (k = i - 1; k >= 0 && k >= i - 20; k--) {
			snprintf(before, sizeof(before), "s%d", k);
			json_array_append_new(json_object_get(step, "after"),
					      json_string(before));
		}
		json_array_append_new(steps, step);
	}
	rows = flows_tree(steps, 1000, &cut, &left);
	ck_assert_uint_eq(json_array_size(rows), 1000);
	ck_assert_uint_eq(left, 9000);
	ck_assert(cut);
	json_decref(rows);
	rows = flows_tree(steps, 1000000, &cut, &left);
	ck_assert_uint_eq(left, 0);
	ck_assert(!cut);
	/* Each edge has a row, and the step that comes after nothing. */
	ck_assert_uint_eq(json_array_size(rows), 1 + 10000 * 20 - 210);
	json_decref(rows);
	json_decref(steps);
}
END_TEST

SUITE("manager-flows_tree")
{
	TEST(a_step_stands_below_the_one_that_it_comes_after);
	TEST(a_chain_goes_no_deeper);
	TEST(of_several_the_first_has_it_and_the_others_refer_to_it);
	TEST(of_success_and_failure_of_one_it_is_told_once);
	TEST(after_what_is_not_there_it_begins_a_tree);
	TEST(no_more_rows_than_asked_for_and_the_rest_is_counted);
	TEST(many_steps_are_told_in_bounded_memory_and_depth);
}
