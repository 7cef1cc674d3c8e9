/* SPDX-License-Identifier: MIT */
/* An executor that does what the test says. */
#include "pool/fake_executor.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "util/clock.h"
#include "util/err.h"

#define JOBS_MAX 4096
/* An executor that nobody ends must not outlive its test for long. */
#define LIFE_S 30

struct fake_job {
	uint32_t number; /* 0: none */
	int64_t ran_us;	 /* that DONE claims */
	bool queued, deaf, stall;
};

static struct ipc_channel channel;
static struct fake_job jobs[JOBS_MAX];
static bool is_cpu;
static struct ipc_pong pong; /* what it answers to PING */
static uint32_t blocker;

/* --- what it says ------------------------------------------------------ */

static void
say(enum ipc_type type, uint32_t number, const void *fixed, const char *text)
{
	const struct slice rest = slice_of(text);
	struct err err;

	ipc_put(&channel.out, type, number, fixed, &rest, rest.len > 0);
	while (ipc_channel_flush(&channel, &err) == 0)
		;
}

static void
say_bytes(const void *bytes, size_t len)
{
	if (write(IPC_FD, bytes, len) != (ssize_t)len)
		_exit(99);
}

static void
say_done(struct fake_job *job, enum ipc_outcome outcome, bool limited,
	 const char *text)
{
	const int64_t now = clock_wall_us();
	const struct ipc_done done = {.started_us = now - job->ran_us,
				      .finished_us = now,
				      .ran_us = job->ran_us,
				      .outcome = outcome,
				      .limited = limited};

	say(IPC_DONE, job->number, &done, text);
	job->number = 0;
}

static void
say_started(uint32_t number)
{
	const struct ipc_started started = {clock_wall_us()};

	say(IPC_STARTED, number, &started, "");
}

static void
say_last_words(uint32_t number, const char *value)
{
	struct ipc_last_words words = {.task = number};
	char *end;

	words.signal = (int32_t)strtol(value, &end, 10);
	words.status = (int32_t)strtol(end + 1, &end, 10);
	if (*end == ':')
		words.task = (uint32_t)strtoul(end + 1, &end, 10);
	if (*end == ':')
		words.thread = (uint32_t)strtoul(end + 1, NULL, 10);
	if (write(IPC_CRASH_FD, &words, sizeof(words)) != sizeof(words))
		_exit(98);
}

/* --- steps ------------------------------------------------------------- */

static struct fake_job nobody;

static void
step_started(struct fake_job *job, const char *value)
{
	say_started(job->number);
}

static void
step_other(struct fake_job *job, const char *value)
{
	say_started((uint32_t)strtoul(value, NULL, 10));
}

static void
step_done(struct fake_job *job, const char *value)
{
	say_done(job, IPC_SUCCESS, false, value);
}

static void
step_failed(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED, false, value);
}

static void
step_final(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED_FINAL, false, value);
}

static void
step_lost(struct fake_job *job, const char *value)
{
	say_done(job, IPC_LOST, false, value);
}

static void
step_behind(struct fake_job *job, const char *value)
{
	pong.missed = (uint32_t)atoi(value);
	blocker = job->number;
}

static void
step_nameless(struct fake_job *job, const char *value)
{
	pong.missed = (uint32_t)atoi(value);
	blocker = 0;
}

static void
step_limited(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED, true, value);
}

static void
step_lied(struct fake_job *job, const char *value)
{
	const struct ipc_done done = {.started_us = INT64_MIN,
				      .finished_us = INT64_MAX,
				      .ran_us = INT64_MAX,
				      .outcome = value[0] == 'f' ? IPC_FAILED
								 : IPC_SUCCESS};

	say(IPC_DONE, job->number, &done, value);
	job->number = 0;
}

static void
step_progress(struct fake_job *job, const char *value)
{
	say(IPC_PROGRESS, job->number, NULL, value);
}

static void
step_log(struct fake_job *job, const char *value)
{
	char *text;
	const struct ipc_log log = {(uint32_t)strtoul(value, &text, 10)};

	say(IPC_LOG, job->number, &log, text + 1);
}

static void
step_submit(struct fake_job *job, const char *value)
{
	say(IPC_SUBMIT, job->number, &(struct ipc_submit){7}, value);
}

static void
step_returned(struct fake_job *job, const char *value)
{
	say(IPC_RETURNED, job->number, NULL, "");
	job->number = 0;
}

static void
step_print(struct fake_job *job, const char *value)
{
	dprintf(STDOUT_FILENO, "%s\n", value);
}

static void
step_unfinished(struct fake_job *job, const char *value)
{
	dprintf(STDOUT_FILENO, "%s", value);
}

static void
step_complain(struct fake_job *job, const char *value)
{
	dprintf(STDERR_FILENO, "%s\n", value);
}

static void
step_flood(struct fake_job *job, const char *value)
{
	const int n = atoi(value);
	int i;

	for (i = 0; i < n; i++)
		dprintf(STDOUT_FILENO, "line %d\n", i);
}

static void
step_long(struct fake_job *job, const char *value)
{
	int n = atoi(value);

	while (n-- > 0)
		dprintf(STDOUT_FILENO, "x");
	dprintf(STDOUT_FILENO, "\n");
}

static void
step_ran(struct fake_job *job, const char *value)
{
	job->ran_us = atoll(value);
}

static void
step_pad(struct fake_job *job, const char *value)
{
}

static void
step_needs(struct fake_job *job, const char *value)
{
	if (access(value, F_OK) != 0)
		_exit(3);
}

/* Only the beginning of a frame of `value` bytes. */
static void
step_cut(struct fake_job *job, const char *value)
{
	const struct ipc_header header = {
	    .size = (uint32_t)strtoul(value, NULL, 10),
	    .type = IPC_PROGRESS,
	    .task = job->number};

	say_bytes(&header, sizeof(header));
}

static void
step_type(struct fake_job *job, const char *value)
{
	const struct ipc_header header = {.size = sizeof(header),
					  .type = (uint32_t)atoi(value),
					  .task = job->number};

	say_bytes(&header, sizeof(header));
}

static void
step_bytes(struct fake_job *job, const char *value)
{
	say_bytes(value, strlen(value));
}

static void
step_exit(struct fake_job *job, const char *value)
{
	_exit(atoi(value));
}

static void
step_kill(struct fake_job *job, const char *value)
{
	signal(atoi(value), SIG_DFL);
	raise(atoi(value));
}

static void
step_words(struct fake_job *job, const char *value)
{
	say_last_words(job->number, value);
}

static void
step_queued(struct fake_job *job, const char *value)
{
	job->queued = true;
}

static void
step_stall(struct fake_job *job, const char *value)
{
	job->stall = true;
}

static void
step_deaf(struct fake_job *job, const char *value)
{
	job->deaf = true;
}

static void
step_fork(struct fake_job *job, const char *value)
{
	const pid_t pid = fork();

	if (pid == 0) {
		alarm(LIFE_S);
		for (;;)
			pause();
	}
	dprintf(STDOUT_FILENO, "%d\n", (int)pid);
}

static void
step_close(struct fake_job *job, const char *value)
{
	close(IPC_FD);
	for (;;)
		pause();
}

static void
step_silent(struct fake_job *job, const char *value)
{
	for (;;)
		pause();
}

static void
step_hello(struct fake_job *job, const char *value)
{
	const struct ipc_hello hello = {.version = (uint32_t)atoi(value),
					.pid = (int32_t)getpid()};

	say(IPC_HELLO, 0, &hello, "");
}

static void
step_ready(struct fake_job *job, const char *value)
{
	say(IPC_READY, 0, NULL, value);
}

static const struct {
	const char *name;
	void (*take)(struct fake_job *job, const char *value);
} steps[] = {
    {"started", step_started},
    {"other", step_other},
    {"done", step_done},
    {"failed", step_failed},
    {"final", step_final},
    {"limited", step_limited},
    {"lied", step_lied},
    {"progress", step_progress},
    {"log", step_log},
    {"submit", step_submit},
    {"returned", step_returned},
    {"print", step_print},
    {"unfinished", step_unfinished},
    {"complain", step_complain},
    {"flood", step_flood},
    {"long", step_long},
    {"ran", step_ran},
    {"pad", step_pad},
    {"needs", step_needs},
    {"cut", step_cut},
    {"type", step_type},
    {"bytes", step_bytes},
    {"exit", step_exit},
    {"kill", step_kill},
    {"words", step_words},
    {"queued", step_queued},
    {"deaf", step_deaf},
    {"stall", step_stall},
    {"fork", step_fork},
    {"close", step_close},
    {"silent", step_silent},
    {"lost", step_lost},
    {"behind", step_behind},
    {"nameless", step_nameless},
    {"hello", step_hello},
    {"ready", step_ready},
};

static void
take_step(struct fake_job *job, const char *step)
{
	const size_t len = strcspn(step, "=");
	const char *value = step[len] == '=' ? step + len + 1 : "";
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == len &&
		    memcmp(steps[i].name, step, len) == 0) {
			steps[i].take(job, value);
			return;
		}
	fprintf(stderr, "the fake executor does not know the step %s\n", step);
	_exit(97);
}

/* --- what it is told --------------------------------------------------- */

static struct fake_job *
job_numbered(uint32_t number)
{
	size_t i;

	for (i = 0; i < JOBS_MAX; i++)
		if (jobs[i].number == number)
			return &jobs[i];
	return NULL;
}

/* What begins with "cpu:" is for cpu executors only. */
static void
take_steps(struct fake_job *job, const json_t *list)
{
	const json_t *step;
	size_t i;

	json_array_foreach (list, i, step)
		if (strncmp(json_string_value(step), "cpu:", 4) != 0)
			take_step(job, json_string_value(step));
		else if (is_cpu)
			take_step(job, json_string_value(step) + 4);
}

static bool
has_step(const json_t *list, const char *name)
{
	const json_t *step;
	size_t i;

	json_array_foreach (list, i, step)
		if (strncmp(json_string_value(step), name, strlen(name)) == 0)
			return true;
	return false;
}

static void
told_init(const struct ipc_message *m)
{
	json_t *root = json_loadb(m->rest.p, m->rest.len, 0, NULL);
	const json_t *modules = json_object_get(root, "modules");
	char hello[16];

	is_cpu = !((const struct ipc_init *)m->fixed)->asynchronous;
	snprintf(hello, sizeof(hello), "%u", IPC_VERSION);
	if (!has_step(modules, "hello"))
		step_hello(&nobody, hello);
	take_steps(&nobody, modules);
	if (!has_step(modules, "ready"))
		step_ready(&nobody, "{\"tasks\":["
				    "{\"name\":\"job\",\"queue\":\"io\"},"
				    "{\"name\":\"async\",\"queue\":\"io\","
				    "\"async\":true},"
				    "{\"name\":\"cpu\",\"queue\":\"io\","
				    "\"cpu_bound\":true}]}");
	json_decref(root);
}

static void
told_run(const struct ipc_message *m)
{
	struct fake_job *job = job_numbered(0);
	struct ipc_run_parts parts;
	json_t *args;

	if (job == NULL || ipc_run_parts(m, &parts, NULL) != 0)
		_exit(96);
	*job = (struct fake_job){.number = m->task, .ran_us = 1000};
	args = json_loadb(parts.args.p, parts.args.len, 0, NULL);
	take_steps(job, args);
	json_decref(args);
}

/* The last one that came is given back first. */
static void
told_recall(void)
{
	size_t i;

	for (i = 0; i < JOBS_MAX; i++)
		if (jobs[i].number != 0 && jobs[i].stall) {
			step_progress(&jobs[i], "\"recall\"");
			return;
		}
	for (i = JOBS_MAX; i-- > 0;)
		if (jobs[i].number != 0 && jobs[i].queued)
			step_returned(&jobs[i], NULL);
	say(IPC_RECALLED, 0, NULL, "");
}

static void
told_cancel(uint32_t number)
{
	struct fake_job *job = job_numbered(number);

	if (job != NULL && !job->deaf)
		step_limited(job, "told to end");
}

static void
told_submitted(const struct ipc_message *m)
{
	const struct ipc_submitted *fixed = m->fixed;
	struct fake_job *job = job_numbered(m->task);
	json_t *answer =
	    json_pack("{si,ss%}", "code", (int)fixed->code, "text",
		      m->rest.p != NULL ? m->rest.p : "", m->rest.len);
	char *text = json_dumps(answer, JSON_COMPACT);

	if (job != NULL)
		step_done(job, text);
	free(text);
	json_decref(answer);
}

static void
told(const struct ipc_message *m)
{
	switch (m->type) {
	case IPC_INIT:
		told_init(m);
		break;
	case IPC_RUN:
		told_run(m);
		break;
	case IPC_RECALL:
		told_recall();
		break;
	case IPC_CANCEL:
		told_cancel(m->task);
		break;
	case IPC_SUBMITTED:
		told_submitted(m);
		break;
	case IPC_PING:
		say(IPC_PONG, blocker, &pong, "");
		break;
	case IPC_STOP:
		_exit(0);
	default:
		_exit(95);
	}
}

/* --- being one --------------------------------------------------------- */

static void
be_executor(void)
{
	struct ipc_message m;
	struct err err;
	int n;

	alarm(LIFE_S);
	signal(SIGPIPE, SIG_IGN);
	ipc_channel_init(&channel, IPC_FD, IPC_TO_EXECUTOR);
	for (;;) {
		while ((n = ipc_channel_next(&channel, &m, &err)) > 0)
			told(&m);
		if (n < 0 || ipc_channel_wait(&channel, &err) < 0)
			_exit(0);
	}
}

/* Before main(): the program is the tests', but for its name. */
__attribute__((constructor)) static void
fake_executor_check(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "flowrra-executor") == 0)
		be_executor();
}

const char *
fake_executor_path(void)
{
	static char path[4096];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		abort();
	path[n] = '\0';
	return path;
}
