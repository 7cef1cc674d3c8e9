/* SPDX-License-Identifier: MIT */
/*
 * Jobs: a list, and a thread for each that runs. The list ends with the
 * process: what a job has done until then is done, and it can be begun again for
 * the rest.
 *
 * A job has a thread of its own, since it may take minutes, and an operation
 * thread is for those who wait. What another thread may look at is under the
 * lock of the list or atomic; the rest is the job's thread's, and was set
 * before that began.
 */
#include "web/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "util/err.h"
#include "util/uuid.h"
#include "web/audit.h"
#include "web/call.h"
#include "web/thread.h"

enum job_state { JOB_RUNNING, JOB_DONE, JOB_STOPPED, JOB_FAILED };
static const char *const job_states[] = {[JOB_RUNNING] = "running",
					 [JOB_DONE] = "done",
					 [JOB_STOPPED] = "stopped",
					 [JOB_FAILED] = "failed"};

struct web_job {
	struct web_jobs *jobs;
	char id[UUID_TEXT_SIZE];
	char request[HTTP_ID_SIZE];
	char *action, *target, *peer;
	struct web_identity who;
	struct flowrra_client *client;
	json_t *(*run)(struct web_job *job, struct flowrra_client *client,
		       void *arg, struct err *err);
	void *arg;
	void (*release)(void *arg);
	pthread_t thread;
	atomic_bool stop;
	_Atomic int64_t done;
	/* With the lock of the list. */
	enum job_state state;
	bool joinable; /* it has a thread, which job_free() joins */
	json_t *result;
	struct err err;
	TAILQ_ENTRY(web_job) next;
};

struct web_jobs {
	struct web_audit *audit;
	pthread_mutex_t lock;
	TAILQ_HEAD(job_list, web_job) list; /* the newest first */
	size_t n, n_running;
};

struct web_jobs *
jobs_new(struct web_audit *audit, struct err *err)
{
	struct web_jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs == NULL) {
		err_nomem(err);
		return NULL;
	}
	jobs->audit = audit;
	pthread_mutex_init(&jobs->lock, NULL);
	TAILQ_INIT(&jobs->list);
	return jobs;
}

/* Waits for its thread, which has been told to stop, or has ended. */
static void
job_free(struct web_job *job)
{
	if (job->joinable)
		pthread_join(job->thread, NULL);
	if (job->release != NULL)
		job->release(job->arg);
	json_decref(job->result);
	free(job->action);
	free(job->target);
	free(job->peer);
	free(job);
}

/* The lock is let go before the threads are waited for: they take it at their
 * end. */
void
jobs_free(struct web_jobs *jobs)
{
	struct web_job *job;

	if (jobs == NULL)
		return;
	pthread_mutex_lock(&jobs->lock);
	TAILQ_FOREACH (job, &jobs->list, next)
		atomic_store(&job->stop, true);
	pthread_mutex_unlock(&jobs->lock);
	while ((job = TAILQ_FIRST(&jobs->list)) != NULL) {
		TAILQ_REMOVE(&jobs->list, job, next);
		job_free(job);
	}
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

/* --- running -------------------------------------------------------------- */

/* Two lines in the trail. The first is written before the thread starts: it would
 * come after the second of a short job, and be missing after a crash. */
static void
job_audit(struct web_job *job, int64_t count, const char *begun)
{
	const struct audit_record record = {
	    .user = job->who.user,
	    .role = web_role_name((int)job->who.role),
	    .peer = job->peer,
	    .action = job->action,
	    .target = job->target,
	    .count = count,
	    .outcome = begun != NULL		  ? begun
		       : job->state == JOB_FAILED ? job->err.msg
						  : job_states[job->state],
	    .said = job->state == JOB_FAILED ? problem_shown(&job->err) : NULL,
	    .request_id = job->request};

	if (job->jobs->audit != NULL)
		audit_add(job->jobs->audit, &record);
}

/* Stopped is what somebody wanted, even if it has ended by itself just then. */
static void *
job_thread(void *arg)
{
	struct web_job *job = arg;
	struct err err = ERR_INIT;
	json_t *result = job->run(job, job->client, job->arg, &err);

	pthread_mutex_lock(&job->jobs->lock);
	job->result = result;
	job->err = err;
	job->state = atomic_load(&job->stop) ? JOB_STOPPED
		     : result != NULL	     ? JOB_DONE
					     : JOB_FAILED;
	job->jobs->n_running--;
	pthread_mutex_unlock(&job->jobs->lock);
	job_audit(job, atomic_load(&job->done), NULL);
	return NULL;
}

/* Drops the oldest of those that have ended, beyond the number that is kept. With
 * the lock held: their threads have let go of it for good. */
static void
jobs_expire(struct web_jobs *jobs)
{
	struct web_job *job = TAILQ_LAST(&jobs->list, job_list), *before;

	for (; job != NULL && jobs->n > JOBS_KEPT; job = before) {
		before = TAILQ_PREV(job, job_list, next);
		if (job->state == JOB_RUNNING)
			continue;
		TAILQ_REMOVE(&jobs->list, job, next);
		jobs->n--;
		job_free(job);
	}
}

/* The lock is held until the job is counted: its thread may end at once, and
 * takes itself off then. */
static int
job_start(struct web_job *job, int64_t counted, struct err *err)
{
	struct web_jobs *jobs = job->jobs;
	int r;

	pthread_mutex_lock(&jobs->lock);
	jobs_expire(jobs);
	if (jobs->n_running >= JOBS_RUNNING_MAX) {
		r = err_set(err, ERR_REFUSED,
			    "%d jobs run already; wait for one, or stop it",
			    JOBS_RUNNING_MAX);
	} else {
		job_audit(job, counted, "begun");
		r = thread_start(&job->thread, job_thread, job, err);
	}
	if (r == 0) {
		job->joinable = true;
		jobs->n_running++;
		jobs->n++;
		TAILQ_INSERT_HEAD(&jobs->list, job, next);
	}
	pthread_mutex_unlock(&jobs->lock);
	return r;
}

/* Copies: it is audited when the request is gone. */
static struct web_job *
job_new(const struct web_call *call, const char *action)
{
	struct web_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->jobs = call->shared->jobs;
	uuid_make_random(job->id);
	memcpy(job->request, call->id, sizeof(job->request));
	job->who = call->who;
	job->client = call->shared->client;
	job->action = strdup(action);
	job->target =
	    strdup(call->change.target != NULL ? call->change.target : "");
	job->peer = strdup(call->peer);
	if (job->action != NULL && job->target != NULL && job->peer != NULL)
		return job;
	job_free(job);
	return NULL;
}

/* What was to be done first, counting say, may have taken too long: nobody would
 * learn the job's id, so as to stop it. */
static int
job_is_wanted(const struct web_call *call, struct err *err)
{
	if (!web_stopped(call))
		return 0;
	return err_set(
	    err, ERR_TIMEOUT,
	    "the client waits no longer for the answer; the job was not "
	    "begun");
}

/* `arg` is the job's from here on, also if it cannot be begun. The answer is 202 with
 * its place (RFC 9110, section 15.3.3). */
int
web_job_begin(struct web_call *call, const char *action,
	      json_t *(*run)(struct web_job *job, struct flowrra_client *client,
			     void *arg, struct err *err),
	      void *arg, void (*release)(void *arg), struct err *err)
{
	struct web_job *job = job_new(call, action);
	char place[64 + UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];

	if (job == NULL) {
		if (release != NULL)
			release(arg);
		return err_nomem(err);
	}
	job->run = run;
	job->arg = arg;
	job->release = release;
	/* It may have ended, and been dropped, when it is answered. */
	memcpy(id, job->id, sizeof(id));
	if (job_is_wanted(call, err) != 0 ||
	    job_start(job, call->change.count, err) != 0) {
		job_free(job);
		return -1;
	}
	snprintf(place, sizeof(place), "%s/api/v1/jobs/%s", web_prefix(call),
		 id);
	web_field(call, "Location", place);
	web_status(call, 202);
	return web_answer(call, json_pack("{s:s}", "job", id), err);
}

/* Any thread may read the number at any moment. */
bool
web_job_progress(struct web_job *job, int64_t done)
{
	atomic_store(&job->done, done);
	return !atomic_load(&job->stop);
}

/* --- asking --------------------------------------------------------------- */

/* With the lock held. */
static json_t *
job_json(struct web_job *job)
{
	json_t *result =
	    job->result != NULL ? json_deep_copy(job->result) : json_null();
	json_t *error = job->state == JOB_FAILED
			    ? json_string(problem_shown(&job->err))
			    : json_null();

	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:o,s:o}", "job", job->id,
			 "action", job->action, "user", job->who.user, "state",
			 job_states[job->state], "done",
			 (json_int_t)atomic_load(&job->done), "result", result,
			 "error", error != NULL ? error : json_null());
}

/* Finds a job, and stops it or not, under one lock: the answer shows it as it was at
 * the moment of the stop. */
static json_t *
jobs_ask(struct web_jobs *jobs, const char *id, bool stop, struct err *err)
{
	json_t *value = NULL;
	struct web_job *job;

	pthread_mutex_lock(&jobs->lock);
	TAILQ_FOREACH (job, &jobs->list, next)
		if (strcmp(job->id, id) == 0)
			break;
	if (job == NULL) {
		err_set(
		    err, ERR_NOT_FOUND,
		    "there is no job \"%.64s\"; the last %d are kept, until "
		    "flowrra-web is restarted",
		    id, JOBS_KEPT);
	} else if (stop && job->state != JOB_RUNNING) {
		err_set(err, ERR_REFUSED, "job %s has ended", job->id);
	} else {
		if (stop)
			atomic_store(&job->stop, true);
		if ((value = job_json(job)) == NULL)
			err_nomem(err);
	}
	pthread_mutex_unlock(&jobs->lock);
	return value;
}

/* For any viewer: that a job runs explains what its page shows. */
json_t *
jobs_get(struct web_jobs *jobs, const char *id, struct err *err)
{
	return jobs_ask(jobs, id, false, err);
}

/* Stops it at the next web_job_progress(); what it has done stays done. */
json_t *
jobs_stop(struct web_jobs *jobs, const char *id, struct err *err)
{
	return jobs_ask(jobs, id, true, err);
}
