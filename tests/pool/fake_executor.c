/* SPDX-License-Identifier: MIT */
/* An executor that does what the test says: what it is told, and its steps. */
#include "pool/fake_executor.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "pool/fake_steps.h"
#include "util/err.h"

#define JOBS_MAX 4096

static struct fake_job jobs[JOBS_MAX];
static struct fake_job nobody; /* for steps at the start */
static bool is_cpu;

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
			fake_step_take(job, json_string_value(step));
		else if (is_cpu)
			fake_step_take(job, json_string_value(step) + 4);
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
	char hello[32];

	is_cpu = !((const struct ipc_init *)m->fixed)->asynchronous;
	snprintf(hello, sizeof(hello), "hello=%u", IPC_VERSION);
	if (!has_step(modules, "hello"))
		fake_step_take(&nobody, hello);
	take_steps(&nobody, modules);
	if (!has_step(modules, "ready"))
		fake_step_take(&nobody, "ready={\"tasks\":["
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
			fake_step_take(&jobs[i], "progress=\"recall\"");
			return;
		}
	for (i = JOBS_MAX; i-- > 0;)
		if (jobs[i].number != 0 && jobs[i].queued)
			fake_step_take(&jobs[i], "returned");
	fake_step_say(IPC_RECALLED, 0, NULL, "");
}

static void
told_cancel(uint32_t number)
{
	struct fake_job *job = job_numbered(number);

	if (job != NULL && !job->deaf)
		fake_step_take(job, "limited=told to end");
}

static void
told_submitted(const struct ipc_message *m)
{
	const struct ipc_submitted *fixed = m->fixed;
	struct fake_job *job = job_numbered(m->task);
	json_t *answer =
	    json_pack("{si,ss%}", "code", (int)fixed->code, "text",
		      m->rest.p != NULL ? m->rest.p : "", m->rest.len);
	char *text = json_dumps(answer, JSON_COMPACT), *step;

	if (text == NULL || asprintf(&step, "done=%s", text) < 0)
		_exit(94);
	if (job != NULL)
		fake_step_take(job, step);
	free(step);
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
		fake_step_pong();
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

	alarm(FAKE_LIFE_S);
	signal(SIGPIPE, SIG_IGN);
	ipc_channel_init(&fake_step_channel, IPC_FD, IPC_TO_EXECUTOR);
	for (;;) {
		while ((n = ipc_channel_next(&fake_step_channel, &m, &err)) > 0)
			told(&m);
		if (n < 0 || ipc_channel_wait(&fake_step_channel, &err) < 0)
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
