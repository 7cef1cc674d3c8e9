/* SPDX-License-Identifier: MIT */
/*
 * One executor process: how it comes up, what it may send, what it prints, and
 * how its end is noticed. The executor is a fake one that follows a script.
 */
#include "pool/executor_process.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/scan.h"
#include "pool/fake_executor.h"
#include "pool/user.h"
#include "suite.h"
#include "util/lines.h"

#define LINES_KEPT 256

/* A process, and what it told. */
struct watch {
	struct event_base *base;
	struct executor_process *process;
	bool ready, ended;
	char json[256];
	struct executor_exit how;
	unsigned int messages, n_lines;
	struct ipc_message last; /* its texts are gone */
	char *lines[LINES_KEPT];
	unsigned int after_end; /* messages and lines: there must be none */
};

static void
on_ready(struct executor_process *p, struct slice json, void *arg)
{
	struct watch *w = arg;

	w->ready = true;
	ck_assert_uint_lt(json.len, sizeof(w->json));
	memcpy(w->json, json.p, json.len);
}

static void
on_message(struct executor_process *p, const struct ipc_message *m, void *arg)
{
	struct watch *w = arg;

	w->last = *m;
	w->messages++;
	w->after_end += w->ended;
}

static void
on_line(struct executor_process *p, struct slice line, void *arg)
{
	struct watch *w = arg;

	ck_assert_uint_lt(w->n_lines, LINES_KEPT);
	w->lines[w->n_lines++] = strndup(line.p, line.len);
	w->after_end += w->ended;
}

static void
on_end(struct executor_process *p, const struct executor_exit *end, void *arg)
{
	struct watch *w = arg;

	ck_assert(!w->ended);
	w->ended = true;
	w->how = *end;
}

/* --- what a test does -------------------------------------------------- */

static struct executor_process_options
options_of(struct watch *w, const char *const *steps)
{
	return (struct executor_process_options){.base = w->base,
						 .executor =
						     fake_executor_path(),
						 .modules = steps,
						 .config = "{}",
						 .threads = 1,
						 .asynchronous = true,
						 .on_ready = on_ready,
						 .on_message = on_message,
						 .on_line = on_line,
						 .on_end = on_end,
						 .arg = w};
}

static struct watch *
start_with(const char *const *steps, unsigned int ready_ms)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct executor_process_options options;
	struct err err;

	w->base = event_base_new();
	options = options_of(w, steps);
	options.ready_ms = ready_ms;
	w->process = executor_process_new(&options, &err);
	ck_assert_msg(w->process != NULL, "%s", err.msg);
	return w;
}

/* Starts one that takes these steps at its start. */
#define START(...)                                                             \
	start_with((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, 0)

static struct watch *
start_ready(void)
{
	struct watch *w = START();

	USER_UNTIL(w->base, w->ready);
	return w;
}

/* Sends it job 1, with these steps. */
static void
send_steps(struct watch *w, const char *json)
{
	const struct ipc_run run = {.args_len = (uint32_t)strlen(json)};
	const struct slice rest = slice_of(json);

	executor_process_send(w->process, IPC_RUN, 1, &run, &rest, 1);
}

static void
wait_end(struct watch *w)
{
	USER_UNTIL(w->base, w->ended);
}

static void
finish(struct watch *w)
{
	user_settle(w->base);
	ck_assert_uint_eq(w->after_end, 0);
	executor_process_free(w->process);
	event_base_free(w->base);
	while (w->n_lines > 0)
		free(w->lines[--w->n_lines]);
	free(w);
}

/* It was killed by us, before it was of any use. */
static void
expect_refused(struct watch *w)
{
	wait_end(w);
	ck_assert(!w->ready);
	ck_assert(!w->how.ready);
	ck_assert_int_eq(w->how.signal, SIGKILL);
	finish(w);
}

static int
watch_pid(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* --- coming up --------------------------------------------------------- */

START_TEST(an_executor_says_what_it_can_run)
{
	struct watch *w = START("ready={\"tasks\":[]}");

	ck_assert_int_gt(executor_process_pid(w->process), 0);
	USER_UNTIL(w->base, w->ready);
	ck_assert_str_eq(w->json, "{\"tasks\":[]}");
	finish(w);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error)
{
	struct watch w = {.base = event_base_new()};
	const char *const none[] = {NULL};
	struct executor_process_options options = options_of(&w, none);
	struct err err;

	options.executor = "/nowhere/flowrra-executor";
	ck_assert_ptr_null(executor_process_new(&options, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "/nowhere/flowrra-executor"));
	executor_process_free(NULL);
	event_base_free(w.base);
}
END_TEST

/* What filters of old container engines do to a call that they do not know. */
static void
refuse_pidfd(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		     offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter),
			 0);
}

START_TEST(a_kernel_without_process_descriptors_will_do)
{
	struct watch *w;

	refuse_pidfd();
	w = start_ready();
	send_steps(w, "[\"words=11:0\",\"kill=11\"]");
	wait_end(w);
	ck_assert(w->how.spoken);
	ck_assert_int_eq(w->how.signal, SIGSEGV);
	finish(w);
	/* To free one that lives ends it. */
	w = start_ready();
	finish(w);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(an_executor_of_another_version_is_killed)
{
	expect_refused(START("hello=99"));
}
END_TEST

START_TEST(an_executor_that_skips_ready_is_killed)
{
	/* RECALLED is valid in itself: it is too early. */
	expect_refused(START("type=10"));
}
END_TEST

START_TEST(an_executor_that_does_not_come_up_in_time_is_killed)
{
	const char *const steps[] = {"silent", NULL};

	expect_refused(start_with(steps, 50));
}
END_TEST

START_TEST(an_executor_that_ends_before_it_is_ready_has_a_status)
{
	struct watch *w = START("exit=3");

	wait_end(w);
	ck_assert(!w->how.ready);
	ck_assert_int_eq(w->how.signal, 0);
	ck_assert_int_eq(w->how.status, 3);
	ck_assert(!w->how.spoken);
	finish(w);
}
END_TEST

/* --- what it must not send --------------------------------------------- */

/* clang-format off */
static const char *const broken[] = {
	/* A frame of 1.6 GiB, by its first bytes. */
	"\"bytes=these are not a frame\"",
	"\"cut=4\"",	      /* shorter than its own header */
	"\"cut=67108865\"",   /* one byte over IPC_FRAME_MAX */
	"\"type=0\"",
	"\"type=77\"",	      /* unknown, as type 0 */
	"\"type=2\"",
	"\"type=15\"",	      /* INIT, STOP: only we send those */
	"\"type=5\"",	      /* STARTED without its fixed part */
	"\"started\",\"type=5\"", /* the same, behind a good one */
};
/* clang-format on */

START_TEST(an_executor_that_breaks_the_protocol_is_killed)
{
	struct watch *w = start_ready();
	char json[80];

	snprintf(json, sizeof(json), "[%s,\"silent\"]", broken[_i]);
	send_steps(w, json);
	wait_end(w);
	ck_assert_int_eq(w->how.signal, SIGKILL);
	ck_assert(w->how.ready);
	finish(w);
}
END_TEST

START_TEST(a_truncated_message_is_not_delivered)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"started\",\"cut=40\",\"exit=0\"]");
	wait_end(w);
	ck_assert_uint_eq(w->messages, 1);
	ck_assert_int_eq(w->last.type, IPC_STARTED);
	finish(w);
}
END_TEST

START_TEST(an_executor_that_closes_its_channel_must_end)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"started\",\"close\"]");
	wait_end(w);
	ck_assert_int_eq(w->how.signal, SIGKILL);
	ck_assert_uint_eq(w->messages, 1);
	finish(w);
}
END_TEST

START_TEST(what_is_sent_to_a_closed_channel_is_dropped)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"close\"]");
	/* More than the socket holds, so that it waits for room as well. */
	while (!w->ended) {
		send_steps(w, "[\"started\"]");
		user_turn(w->base);
	}
	send_steps(w, "[\"started\"]");
	user_settle(w->base);
	ck_assert_uint_eq(w->messages, 0);
	finish(w);
}
END_TEST

START_TEST(a_message_larger_than_the_socket_arrives)
{
	const size_t pad = 8u << 20;
	struct watch *w = start_ready();
	struct buf json = BUF_INIT;
	size_t i;

	buf_adds(&json, "[\"pad=");
	for (i = 0; i < pad; i += 64)
		buf_adds(&json, "0123456789012345678901234567890123456789"
				"012345678901234567890123");
	buf_adds(&json, "\",\"started\"]");
	buf_addc(&json, '\0');
	send_steps(w, json.data);
	buf_done(&json);
	USER_UNTIL(w->base, w->messages == 1);
	finish(w);
}
END_TEST

/* --- what it prints ---------------------------------------------------- */

START_TEST(lines_come_one_by_one_from_both_streams)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"print=one\",\"print=\",\"complain=two\"]");
	USER_UNTIL(w->base, w->n_lines == 3);
	ck_assert_str_eq(w->lines[0], "one");
	ck_assert_str_eq(w->lines[1], "");
	ck_assert_str_eq(w->lines[2], "two");
	finish(w);
}
END_TEST

START_TEST(a_line_is_whole_even_if_it_comes_in_pieces)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"unfinished=half \",\"started\"]");
	USER_UNTIL(w->base, w->messages == 1);
	user_settle(w->base);
	ck_assert_uint_eq(w->n_lines, 0);
	send_steps(w, "[\"print=a line\"]");
	USER_UNTIL(w->base, w->n_lines == 1);
	ck_assert_str_eq(w->lines[0], "half a line");
	finish(w);
}
END_TEST

START_TEST(a_line_without_its_end_is_delivered_at_the_end)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"print=first\",\"unfinished=last words\",\"exit=0\"]");
	wait_end(w);
	ck_assert_uint_eq(w->n_lines, 2);
	ck_assert_str_eq(w->lines[0], "first");
	ck_assert_str_eq(w->lines[1], "last words");
	finish(w);
}
END_TEST

START_TEST(a_long_line_is_cut)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"long=5000\",\"print=next\"]");
	USER_UNTIL(w->base, w->n_lines == 2);
	ck_assert_uint_eq(strlen(w->lines[0]), LINES_MAX_BYTES);
	ck_assert_str_eq(w->lines[1], "next");
	finish(w);
}
END_TEST

START_TEST(a_flood_is_cut_and_the_log_says_so)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"flood=1000\",\"exit=0\"]");
	wait_end(w);
	/* All in one second, or, rarely, in two. */
	ck_assert_uint_gt(w->n_lines, LINES_PER_S);
	ck_assert_uint_le(w->n_lines, 2 * LINES_PER_S + 2);
	ck_assert_str_eq(w->lines[0], "line 0");
	ck_assert_ptr_nonnull(
	    strstr(w->lines[w->n_lines - 1], "more lines dropped"));
	finish(w);
}
END_TEST

START_TEST(output_that_is_pending_at_the_end_is_delivered)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"flood=90\",\"complain=oh\",\"kill=9\"]");
	wait_end(w);
	ck_assert_uint_eq(w->n_lines, 91);
	ck_assert_str_eq(w->lines[w->n_lines - 1], "oh");
	finish(w);
}
END_TEST

/* --- how it ends ------------------------------------------------------- */

START_TEST(what_it_sent_before_it_died_counts)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"started\",\"progress=1\",\"done=2\",\"kill=9\"]");
	wait_end(w);
	ck_assert_uint_eq(w->messages, 3);
	ck_assert_int_eq(w->last.type, IPC_DONE);
	ck_assert_int_eq(w->how.signal, SIGKILL);
	finish(w);
}
END_TEST

START_TEST(last_words_are_handed_on)
{
	struct watch *w = start_ready();

	send_steps(w, "[\"words=11:0\",\"kill=11\"]");
	wait_end(w);
	ck_assert_int_eq(w->how.signal, SIGSEGV);
	ck_assert(w->how.spoken);
	ck_assert_uint_eq(w->how.words.task, 1);
	ck_assert_int_eq(w->how.words.signal, SIGSEGV);
	finish(w);
}
END_TEST

START_TEST(what_it_started_does_not_outlive_it)
{
	struct watch *w = start_ready();
	int child;

	send_steps(w, "[\"fork\"]");
	USER_UNTIL(w->base, w->n_lines == 1);
	child = watch_pid(atoi(w->lines[0]));
	ck_assert(!user_has_ended(child));
	send_steps(w, "[\"exit=0\"]");
	wait_end(w);
	USER_UNTIL(w->base, user_has_ended(child));
	close(child);
	finish(w);
}
END_TEST

START_TEST(to_free_a_process_ends_it_and_what_it_started)
{
	struct watch *w = start_ready();
	int child;
	pid_t pid = executor_process_pid(w->process);

	send_steps(w, "[\"fork\"]");
	USER_UNTIL(w->base, w->n_lines == 1);
	child = watch_pid(atoi(w->lines[0]));
	executor_process_free(w->process);
	w->process = NULL;
	/* It was waited for: its number is free again. */
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	USER_UNTIL(w->base, user_has_ended(child));
	ck_assert(!w->ended);
	close(child);
	finish(w);
}
END_TEST

START_TEST(a_process_is_killed_when_its_owner_says_so)
{
	struct watch *w = start_ready();

	executor_process_kill(w->process);
	wait_end(w);
	ck_assert_int_eq(w->how.signal, SIGKILL);
	ck_assert(w->how.ready);
	/* There is nothing left to kill. */
	executor_process_kill(w->process);
	ck_assert_int_eq(executor_process_pid(w->process), 0);
	finish(w);
}
END_TEST

SUITE("pool-process")
{
	TEST(an_executor_says_what_it_can_run);
	TEST(a_program_that_is_not_there_is_an_error);
	TEST(a_kernel_without_process_descriptors_will_do);
	TEST(an_executor_of_another_version_is_killed);
	TEST(an_executor_that_skips_ready_is_killed);
	TEST(an_executor_that_does_not_come_up_in_time_is_killed);
	TEST(an_executor_that_ends_before_it_is_ready_has_a_status);
	TEST_LOOP(an_executor_that_breaks_the_protocol_is_killed, 0,
		  sizeof(broken) / sizeof(broken[0]));
	TEST(a_truncated_message_is_not_delivered);
	TEST(an_executor_that_closes_its_channel_must_end);
	TEST(what_is_sent_to_a_closed_channel_is_dropped);
	TEST(a_message_larger_than_the_socket_arrives);
	TEST(lines_come_one_by_one_from_both_streams);
	TEST(a_line_is_whole_even_if_it_comes_in_pieces);
	TEST(a_line_without_its_end_is_delivered_at_the_end);
	TEST(a_long_line_is_cut);
	TEST(a_flood_is_cut_and_the_log_says_so);
	TEST(output_that_is_pending_at_the_end_is_delivered);
	TEST(what_it_sent_before_it_died_counts);
	TEST(last_words_are_handed_on);
	TEST(what_it_started_does_not_outlive_it);
	TEST(to_free_a_process_ends_it_and_what_it_started);
	TEST(a_process_is_killed_when_its_owner_says_so);
}
