/* SPDX-License-Identifier: MIT */
/* Tests of the growable run of bytes. */
#include "util/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

START_TEST(what_is_appended_stands_in_order)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "one");
	buf_addc(&b, ' ');
	buf_addf(&b, "%d%s", 2, "!");
	buf_add(&b, "\0x", 2);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_mem_eq(b.data, "one 2!\0x", 9);
	buf_done(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(growing_keeps_the_content_and_its_nul)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < 100000; i++) {
		buf_addc(&b, (char)('a' + i % 26));
		ck_assert_int_eq(b.data[b.len], '\0');
	}
	for (i = 0; i < 100000; i++)
		ck_assert_int_eq(b.data[i], (char)('a' + i % 26));
	ck_assert(!b.failed);
	buf_done(&b);
}
END_TEST

START_TEST(a_failed_buffer_keeps_what_it_had_until_reset)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "kept");
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -1);
	ck_assert(b.failed);
	buf_adds(&b, "ignored");
	ck_assert_str_eq(b.data, "kept");
	ck_assert_uint_eq(b.len, 4);
	buf_reset(&b);
	buf_adds(&b, "again");
	ck_assert(!b.failed);
	ck_assert_str_eq(b.data, "again");
	buf_done(&b);
}
END_TEST

START_TEST(draining_removes_from_the_front)
{
	struct buf b = BUF_INIT;

	buf_drain(&b, 3);
	buf_adds(&b, "abcdef");
	buf_drain(&b, 0);
	ck_assert_str_eq(b.data, "abcdef");
	buf_drain(&b, 2);
	ck_assert_str_eq(b.data, "cdef");
	buf_drain(&b, 5);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_str_eq(b.data, "");
	buf_done(&b);
}
END_TEST

START_TEST(taken_bytes_belong_to_the_taker)
{
	struct buf b = BUF_INIT;
	char *p;

	ck_assert_ptr_null(buf_take(&b));
	buf_adds(&b, "mine");
	p = buf_take(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.cap, 0);
	buf_adds(&b, "other");
	ck_assert_str_eq(p, "mine");
	free(p);
	buf_done(&b);
}
END_TEST

START_TEST(slices_are_equal_by_content)
{
	const char *text = "abab";

	ck_assert(
	    slice_eq((struct slice){text, 2}, (struct slice){text + 2, 2}));
	ck_assert(!slice_eq(slice_of("ab"), slice_of("aB")));
	ck_assert(!slice_eq(slice_of("ab"), slice_of("abc")));
	ck_assert(slice_eq((struct slice){NULL, 0}, slice_of("")));
	ck_assert(slice_eq(SLICE("a\0b"), (struct slice){"a\0b", 3}));
	ck_assert_int_eq(slice_cmp(SLICE("ab"), SLICE("ab")), 0);
	ck_assert_int_eq(slice_cmp((struct slice){NULL, 0}, SLICE("")), 0);
	ck_assert_int_lt(slice_cmp(SLICE(""), SLICE("a")), 0);
	ck_assert_int_lt(slice_cmp(SLICE("ab"), SLICE("abc")), 0);
	ck_assert_int_gt(slice_cmp(SLICE("b"), SLICE("abc")), 0);
	ck_assert_int_gt(slice_cmp(SLICE("\xff"), SLICE("a")), 0);
}
END_TEST

SUITE("buf")
{
	TEST(what_is_appended_stands_in_order);
	TEST(growing_keeps_the_content_and_its_nul);
	TEST(a_failed_buffer_keeps_what_it_had_until_reset);
	TEST(draining_removes_from_the_front);
	TEST(taken_bytes_belong_to_the_taker);
	TEST(slices_are_equal_by_content);
}
