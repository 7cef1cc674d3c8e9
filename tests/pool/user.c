/* SPDX-License-Identifier: MIT */
/* Notes what a pool tells its user. */
#include "pool/user.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "pool/fake_executor.h"

#define RUN_OF(ptr) ((struct run *)(void *)(ptr)) /* its first member */
/* Enough for the pool to know that they are short. */
#define SHORT_JOBS 80

const struct conf_executor user_conf = {.io_workers = 2,
					.cpu_workers = 1,
					.async_tasks = 2,
					.stuck_grace = 3600000000,
					.max_result_size = 65536};

/* --- what the pool calls ----------------------------------------------- */

static struct pool_job *
user_find(uint32_t number, void *arg)
{
	struct user *u = arg;

	return number > 0 && number <= USER_JOBS ? &u->runs[number - 1].job
						 : NULL;
}

static void
note_text(char *to, size_t size, struct slice text)
{
	ck_assert_uint_lt(text.len, size);
	if (text.len > 0)
		memcpy(to, text.p, text.len);
	to[text.len] = '\0';
}

/* The pool gives it back: it is nowhere any more. */
static void
note_back(struct user *u, struct pool_job *job)
{
	ck_assert_ptr_null(job->executor);
	RUN_OF(job)->back_as = ++u->back;
}

static void
user_on_started(struct pool_job *job, int64_t started_us, void *arg)
{
	ck_assert_int_gt(started_us, 0);
	RUN_OF(job)->started = true;
}

static void
user_on_progress(struct pool_job *job, struct slice json, void *arg)
{
	RUN_OF(job)->progresses++;
	note_text(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), json);
}

static void
user_on_log(struct pool_job *job, int level, struct slice text, void *arg)
{
	RUN_OF(job)->logs++;
	RUN_OF(job)->level = level;
	note_text(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), text);
}

static void
user_on_print(struct pool_job *job, struct slice line, void *arg)
{
	RUN_OF(job)->prints++;
	note_text(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), line);
}

static void
user_on_submit(struct pool_job *job, pid_t executor,
	       const struct ipc_submit *fixed, struct slice json, void *arg)
{
	struct run *r = RUN_OF(job);

	r->submits++;
	r->request = fixed->request;
	r->asker = executor;
	note_text(r->said, sizeof(r->said), json);
}

static void
user_on_await(struct pool_job *job, pid_t executor,
	      const struct ipc_await *fixed, struct slice id, void *arg)
{
	note_text(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), id);
}

static void
user_on_output(struct pool_job *job, struct slice text, void *arg)
{
	note_text(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), text);
}

static void
user_on_forget(struct pool_job *job, pid_t executor, uint32_t request,
	       void *arg)
{
	snprintf(RUN_OF(job)->said, sizeof(RUN_OF(job)->said), "forget %u",
		 request);
}

static void
user_on_done(struct pool_job *job, const struct ipc_done *done,
	     struct slice text, void *arg)
{
	struct run *r = RUN_OF(job);

	note_back(arg, job);
	note_text(r->text, sizeof(r->text), text);
	r->end = *done;
	r->done = true;
}

static void
user_on_returned(struct pool_job *job, void *arg)
{
	note_back(arg, job);
	RUN_OF(job)->returned = true;
}

static void
user_on_exit(struct pool_job *job, const struct pool_exit *end, void *arg)
{
	struct run *r = RUN_OF(job);

	note_back(arg, job);
	r->ends++;
	r->fate = end->fate;
	r->how = *end->how;
	note_text(r->text, sizeof(r->text), end->why);
}

static void
user_on_ready(void *arg)
{
	((struct user *)arg)->ready = true;
}

static void
user_on_reloaded(const struct err *why, void *arg)
{
	struct user *u = arg;

	u->reloads++;
	u->reload_err = why != NULL ? *why : (struct err){.code = ERR_NONE};
}

static void
user_on_change(void *arg)
{
	((struct user *)arg)->changes++;
}

static void
user_on_silent(void *arg)
{
	((struct user *)arg)->silents++;
}

static const struct pool_events user_events = {.find = user_find,
					       .on_started = user_on_started,
					       .on_progress = user_on_progress,
					       .on_log = user_on_log,
					       .on_print = user_on_print,
					       .on_submit = user_on_submit,
					       .on_await = user_on_await,
					       .on_forget = user_on_forget,
					       .on_output = user_on_output,
					       .on_done = user_on_done,
					       .on_returned = user_on_returned,
					       .on_exit = user_on_exit,
					       .on_ready = user_on_ready,
					       .on_reloaded = user_on_reloaded,
					       .on_change = user_on_change,
					       .on_silent = user_on_silent};

/* --- opening and closing ----------------------------------------------- */

struct user *
user_open(const char *executor, const struct conf_executor *conf,
	  const char *const *modules)
{
	struct user *u = calloc(1, sizeof(*u));
	struct err err;

	u->base = event_base_new();
	u->pool = pool_new(
	    &(struct pool_options){.base = u->base,
				   .executor = executor,
				   .conf = conf,
				   .modules = {modules, "{}", NULL, NULL},
				   .events = &user_events,
				   .arg = u},
	    &err);
	ck_assert_msg(u->pool != NULL, "%s", err.msg);
	ck_assert_ptr_null(pool_handlers(u->pool));
	return u;
}

struct user *
user_fake(const struct conf_executor *conf, const char *step)
{
	return user_open(fake_executor_path(), conf,
			 (const char *const[]){step, NULL});
}

struct user *
user_fake_up(const struct conf_executor *conf, const char *step)
{
	struct user *u = user_fake(conf, step);

	WAIT(u, u->ready);
	return u;
}

void
user_close(struct user *u)
{
	size_t i;

	pool_free(u->pool);
	event_base_free(u->base);
	for (i = 0; i < USER_JOBS; i++) {
		ck_assert_ptr_null(u->runs[i].job.executor);
		free(u->runs[i].args);
	}
	free(u);
}

/* --- the loop ---------------------------------------------------------- */

void
user_turn(struct event_base *base)
{
	const struct timeval ten_ms = {.tv_usec = 10000};

	event_base_loopexit(base, &ten_ms);
	event_base_loop(base, EVLOOP_ONCE);
}

void
user_settle(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

bool
user_has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* --- jobs and executors ------------------------------------------------ */

struct run *
user_run(struct user *u, unsigned int i, enum pool_kind kind, const char *name,
	 const char *args)
{
	struct run *r = &u->runs[i];

	free(r->args);
	*r = (struct run){.args = strdup(args)};
	r->task = (struct task){.id = (char *)"t",
				.name = (char *)name,
				.args = slice_of(r->args),
				.kwargs = SLICE("{}")};
	r->job =
	    (struct pool_job){.task = &r->task, .kind = kind, .number = i + 1};
	ck_assert(pool_run(u->pool, &r->job));
	ck_assert_ptr_nonnull(r->job.executor);
	return r;
}

struct run *
user_steps(struct user *u, unsigned int i, enum pool_kind kind,
	   const char *const *steps)
{
	static const char *const names[] = {[POOL_THREAD] = "job",
					    [POOL_ASYNC] = "async",
					    [POOL_CPU] = "cpu",
					    [POOL_ALONE] = "job"};
	struct buf args = BUF_INIT;
	struct run *r;
	size_t n;

	buf_addc(&args, '[');
	for (n = 0; steps[n] != NULL; n++) {
		if (n > 0)
			buf_addc(&args, ',');
		scan_quote(&args, slice_of(steps[n]));
	}
	buf_addc(&args, ']');
	buf_addc(&args, '\0');
	r = user_run(u, i, kind, names[kind], args.data);
	buf_done(&args);
	return r;
}

void
user_short_jobs(struct user *u, unsigned int i, enum pool_kind kind)
{
	unsigned int n;
	struct run *r;

	for (n = 0; n < SHORT_JOBS; n++) {
		r = STEPS(u, i, kind, "ran=0", "done=1");
		WAIT(u, r->done);
	}
}

void
user_fates(struct user *u, const enum pool_fate *fates, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		WAIT(u, u->runs[i].ends == 1);
	for (i = 0; i < n; i++)
		ck_assert_msg(u->runs[i].fate == fates[i],
			      "job %zu: fate %d, not %d", i,
			      (int)u->runs[i].fate, (int)fates[i]);
}

pid_t
user_executor(const struct user *u, const char *kind, unsigned int n)
{
	const struct executor *e = NULL;
	struct pool_member member;

	while ((e = pool_next_executor(u->pool, e, &member)) != NULL)
		if (strcmp(member.kind, kind) == 0 && n-- == 0)
			return member.pid;
	return 0;
}

unsigned int
user_executors(const struct user *u, const char *kind)
{
	unsigned int n = 0;

	while (user_executor(u, kind, n) != 0)
		n++;
	return n;
}

void
user_add(struct user *u, enum pool_kind kind)
{
	pool_start(u->pool, kind);
	ck_assert(pool_is_starting(u->pool, kind));
	WAIT(u, !pool_is_starting(u->pool, kind));
}

void
user_add_cpu(struct user *u)
{
	user_add(u, POOL_CPU);
}
