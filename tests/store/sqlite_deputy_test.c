/* SPDX-License-Identifier: MIT */
/*
 * Submissions by way of a worker: the producer's side, with workers that break down at
 * every step.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sqlite/door.h"
#include "store/sqlite/deputy.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;
static struct party *producer, *worker;

/* --- a worker of ours ---------------------------------------------------- */

enum manner {
	ANSWERS,      /* that it is queued, and does nothing */
	REFUSES,      /* with ERR_FULL */
	IS_LATE,      /* says so */
	FAILS,	      /* since it cannot use the file, say */
	HANGS_UP,     /* without an answer */
	DIES,	      /* with what it was asked, done */
	SAYS_NOTHING, /* as one that is frozen */
	ANSWERS_ELSE, /* what was not asked */
	BABBLES,
	N_MANNERS
};

static struct {
	enum manner manner;
	int dir_fd, fd, in;
	struct event *knock, *request;
	unsigned int requests;
} fake;

static void
fake_answer(uint32_t number, enum err_code code, const char *text)
{
	char packet[256];
	const struct sdeputy_answer answer = {.number = number, .code = code};
	const size_t len = sizeof(answer) + strlen(text);

	memcpy(packet, &answer, sizeof(answer));
	memcpy(packet + sizeof(answer), text, strlen(text));
	ck_assert_int_eq(send(fake.in, packet, len, 0), len);
}

static void
fake_hang_up(void)
{
	event_free(fake.request);
	fake.request = NULL;
	close(fake.in);
}

static void
on_fake_submitted(struct broker_submit *task, size_t n, void *arg)
{
	ck_assert_int_eq(task->err.code, ERR_NONE);
	fake_hang_up();
}

/* As a worker does it; then it is gone. */
static void
fake_submit(void)
{
	static struct broker_submit task = {.queue = "io", .exclusive = true};

	task.id = SLICE("a");
	task.bytes = task.record = SLICE("{}");
	broker_submit(worker->broker, &task, 1, on_fake_submitted, NULL);
}

static void
on_request(evutil_socket_t fd, short what, void *arg)
{
	char packet[SDEPUTY_MAX];
	const ssize_t n = recv(fd, packet, sizeof(packet), 0);
	struct sdeputy_request q;

	if (n == 0) {
		fake_hang_up();
		return;
	}
	ck_assert_int_ge(n, (ssize_t)sizeof(q));
	memcpy(&q, packet, sizeof(q));
	ck_assert_uint_eq(q.version, SDEPUTY_VERSION);
	ck_assert_uint_eq(q.what, SDEPUTY_SUBMIT);
	ck_assert_int_gt(q.by_ms, clock_mono_ms());
	fake.requests++;
	switch (fake.manner) {
	case ANSWERS:
		fake_answer(q.number, ERR_NONE, "");
		break;
	case REFUSES:
		fake_answer(q.number, ERR_FULL, "no room");
		break;
	case IS_LATE:
		fake_answer(q.number, ERR_TIMEOUT, "too late");
		break;
	case FAILS:
		fake_answer(q.number, ERR_UNAVAILABLE, "the file is gone");
		break;
	case ANSWERS_ELSE:
		fake_answer(q.number + 1, ERR_NONE, "");
		break;
	case BABBLES:
		ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
		break;
	case DIES:
		fake_submit();
		break;
	case HANGS_UP:
		fake_hang_up();
		break;
	default:
		break;
	}
}

static void
on_knock(evutil_socket_t fd, short what, void *arg)
{
	ck_assert_int_ge(fake.in = door_admit(fd), 0);
	fake.request =
	    event_new(w.base, fake.in, EV_READ | EV_PERSIST, on_request, NULL);
	event_add(fake.request, NULL);
}

/* `worker` is here a producer that turns to the file at once. */
static void
open_with_fake(enum manner manner)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	/* It makes the file, and the directory. */
	worker = party_open(&w, "host:a");
	party_close(worker);
	worker = party_open(&w, NULL);
	fake.manner = manner;
	fake.dir_fd = stage_wake_dir(&w);
	fake.fd = door_open(fake.dir_fd, SDEPUTY_NAME, NULL);
	ck_assert_int_ge(fake.fd, 0);
	fake.knock =
	    event_new(w.base, fake.fd, EV_READ | EV_PERSIST, on_knock, NULL);
	event_add(fake.knock, NULL);
	producer = party_open(&w, NULL);
}

static void
close_fake(void)
{
	party_close(producer);
	party_close(worker);
	event_free(fake.knock);
	if (fake.request != NULL)
		fake_hang_up();
	close(fake.fd);
	close(fake.dir_fd);
	stage_close(&w);
}

static int
count_waiting(void)
{
	return stage_sql(&w, "SELECT count(*) FROM waiting");
}

static enum err_code
submit(const char *id)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = SLICE("{}"),
				     .record = SLICE("{\"pending\":1}")};

	return party_submit_with(producer, &task);
}

/* --- the producer -------------------------------------------------------- */

START_TEST(what_a_worker_answers_is_the_answer)
{
	open_with_fake(ANSWERS);
	ck_assert_int_eq(submit("a"), ERR_NONE);
	ck_assert_uint_eq(fake.requests, 1);
	ck_assert_int_eq(count_waiting(), 0);
	fake.manner = REFUSES;
	ck_assert_int_eq(submit("b"), ERR_FULL);
	ck_assert_str_eq(producer->err.msg, "no room");
	ck_assert_uint_eq(fake.requests, 2);
	ck_assert_int_eq(count_waiting(), 0);
	close_fake();
}
END_TEST

START_TEST(without_an_answer_the_task_is_queued_once)
{
	const int64_t begin_ms = clock_mono_ms();

	open_with_fake((enum manner)_i);
	ck_assert_int_eq(submit("a"), ERR_NONE);
	ck_assert_uint_eq(fake.requests, 1);
	ck_assert_int_eq(count_waiting(), 1);
	/* Not before the worker could not do it any more. */
	if (_i == SAYS_NOTHING)
		ck_assert_int_ge(clock_mono_ms() - begin_ms, SDEPUTY_WAIT_MS);
	close_fake();
}
END_TEST

START_TEST(a_worker_that_said_nothing_is_left_alone)
{
	open_with_fake(SAYS_NOTHING);
	ck_assert_int_eq(submit("a"), ERR_NONE);
	ck_assert_int_eq(submit("b"), ERR_NONE);
	ck_assert_uint_eq(fake.requests, 1);
	ck_assert_int_eq(count_waiting(), 2);
	close_fake();
}
END_TEST

START_TEST(a_worker_that_comes_back_is_asked_again)
{
	open_with_fake(HANGS_UP);
	ck_assert_int_eq(submit("a"), ERR_NONE);
	fake.manner = ANSWERS;
	ck_assert_int_eq(submit("b"), ERR_NONE);
	ck_assert_uint_eq(fake.requests, 2);
	ck_assert_int_eq(count_waiting(), 1);
	close_fake();
}
END_TEST

START_TEST(a_door_that_leads_nowhere_costs_no_task)
{
	open_with_fake(ANSWERS);
	event_del(fake.knock);
	close(fake.fd);
	ck_assert_int_eq(submit("a"), ERR_NONE);
	ck_assert_int_eq(count_waiting(), 1);
	close_fake();
}
END_TEST

START_TEST(what_says_more_than_a_task_goes_into_the_file)
{
	static char large[SDEPUTY_MAX];
	struct broker_submit tasks[] = {
	    {.id = SLICE("a"), .exclusive = true},
	    {.id = SLICE("b"), .unique = SLICE("key"), .unique_s = 60},
	    {.id = SLICE("c"), .bytes = {large, sizeof(large)}}};
	size_t i;

	open_with_fake(ANSWERS);
	memset(large, ' ', sizeof(large));
	for (i = 0; i < 3; i++) {
		tasks[i].queue = "io";
		tasks[i].record = SLICE("{}");
		if (tasks[i].bytes.len == 0)
			tasks[i].bytes = SLICE("{}");
		ck_assert_int_eq(party_submit_with(producer, &tasks[i]),
				 ERR_NONE);
	}
	ck_assert_uint_eq(fake.requests, 0);
	ck_assert_int_eq(count_waiting(), 3);
	close_fake();
}
END_TEST

static void
on_answered(struct broker_submit *task, size_t n, void *arg)
{
	*(bool *)arg = true;
}

/* The producer was stopped meanwhile: what is in its socket counts more than that its
 * time is over, since what the worker did may have no trace any more. */
START_TEST(an_answer_counts_however_late_it_is_read)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("a"),
				     .bytes = SLICE("{}"),
				     .record = SLICE("{}")};
	struct sdeputy_request q;
	bool answered = false;
	int64_t over_ms;

	open_with_fake(ANSWERS);
	event_del(fake.knock);
	party_close(producer);
	w.options.timeout_ms = 40;
	producer = party_open(&w, NULL);
	broker_submit(producer->broker, &task, 1, on_answered, &answered);
	ck_assert_int_ge(fake.in = door_admit(fake.fd), 0);
	ck_assert_int_gt(recv(fake.in, &q, sizeof(q), 0), 0);
	fake_answer(q.number, ERR_NONE, "");
	over_ms = clock_mono_ms() + w.options.timeout_ms + 50;
	while (clock_mono_ms() < over_ms)
		; /* nobody turns the loop */
	UNTIL(&w, answered);
	ck_assert_int_eq(task.err.code, ERR_NONE);
	ck_assert_int_eq(count_waiting(), 0);
	close(fake.in);
	close_fake();
}
END_TEST

START_TEST(who_leaves_takes_back_what_has_no_answer)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("a"),
				     .bytes = SLICE("{}"),
				     .record = SLICE("{}")};

	open_with_fake(SAYS_NOTHING);
	broker_submit(producer->broker, &task, 1, NULL, NULL);
	UNTIL(&w, fake.requests == 1);
	close_fake();
}
END_TEST

SUITE("sqlite-deputy")
{
	TEST(what_a_worker_answers_is_the_answer);
	TEST_LOOP(without_an_answer_the_task_is_queued_once, IS_LATE,
		  N_MANNERS);
	TEST(a_worker_that_said_nothing_is_left_alone);
	TEST(a_worker_that_comes_back_is_asked_again);
	TEST(a_door_that_leads_nowhere_costs_no_task);
	TEST(what_says_more_than_a_task_goes_into_the_file);
	TEST(an_answer_counts_however_late_it_is_read);
	TEST(who_leaves_takes_back_what_has_no_answer);
}
