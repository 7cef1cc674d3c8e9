/* SPDX-License-Identifier: MIT */
/* Jobs: what they tell, how they are stopped, and how many there are. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"
#include "web/desk.h"
#include "web/jobs.h"

static pthread_mutex_t job_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t job_changed = PTHREAD_COND_INITIALIZER;
static int job_may_end;
static _Atomic int jobs_seen_stop;

static json_t *
run_job(struct web_job *job, struct flowrra_client *client, void *arg,
	struct err *err)
{
	struct timespec until;
	int64_t n = 1;
	bool go_on = web_job_progress(job, n);

	pthread_mutex_lock(&job_lock);
	while (!job_may_end && go_on && (go_on = web_job_progress(job, ++n))) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&job_changed, &job_lock, &until);
	}
	pthread_mutex_unlock(&job_lock);
	jobs_seen_stop += !go_on;
	return json_pack("{s:I}", "turns", (json_int_t)n);
}

static void
let_jobs_end(void)
{
	pthread_mutex_lock(&job_lock);
	job_may_end = 1;
	pthread_cond_broadcast(&job_changed);
	pthread_mutex_unlock(&job_lock);
}

static int
run_begin_job(struct web_call *call, struct err *err)
{
	web_audit(call, "test", "all", 0);
	return web_job_begin(call, "test.job", run_job, NULL, NULL, err);
}

static char *
begin_job(struct desk *d, unsigned int *ret_status)
{
	static const struct web_route route = {HTTP_POST, "/job", WEB_OPERATOR,
					       .run = run_begin_job};
	struct web_call *call = desk_post(d, &route, "", NULL, "");
	json_t *answer;
	char *id = NULL;

	web_call_run(call, &d->worker);
	*ret_status = call->status;
	answer = json_loadb(call->bytes.data, call->bytes.len, 0, NULL);
	if (json_object_get(answer, "job") != NULL)
		id = strdup(json_string_value(json_object_get(answer, "job")));
	json_decref(answer);
	web_call_free(call);
	return id;
}

/* Waits until a job is in this state. */
static void
await_state(struct desk *d, const char *id, const char *state)
{
	const int64_t deadline = clock_mono_us() + 10000000;
	char target[80];

	snprintf(target, sizeof(target), "/api/v1/jobs/%s", id);
	do
		ck_assert_int_lt(clock_mono_us(), deadline);
	while (strcmp(json_string_value(
			  json_object_get(desk_get(d, target), "state")),
		      state) != 0);
}

START_TEST(a_job_tells_how_far_it_is_and_what_came_of_it)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	char *id = begin_job(d, &status);

	ck_assert_uint_eq(status, 202);
	await_state(d, id, "running");
	let_jobs_end();
	await_state(d, id, "done");
	ck_assert(json_is_integer(desk_at(d, "result", "turns", NULL)));
	ck_assert_int_gt(json_integer_value(desk_at(d, "done", NULL)), 0);
	free(id);
	desk_close(d);
}
END_TEST

/* Waits until the trail says how a job ended: that comes behind its state. */
static void
await_audited(struct desk *d, const char *outcome)
{
	const int64_t deadline = clock_mono_us() + 10000000;
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\"outcome\":\"%s\"", outcome);
	do {
		ck_assert_int_lt(clock_mono_us(), deadline);
		desk_get(d, "/api/v1/audit");
	} while (strstr(d->bytes.data, "\"test.job\"") == NULL ||
		 strstr(d->bytes.data, wanted) == NULL);
}

START_TEST(the_end_of_a_job_is_audited_as_its_beginning_is)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	char *id = begin_job(d, &status), target[80];

	snprintf(target, sizeof(target), "/api/v1/jobs/%s", id);
	ck_assert_uint_eq(desk_ask(d, "DELETE", target, NULL), 200);
	await_audited(d, "stopped");
	free(id);
	desk_close(d);
}
END_TEST

START_TEST(a_job_can_be_stopped_and_is_when_the_daemon_ends)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	char *id = begin_job(d, &status), target[80];

	free(begin_job(d, &status));
	snprintf(target, sizeof(target), "/api/v1/jobs/%s", id);
	ck_assert_uint_eq(desk_ask(d, "DELETE", target, NULL), 200);
	await_state(d, id, "stopped");
	ck_assert_uint_eq(desk_ask(d, "DELETE", target, NULL), 409);
	free(id);
	desk_close(d);
	ck_assert_int_eq(jobs_seen_stop, 2);
}
END_TEST

START_TEST(no_more_than_eight_jobs_run_at_the_same_time)
{
	struct desk *d = desk_open(DESK_SQLITE);
	unsigned int status;
	int i;

	for (i = 0; i < JOBS_RUNNING_MAX; i++) {
		free(begin_job(d, &status));
		ck_assert_uint_eq(status, 202);
	}
	ck_assert_ptr_null(begin_job(d, &status));
	ck_assert_uint_eq(status, 409);
	desk_close(d);
}
END_TEST

START_TEST(the_last_hundred_jobs_are_kept)
{
	struct desk *d = desk_open(DESK_SQLITE);
	char *oldest, *kept = NULL, *id, target[80];
	unsigned int status;
	int i;

	log_set_level(LOG_LEVEL_warning);
	let_jobs_end();
	oldest = begin_job(d, &status);
	await_state(d, oldest, "done");
	/* As each begins, those that are one too many leave. */
	for (i = 0; i <= JOBS_KEPT; i++) {
		id = begin_job(d, &status);
		ck_assert_uint_eq(status, 202);
		await_state(d, id, "done");
		if (i == 0)
			kept = strdup(id);
		free(id);
	}
	snprintf(target, sizeof(target), "/api/v1/jobs/%s", oldest);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 404);
	snprintf(target, sizeof(target), "/api/v1/jobs/%s", kept);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 200);
	free(kept);
	free(oldest);
	desk_close(d);
}
END_TEST

SUITE("web-jobs")
{
	TEST(a_job_tells_how_far_it_is_and_what_came_of_it);
	TEST(the_end_of_a_job_is_audited_as_its_beginning_is);
	TEST(a_job_can_be_stopped_and_is_when_the_daemon_ends);
	TEST(no_more_than_eight_jobs_run_at_the_same_time);
	TEST(the_last_hundred_jobs_are_kept);
}
