/* SPDX-License-Identifier: MIT */
/* The parser of replies, byte by byte and with hostile input. */
#include "redis/reader.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

static const char everything[] =
    "*7\r\n+OK\r\n:-42\r\n$-1\r\n$5\r\na\0b\r\n\r\n"
    "*-1\r\n-ERR x\r\n*2\r\n*0\r\n$0\r\n\r\n";

static void
check_everything(const struct redis_reply *reply)
{
	const struct redis_reply *inner;
	struct slice s;

	ck_assert_int_eq(redis_reply_type(reply), REDIS_ARRAY);
	ck_assert_uint_eq(redis_reply_count(reply), 7);
	s = redis_reply_string(redis_reply_at(reply, 0));
	ck_assert(slice_eq(s, SLICE("OK")));
	ck_assert_int_eq(redis_reply_integer(redis_reply_at(reply, 1)), -42);
	ck_assert_int_eq(redis_reply_type(redis_reply_at(reply, 2)), REDIS_NIL);
	s = redis_reply_string(redis_reply_at(reply, 3));
	ck_assert(slice_eq(s, SLICE("a\0b\r\n")));
	ck_assert_int_eq(redis_reply_type(redis_reply_at(reply, 4)), REDIS_NIL);
	ck_assert_int_eq(redis_reply_type(redis_reply_at(reply, 5)),
			 REDIS_ERROR);
	inner = redis_reply_at(reply, 6);
	ck_assert_uint_eq(redis_reply_count(inner), 2);
	ck_assert_uint_eq(redis_reply_count(redis_reply_at(inner, 0)), 0);
	ck_assert_ptr_null(redis_reply_at(reply, 7));
	ck_assert_ptr_null(redis_reply_at(redis_reply_at(reply, 0), 0));
}

static struct redis_reader *
reader_made(size_t max_reply)
{
	ck_assert_int_eq(redis_reader_load(NULL), 0);
	return redis_reader_new(max_reply);
}

START_TEST(a_reply_may_come_in_any_two_pieces)
{
	struct redis_reader *reader = reader_made(1 << 20);
	const struct redis_reply *reply;
	size_t len = sizeof(everything) - 1, i;
	struct err err;

	for (i = 1; i < len; i++) {
		ck_assert_int_eq(redis_reader_feed(reader, everything, i, &err),
				 0);
		ck_assert_int_eq(redis_reader_next(reader, &reply, &err), 0);
		redis_reader_feed(reader, everything + i, len - i, &err);
		ck_assert_int_eq(redis_reader_next(reader, &reply, &err), 1);
		check_everything(reply);
		ck_assert_int_eq(redis_reader_next(reader, &reply, &err), 0);
	}
	redis_reader_free(reader);
}
END_TEST

START_TEST(an_array_keeps_its_members_while_it_grows)
{
	const int counts[] = {1, 63, 64, 65, 128, 129, 1000, 100000};
	struct redis_reader *reader = reader_made(1 << 24);
	const struct redis_reply *reply;
	char line[32];
	struct err err;
	size_t k;
	int i;

	for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		snprintf(line, sizeof(line), "*%d\r\n", counts[k]);
		redis_reader_feed(reader, line, strlen(line), &err);
		for (i = 0; i < counts[k]; i++) {
			ck_assert_int_eq(
			    redis_reader_next(reader, &reply, &err), 0);
			snprintf(line, sizeof(line), "*2\r\n:%d\r\n$1\r\nx\r\n",
				 i);
			redis_reader_feed(reader, line, strlen(line), &err);
		}
		ck_assert_int_eq(redis_reader_next(reader, &reply, &err), 1);
		ck_assert_uint_eq(redis_reply_count(reply), counts[k]);
		for (i = 0; i < counts[k]; i++)
			ck_assert_int_eq(
			    redis_reply_integer(redis_reply_at(
				redis_reply_at(reply, (size_t)i), 0)),
			    i);
	}
	redis_reader_free(reader);
}
END_TEST

static int
next_of(size_t max, const char *bytes, struct err *err)
{
	struct redis_reader *reader = reader_made(max);
	const struct redis_reply *reply;
	int rc;

	redis_reader_feed(reader, bytes, strlen(bytes), err);
	rc = redis_reader_next(reader, &reply, err);
	redis_reader_free(reader);
	return rc;
}

START_TEST(an_announced_size_takes_no_memory)
{
	struct err err;

	/* The largest that the parser lets through: 2^31-1 members. */
	ck_assert_int_eq(next_of(1024, "*2147483647\r\n", &err), 0);
	ck_assert_int_eq(next_of(1024, "*9\r\n*2147483647\r\n:1\r\n", &err), 0);
	ck_assert_int_eq(next_of(1024, "*9223372036854775807\r\n", &err), -1);
}
END_TEST

START_TEST(a_reply_of_more_bytes_than_allowed_is_refused)
{
	struct err err;

	ck_assert_int_eq(next_of(10, "$4\r\nabcd\r\n", &err), 1);
	ck_assert_int_eq(next_of(9, "$4\r\nabcd\r\n", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "more than 9 bytes"));
	/* Before its bytes come. */
	ck_assert_int_eq(next_of(1000, "$1001\r\n", &err), -1);
	ck_assert_int_eq(next_of(1000, "*2\r\n:1\r\n$1001\r\nx", &err), -1);
	ck_assert_int_eq(next_of(1000, "*2\r\n:1\r\n$1000\r\nx", &err), 0);
	ck_assert_int_eq(next_of(16, "*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n", &err),
			 -1);
	/* One by one they are small. */
	ck_assert_int_eq(next_of(4, ":1\r\n:1\r\n:1\r\n:1\r\n", &err), 1);
}
END_TEST

START_TEST(what_is_no_reply_is_an_error)
{
	const char *const bytes[] = {
	    "HTTP/1.1 400 Bad Request\r\n",
	    "\x15\x03\x03",
	    "$x\r\n",
	    "*-2\r\n",
	    "$-2\r\n",
	    ":12x\r\n",
	    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
	    /* RESP3, which a newer hiredis reads, but nobody asked for. */
	    ",1.5\r\n",
	    "#t\r\n",
	    "_\r\n",
	    "(123\r\n",
	    "=5\r\ntxt:a\r\n",
	    "%1\r\n+a\r\n+b\r\n",
	    "~1\r\n:1\r\n",
	    ">1\r\n:1\r\n",
	    "|1\r\n+a\r\n+b\r\n",
	    "*1\r\n,1.5\r\n",
	    "*1\r\n#f\r\n",
	};
	struct err err;
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		ck_assert_msg(next_of(1024, bytes[i], &err) == -1, "%s",
			      bytes[i]);
		ck_assert_ptr_nonnull(strstr(err.msg, "is it a Redis server?"));
	}
}
END_TEST

static enum redis_fault
fault_of(const char *bytes)
{
	struct redis_reader *reader = reader_made(1024);
	const struct redis_reply *reply;
	enum redis_fault fault;

	redis_reader_feed(reader, bytes, strlen(bytes), NULL);
	ck_assert_int_eq(redis_reader_next(reader, &reply, NULL), 1);
	fault = redis_fault(reply);
	redis_reader_free(reader);
	return fault;
}

START_TEST(an_error_reply_is_understood_by_its_first_word)
{
	ck_assert_int_eq(redis_fault(NULL), REDIS_FAULT_LOST);
	ck_assert_int_eq(fault_of("+OOM\r\n"), REDIS_FAULT_NONE);
	ck_assert_int_eq(fault_of("-OOM command\r\n"), REDIS_FAULT_FULL);
	ck_assert_int_eq(fault_of("-NOSCRIPT No\r\n"), REDIS_FAULT_SCRIPT);
	ck_assert_int_eq(fault_of("-MISCONF x\r\n"), REDIS_FAULT_LATER);
	ck_assert_int_eq(fault_of("-LOADING\r\n"), REDIS_FAULT_LATER);
	ck_assert_int_eq(fault_of("-BUSY x\r\n"), REDIS_FAULT_LATER);
	ck_assert_int_eq(fault_of("-BUSYGROUP x\r\n"), REDIS_FAULT_OTHER);
	ck_assert_int_eq(fault_of("-READONLY x\r\n"), REDIS_FAULT_READONLY);
	ck_assert_int_eq(fault_of("-NOPERM x\r\n"), REDIS_FAULT_REFUSED);
	ck_assert_int_eq(fault_of("-ERR OOM\r\n"), REDIS_FAULT_OTHER);
	ck_assert_int_eq(fault_of("-ERR Error running script (call to f_1): "
				  "@user_script:1: @user_script: 1: -OOM "
				  "command not allowed\r\n"),
			 REDIS_FAULT_FULL);
}
END_TEST

START_TEST(what_a_user_may_not_do_in_a_script_is_refused)
{
	ck_assert_int_eq(
	    fault_of("-ERR The user executing the script can't run this "
		     "command or subcommand script: 7e60, on "
		     "@user_script:1.\r\n"),
	    REDIS_FAULT_REFUSED);
	ck_assert_int_eq(
	    fault_of("-ERR Error running script (call to f_1): "
		     "@user_script:1: @user_script: 1: The user executing the "
		     "script can't access at least one of the keys mentioned "
		     "in the command arguments\r\n"),
	    REDIS_FAULT_REFUSED);
	ck_assert_int_eq(
	    fault_of("-ERR ACL failure in script: User u has no permissions "
		     "to run the 'set' command script: 7e60\r\n"),
	    REDIS_FAULT_REFUSED);
	ck_assert_int_eq(fault_of("-WRONGTYPE The user executing the script "
				  "can't\r\n"),
			 REDIS_FAULT_OTHER);
}
END_TEST

static int64_t
integer_of(const char *digits)
{
	const struct redis_reply reply = {
	    .type = REDIS_STRING,
	    .bytes = digits,
	    .len = strlen(digits),
	};

	return redis_reply_integer(&reply);
}

START_TEST(a_string_of_digits_is_a_number)
{
	ck_assert_int_eq(integer_of("0"), 0);
	ck_assert_int_eq(integer_of("1700000000123"), 1700000000123);
	ck_assert_int_eq(integer_of("-5"), -5);
	ck_assert_int_eq(integer_of("9223372036854775807"), INT64_MAX);
	ck_assert_int_eq(integer_of("-9223372036854775808"), INT64_MIN);
	ck_assert_int_eq(integer_of("9223372036854775808"), 0);
	ck_assert_int_eq(integer_of("12x"), 0);
	ck_assert_int_eq(integer_of(""), 0);
	ck_assert_int_eq(integer_of("-"), 0);
}
END_TEST

SUITE("redis_reader")
{
	TEST(a_reply_may_come_in_any_two_pieces);
	TEST(an_array_keeps_its_members_while_it_grows);
	TEST(an_announced_size_takes_no_memory);
	TEST(a_reply_of_more_bytes_than_allowed_is_refused);
	TEST(what_is_no_reply_is_an_error);
	TEST(an_error_reply_is_understood_by_its_first_word);
	TEST(what_a_user_may_not_do_in_a_script_is_refused);
	TEST(a_string_of_digits_is_a_number);
}
