/* SPDX-License-Identifier: MIT */
/*
 * Submissions by way of a worker: with workers that break down at every step, and
 * with visitors that are no producers.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static int
open_place(void)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s-wake", stage_path(&w));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
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
	fake.dir_fd = open_place();
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

/* --- the worker ---------------------------------------------------------- */

static int visitor;

static int
come_in(void)
{
	const int dir_fd = open_place();
	const int fd = door_enter(dir_fd, SDEPUTY_NAME);

	close(dir_fd);
	return fd;
}

static void
open_with_worker(void)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	worker = party_open(&w, "host:a");
	ck_assert_int_ge(visitor = come_in(), 0);
}

static void
close_with_worker(void)
{
	close(visitor);
	party_close(worker);
	stage_close(&w);
}

static struct sdeputy_request
request(enum sdeputy_what what)
{
	return (struct sdeputy_request){.version = SDEPUTY_VERSION,
					.number = 7,
					.what = what,
					.by_ms = clock_mono_ms() + 60000};
}

/* With up to four texts. */
static void
ask(struct sdeputy_request q, const char *const *texts)
{
	struct buf packet = BUF_INIT;
	size_t i;

	for (i = 0; i < SDEPUTY_TEXTS && texts[i] != NULL; i++)
		q.lens[i] = (uint32_t)strlen(texts[i]);
	buf_add(&packet, &q, sizeof(q));
	for (i = 0; i < SDEPUTY_TEXTS && texts[i] != NULL; i++)
		buf_adds(&packet, texts[i]);
	ck_assert_int_eq(send(visitor, packet.data, packet.len, MSG_NOSIGNAL),
			 packet.len);
	buf_done(&packet);
}

static char text[1024];
static struct sdeputy_answer answer;
static ssize_t received;

static bool
hears(void)
{
	char packet[1024];

	received = recv(visitor, packet, sizeof(packet), MSG_DONTWAIT);
	if (received < 0)
		return errno != EAGAIN;
	if (received < (ssize_t)sizeof(answer))
		return true;
	memcpy(&answer, packet, sizeof(answer));
	snprintf(text, sizeof(text), "%.*s",
		 (int)((size_t)received - sizeof(answer)),
		 packet + sizeof(answer));
	return true;
}

static enum err_code
ask_to_submit(struct sdeputy_request q, const char *id)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", id, "{}", "{}"};

	ask(q, texts);
	UNTIL(&w, hears());
	ck_assert_int_ge(received, (ssize_t)sizeof(answer));
	ck_assert_uint_eq(answer.number, 7);
	return (enum err_code)answer.code;
}

START_TEST(a_worker_submits_for_others)
{
	struct sdeputy_request q;

	open_with_worker();
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	ck_assert_int_eq(count_waiting(), 1);
	/* One that is sent again, or comes after its producer did it. */
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"),
			 ERR_REFUSED);
	q = request(SDEPUTY_SUBMIT);
	q.max_queue_size = 1;
	ck_assert_int_eq(ask_to_submit(q, "b"), ERR_FULL);
	q.max_queue_size = 0;
	q.delay_ms = 60000;
	ck_assert_int_eq(ask_to_submit(q, "b"), ERR_NONE);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM delayed"), 1);
	ck_assert_int_eq(count_waiting(), 1);
	close_with_worker();
}
END_TEST

START_TEST(what_comes_too_late_is_not_queued)
{
	struct sdeputy_request q;

	open_with_worker();
	q = request(SDEPUTY_SUBMIT);
	q.by_ms = clock_mono_ms();
	ck_assert_int_eq(ask_to_submit(q, "a"), ERR_TIMEOUT);
	ck_assert_int_eq(count_waiting(), 0);
	close_with_worker();
}
END_TEST

START_TEST(a_worker_knows_what_is_registered)
{
	const struct slice name = SLICE("resize"), said = SLICE("{\"x\":1}");
	const char *const one[SDEPUTY_TEXTS] = {"resize", NULL};
	const char *const none[SDEPUTY_TEXTS] = {"nothing", NULL};

	open_with_worker();
	broker_register(worker->broker, &name, &said, 1);
	ask(request(SDEPUTY_REGISTERED), one);
	UNTIL(&w, hears());
	ck_assert_uint_eq(answer.found, 1);
	ck_assert_str_eq(text, "{\"x\":1}");
	ask(request(SDEPUTY_REGISTERED), none);
	UNTIL(&w, hears());
	ck_assert_uint_eq(answer.found, 0);
	close_with_worker();
}
END_TEST

/* Each is shown out, and the worker serves the next. */
START_TEST(who_sends_no_request_is_shown_out)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", "a", "{}", "{}"};
	const char *const queue[SDEPUTY_TEXTS] = {"i/o", "a", "{}", "{}"};
	const char *const id[SDEPUTY_TEXTS] = {"io", "a b", "{}", "{}"};
	const char *const empty[SDEPUTY_TEXTS] = {"io", "a", "", ""};
	struct sdeputy_request q;

	open_with_worker();
	q = request(SDEPUTY_SUBMIT);
	switch (_i) {
	case 0:
		q.version++;
		ask(q, texts);
		break;
	case 1:
		q.what = SDEPUTY_WHATS;
		ask(q, texts);
		break;
	case 2: /* texts that are not there */
		q.lens[3] = UINT32_MAX;
		ck_assert_int_eq(send(visitor, &q, sizeof(q), 0), sizeof(q));
		break;
	case 3: /* half a request */
		ck_assert_int_eq(send(visitor, &q, sizeof(q) / 2, 0),
				 sizeof(q) / 2);
		break;
	case 4:
		ask(q, queue);
		break;
	case 5:
		ask(q, id);
		break;
	case 6:
		ask(q, empty);
		break;
	case 7:
		q.by_ms = -1;
		ask(q, texts);
		break;
	case 8: /* no NUL between two names */
		ask(request(SDEPUTY_SERVED), texts);
		break;
	default: /* more than a packet may have */
		ck_assert_int_eq(send(visitor, (char[SDEPUTY_MAX + 1]){0},
				      SDEPUTY_MAX + 1, 0),
				 SDEPUTY_MAX + 1);
	}
	UNTIL(&w, hears());
	ck_assert_int_le(received, 0);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	ck_assert_int_eq(count_waiting(), 1);
	close_with_worker();
}
END_TEST

START_TEST(a_visitor_that_leaves_has_submitted)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", "a", "{}", "{}"};

	open_with_worker();
	ask(request(SDEPUTY_SUBMIT), texts);
	close(visitor);
	UNTIL(&w, count_waiting() == 1);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* As many as the worker takes in: it hears the others, which do not wait. */
START_TEST(a_crowd_of_visitors_is_shown_out)
{
	int crowd[200], out = 0;
	char c;
	size_t i;

	open_with_worker();
	for (i = 0; i < 200; i++) {
		ck_assert_int_ge(crowd[i] = come_in(), 0);
		stage_turn(&w, INT64_MAX);
		out += recv(crowd[i], &c, 1, MSG_DONTWAIT) == 0;
	}
	ck_assert_int_gt(out, 100);
	ck_assert_int_lt(out, 200);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	for (i = 0; i < 200; i++)
		close(crowd[i]);
	stage_linger(&w, 50);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* With the next heartbeat of that one. */
START_TEST(another_worker_opens_the_door_of_one_that_is_gone)
{
	struct party *other;

	open_with_worker();
	other = party_open(&w, "host:b");
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	close(visitor);
	ck_assert_int_lt(come_in(), 0);
	broker_heartbeat(other->broker, SLICE("{}"));
	UNTIL(&w, (visitor = come_in()) >= 0);
	worker = other;
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* As a job that leaves runs again, after a rollback. */
START_TEST(who_leaves_twice_leaves_the_door_of_another)
{
	struct party *other;

	open_with_worker();
	other = party_open(&w, "host:b");
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	close(visitor);
	broker_heartbeat(other->broker, SLICE("{}"));
	UNTIL(&w, (visitor = come_in()) >= 0);
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	worker = other;
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* Somebody's file in the place of the door, or a link to one. */
START_TEST(what_is_no_door_stays)
{
	struct stat st;
	int dir_fd, fd;

	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	party_close(party_open(&w, "host:a"));
	dir_fd = open_place();
	ck_assert_int_eq(unlinkat(dir_fd, SDEPUTY_NAME, 0), 0);
	fd = _i == 0 ? openat(dir_fd, SDEPUTY_NAME, O_CREAT | O_WRONLY, 0600)
		     : symlinkat(stage_path(&w), dir_fd, SDEPUTY_NAME);
	ck_assert_int_ge(fd, 0);
	if (_i == 0)
		close(fd);
	worker = party_open(&w, "host:a");
	ck_assert_int_lt(come_in(), 0);
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	ck_assert_int_eq(
	    fstatat(dir_fd, SDEPUTY_NAME, &st, AT_SYMLINK_NOFOLLOW), 0);
	close(dir_fd);
	stage_close(&w);
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
	TEST(a_worker_submits_for_others);
	TEST(what_comes_too_late_is_not_queued);
	TEST(a_worker_knows_what_is_registered);
	TEST_LOOP(who_sends_no_request_is_shown_out, 0, 10);
	TEST(a_visitor_that_leaves_has_submitted);
	TEST(a_crowd_of_visitors_is_shown_out);
	TEST(another_worker_opens_the_door_of_one_that_is_gone);
	TEST(who_leaves_twice_leaves_the_door_of_another);
	TEST_LOOP(what_is_no_door_stays, 0, 2);
}
