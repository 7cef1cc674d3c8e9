/* SPDX-License-Identifier: MIT */
/* Frames: what is read back, and what is refused. */
#include "ipc/ipc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"

static struct ipc_channel left, right; /* a daemon's and an executor's end */

static void
connect_both(void)
{
	int pair[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ipc_channel_init(&left, pair[0], IPC_TO_DAEMON);
	ipc_channel_init(&right, pair[1], IPC_TO_EXECUTOR);
}

static void
put_run(struct buf *out, uint32_t task)
{
	const struct slice parts[] = {
	    SLICE("id"),  SLICE("add"), SLICE("[1,2]"), SLICE("{}"),
	    SLICE("00-"), SLICE("a=b"), SLICE("flow")};
	const struct ipc_run run = {.timeout_us = 1500000,
				    .attempt = 2,
				    .id_len = 2,
				    .name_len = 3,
				    .args_len = 5,
				    .kwargs_len = 2,
				    .traceparent_len = 3,
				    .tracestate_len = 3,
				    .flow_len = 4};

	ipc_put(out, IPC_RUN, task, &run, parts, 7);
}

static void
check_run(const struct ipc_message *m, uint32_t task)
{
	const struct ipc_run *run = m->fixed;
	struct ipc_run_parts p;

	ck_assert_uint_eq(m->type, IPC_RUN);
	ck_assert_uint_eq(m->task, task);
	ck_assert_int_eq(run->timeout_us, 1500000);
	ck_assert_uint_eq(run->attempt, 2);
	ck_assert_int_eq(ipc_run_parts(m, &p, NULL), 0);
	ck_assert(slice_eq(p.id, SLICE("id")));
	ck_assert(slice_eq(p.name, SLICE("add")));
	ck_assert(slice_eq(p.args, SLICE("[1,2]")));
	ck_assert(slice_eq(p.kwargs, SLICE("{}")));
	ck_assert(slice_eq(p.traceparent, SLICE("00-")));
	ck_assert(slice_eq(p.tracestate, SLICE("a=b")));
	ck_assert(slice_eq(p.flow, SLICE("flow")));
}

START_TEST(a_frame_fed_byte_by_byte_is_read_once_it_is_whole)
{
	struct buf out = BUF_INIT;
	struct ipc_message m;
	size_t i;

	connect_both();
	put_run(&out, 5);
	for (i = 0; i < out.len; i++) {
		ck_assert_int_eq(ipc_channel_next(&right, &m, NULL), 0);
		ck_assert_int_eq(write(left.fd, out.data + i, 1), 1);
		ck_assert_int_eq(ipc_channel_read(&right, NULL), 1);
	}
	ck_assert_int_eq(ipc_channel_next(&right, &m, NULL), 1);
	check_run(&m, 5);
	ck_assert_int_eq(ipc_channel_next(&right, &m, NULL), 0);
	ck_assert_int_eq(ipc_channel_read(&right, NULL), 0);
	buf_done(&out);
	ipc_channel_done(&left);
	ipc_channel_done(&right);
}
END_TEST

START_TEST(a_parser_says_how_many_bytes_it_needs)
{
	struct buf out = BUF_INIT;
	struct ipc_message m;
	union ipc_fixed fixed;
	size_t need = 0, len;
	struct slice bytes;
	char *exact;

	put_run(&out, 5);
	for (len = 0; len < out.len; len++) {
		/* A copy of its own, so that a sanitizer sees a byte too
		 * many being read. */
		exact = malloc(len + 1);
		memcpy(exact, out.data, len);
		bytes = (struct slice){exact, len};
		ck_assert_int_eq(
		    ipc_parse(bytes, IPC_TO_EXECUTOR, &fixed, &m, &need, NULL),
		    0);
		ck_assert_uint_eq(need, len < 12 ? 12 : out.len);
		free(exact);
	}
	buf_done(&out);
}
END_TEST

START_TEST(many_frames_pass_in_order_through_a_full_socket)
{
	struct ipc_message m;
	uint32_t i, next = 0;
	int r;

	connect_both();
	for (i = 0; i < 50000; i++)
		put_run(&left.out, i);
	while (next < 50000) {
		r = ipc_channel_flush(&left, NULL);
		ck_assert_int_ge(r, 0);
		ck_assert_int_eq(ipc_channel_read(&right, NULL), 1);
		while ((r = ipc_channel_next(&right, &m, NULL)) == 1)
			check_run(&m, next++);
		ck_assert_int_eq(r, 0);
	}
	ck_assert_int_eq(ipc_channel_flush(&left, NULL), 1);
	/* Buffers that grew for it are not kept. */
	ck_assert_uint_le(left.out.cap, 1u << 20);
	ipc_channel_done(&left);
	ipc_channel_done(&right);
}
END_TEST

START_TEST(a_large_frame_passes_and_its_memory_is_given_back)
{
	size_t size = 20u << 20;
	char *text = malloc(size);
	struct ipc_done done = {.outcome = IPC_SUCCESS};
	struct slice rest = {text, size};
	struct ipc_message m;
	int r = 0, flushed = 0;

	connect_both();
	memset(text, 'x', size);
	ipc_put(&right.out, IPC_DONE, 1, &done, &rest, 1);
	while (r == 0) {
		if (!flushed)
			flushed = ipc_channel_flush(&right, NULL);
		ck_assert_int_ge(ipc_channel_read(&left, NULL), 0);
		r = ipc_channel_next(&left, &m, NULL);
	}
	ck_assert_int_eq(r, 1);
	ck_assert(slice_eq(m.rest, rest));
	ck_assert_uint_lt(right.out.cap, 1u << 20);
	ck_assert_int_eq(ipc_channel_read(&left, NULL), 0);
	ck_assert_uint_lt(left.in.cap, 1u << 20);
	free(text);
	ipc_channel_done(&left);
	ipc_channel_done(&right);
}
END_TEST

START_TEST(a_frame_over_the_limit_is_not_put)
{
	struct slice rest = {"", IPC_FRAME_MAX};
	struct ipc_done done = {.outcome = IPC_SUCCESS};
	struct buf out = BUF_INIT;

	ipc_put(&out, IPC_DONE, 1, &done, &rest, 1);
	ck_assert(out.failed);
	ck_assert_uint_eq(out.len, 0);
	buf_done(&out);
}
END_TEST

START_TEST(end_of_file_is_told_apart_from_silence)
{
	struct err err = ERR_INIT;

	connect_both();
	ck_assert_int_eq(ipc_channel_read(&right, &err), 0);
	put_run(&left.out, 1);
	ck_assert_int_eq(ipc_channel_flush(&left, NULL), 1);
	ipc_channel_done(&left);
	/* What was sent before the end is still read. */
	ck_assert_int_eq(ipc_channel_read(&right, &err), 1);
	ck_assert_int_eq(ipc_channel_read(&right, &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	put_run(&right.out, 1);
	ck_assert_int_eq(ipc_channel_flush(&right, &err), -1);
	ipc_channel_done(&right);
}
END_TEST

#define H(size, type)                                                          \
	{                                                                      \
		(size), (type), 0                                              \
	}
static const struct {
	struct ipc_header header;
	enum ipc_direction direction;
	const char *text; /* a part of the error's */
} broken[] = {
    {H(12, 0), IPC_TO_EXECUTOR, "unknown message type 0"},
    {H(12, 23), IPC_TO_EXECUTOR, "unknown message type 23"},
    {H(12, ~0u), IPC_TO_EXECUTOR, "unknown message type"},
    {H(0, IPC_STOP), IPC_TO_EXECUTOR, "STOP has 0 bytes"},
    {H(11, IPC_STOP), IPC_TO_EXECUTOR, "STOP has 11 bytes"},
    {H(13, IPC_STOP), IPC_TO_EXECUTOR, "1 bytes too many"},
    {H(~0u, IPC_RUN), IPC_TO_EXECUTOR, "at most"},
    {H(IPC_FRAME_MAX + 1, IPC_RUN), IPC_TO_EXECUTOR, "at most"},
    {H(12 + sizeof(struct ipc_run) - 1, IPC_RUN), IPC_TO_EXECUTOR,
     "RUN has 59 bytes, fewer than its 60"},
    {H(12, IPC_RECALLED), IPC_TO_EXECUTOR, "wrong direction"},
    {H(12, IPC_RECALL), IPC_TO_DAEMON, "wrong direction"},
    {H(12, IPC_DONE), IPC_TO_DAEMON, "DONE has 12 bytes"},
    {H(21, IPC_HELLO), IPC_TO_DAEMON, "too many"},
};

START_TEST(a_broken_frame_is_refused_by_its_header_alone)
{
	struct slice bytes = {(const char *)&broken[_i].header,
			      sizeof(struct ipc_header)};
	struct err err = ERR_INIT;
	struct ipc_message m;
	union ipc_fixed fixed;
	size_t need = 0;

	ck_assert_int_eq(
	    ipc_parse(bytes, broken[_i].direction, &fixed, &m, &need, &err),
	    -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, broken[_i].text) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(parts_that_do_not_add_up_are_refused)
{
	static const struct ipc_run runs[] = {
	    {.id_len = 11},		     /* one too many */
	    {.id_len = 9},		     /* one too few */
	    {.id_len = ~0u, .name_len = 11}, /* 10 after overflow */
	    {.id_len = ~0u, .name_len = ~0u, .args_len = ~0u, .kwargs_len = 13},
	    {.id_len = 10, .traceparent_len = ~0u, .tracestate_len = 1},
	    {.id_len = 10, .tracestate_len = ~0u, .flow_len = 1},
	};
	struct slice rest = SLICE("0123456789");
	struct buf out = BUF_INIT;
	struct ipc_run_parts parts;
	struct ipc_message m;
	union ipc_fixed fixed;
	struct err err = ERR_INIT;
	size_t need = 0;

	ipc_put(&out, IPC_RUN, 1, &runs[_i], &rest, 1);
	ck_assert_int_gt(ipc_parse((struct slice){out.data, out.len},
				   IPC_TO_EXECUTOR, &fixed, &m, &need, &err),
			 0);
	ck_assert_int_eq(ipc_run_parts(&m, &parts, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	buf_done(&out);
}
END_TEST

START_TEST(messages_have_the_names_of_the_table)
{
	ck_assert_str_eq(ipc_name(IPC_HELLO), "HELLO");
	ck_assert_str_eq(ipc_name(IPC_STOP), "STOP");
	ck_assert_str_eq(ipc_name(0), "?");
	ck_assert_str_eq(ipc_name(1000), "?");
}
END_TEST

SUITE("ipc")
{
	TEST(a_frame_fed_byte_by_byte_is_read_once_it_is_whole);
	TEST(a_parser_says_how_many_bytes_it_needs);
	TEST(many_frames_pass_in_order_through_a_full_socket);
	TEST(a_large_frame_passes_and_its_memory_is_given_back);
	TEST(a_frame_over_the_limit_is_not_put);
	TEST(end_of_file_is_told_apart_from_silence);
	TEST_LOOP(a_broken_frame_is_refused_by_its_header_alone, 0,
		  sizeof(broken) / sizeof(broken[0]));
	TEST_LOOP(parts_that_do_not_add_up_are_refused, 0, 6);
	TEST(messages_have_the_names_of_the_table);
}
