/* SPDX-License-Identifier: MIT */
/*
 * The modules, tried in a process of their own.
 *
 * It is told what an executor would be told, over its standard input, and says on
 * a pipe which module comes next and at the end which are refused. What it says
 * is code of others, and so is checked like a READY message.
 */
#include "loadable.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules.h"
#include "pool/handlers.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/conf_module.h"
#include "util/err.h"
#include "util/findings.h"
#include "util/proc.h"

/* As long as an executor may take to come up. */
#define LOADABLE_MS 10000
/* The largest READY message would be larger; nobody has so many tasks. */
#define LOADABLE_ANSWER_MAX (64u << 20)

struct attempt {
	const struct conf *conf;
	struct findings *findings;
	const char *executor;
	char **paths; /* those that are left to try */
	const struct modules *modules;
	struct buf answer;
	bool late;
	int status; /* of waitpid() */
};

static json_t *
paths_of(char *const *paths)
{
	json_t *list = json_array();

	for (; *paths != NULL; paths++)
		if (json_array_append_new(list, json_string(*paths)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* One executor loads all of them here. */
static json_t *
configs_of(const struct modules *modules)
{
	json_t *config = json_loads(modules->config, 0, NULL);
	json_t *commands = json_loads(modules->commands_config, 0, NULL);

	json_object_update(config, commands);
	json_decref(commands);
	return config;
}

/* A file without a name: what is in it may be longer than a pipe takes. */
static int
write_orders(const struct attempt *a, struct err *err)
{
	json_t *orders = json_pack("{so, so}", "modules", paths_of(a->paths),
				   "config", configs_of(a->modules));
	int fd = memfd_create("check", MFD_CLOEXEC);
	int r = orders != NULL && fd >= 0
		    ? json_dumpfd(orders, fd, JSON_COMPACT)
		    : -1;

	json_decref(orders);
	if (r == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	err_sys(err, ERR_SYSTEM, "cannot write orders for an executor");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Its output goes to our standard error: that of modules is for people. */
static int
attempt_spawn(const struct attempt *a, int orders, int answer, pid_t *ret_pid,
	      struct err *err)
{
	const char *argv[] = {"flowrra-executor", "--check", NULL};
	const int fds[] = {orders, STDERR_FILENO, STDERR_FILENO, answer};
	char **environment = conf_public_environment();
	const struct proc_options options = {
	    .path = a->executor,
	    .argv = argv,
	    .envp = (const char *const *)environment,
	    .fds = fds,
	    .n_fds = 4,
	    .new_group = true,
	    .die_with_parent = true};
	int r;

	if (environment == NULL)
		return err_nomem(err);
	r = proc_spawn(&options, ret_pid, err);
	free(environment);
	return r;
}

/* Until its end: a module may have left the pipe to a child. */
static void
attempt_read(struct attempt *a, int fd)
{
	const int64_t until_ms = clock_mono_ms() + LOADABLE_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;
	ssize_t n;

	while (a->answer.len < LOADABLE_ANSWER_MAX &&
	       buf_reserve(&a->answer, 4096) == 0) {
		left = until_ms - clock_mono_ms();
		a->late = left <= 0 || poll(&p, 1, (int)left) == 0;
		if (a->late)
			return;
		n = read(fd, a->answer.data + a->answer.len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		a->answer.len += (size_t)n;
		a->answer.data[a->answer.len] = '\0';
	}
}

static int
attempt_run(struct attempt *a, struct err *err)
{
	int orders = write_orders(a, err), answer[2], r;
	pid_t pid;

	if (orders < 0)
		return -1;
	if (pipe2(answer, O_CLOEXEC) != 0) {
		close(orders);
		return err_sys(err, ERR_SYSTEM, "cannot make a pipe");
	}
	r = attempt_spawn(a, orders, answer[1], &pid, err);
	close(orders);
	close(answer[1]);
	if (r == 0) {
		attempt_read(a, answer[0]);
		/* What it has left in its group, too. */
		if (a->late)
			kill(-pid, SIGKILL);
		while (waitpid(pid, &a->status, 0) == -1 && errno == EINTR)
			;
		kill(-pid, SIGKILL);
	}
	close(answer[0]);
	return r;
}

/* The start of the last line of the answer; *ret_ends says what line. */
static char *
last_line(struct buf *answer)
{
	char *nl;

	while (answer->len > 0 && answer->data[answer->len - 1] == '\n')
		answer->data[--answer->len] = '\0';
	if (answer->len == 0)
		return NULL;
	nl = strrchr(answer->data, '\n');
	return nl != NULL ? nl + 1 : answer->data;
}

static void
loadable_add(const struct attempt *a, struct err *err)
{
	conf_prefix_place(a->conf, "worker", "modules", err);
	findings_add(a->findings, err);
}

/* Names the one that ended the process and leaves it out. Returns whether there
 * is another attempt to make. */
static bool
attempt_blame(struct attempt *a, const char *path)
{
	const char *name = sigabbrev_np(WTERMSIG(a->status));
	char **from, **to = a->paths;
	bool found = false;
	struct err err;

	if (a->late)
		err_set(&err, ERR_CONFIG,
			"module %s: it is not loaded within %d s", path,
			LOADABLE_MS / 1000);
	else if (WIFSIGNALED(a->status))
		err_set(&err, ERR_CONFIG,
			"module %s: it ends the process that loads it: killed "
			"by SIG%s",
			path, name != NULL ? name : "?");
	else
		err_set(&err, ERR_CONFIG,
			"module %s: it ends the process that loads it: exit "
			"status %d",
			path, WEXITSTATUS(a->status));
	loadable_add(a, &err);
	for (from = a->paths; *from != NULL; from++) {
		if (strcmp(*from, path) == 0) {
			free(*from);
			found = true;
		} else
			*to++ = *from;
	}
	*to = NULL;
	return found && a->paths[0] != NULL;
}

/* Whether a task of it was described. */
static bool
has_module(const json_t *tasks, const char *name)
{
	const char *module;
	const json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task) {
		module = json_string_value(json_object_get(task, "module"));
		if (module != NULL && strcmp(module, name) == 0)
			return true;
	}
	return false;
}

/* A section for a module that is not there is probably a name that was mistyped:
 * the module meant gets nothing. */
static void
attempt_tell_unused(const struct attempt *a, const char *json)
{
	json_t *ready = json_loads(json, 0, NULL);
	json_t *config = json_loads(a->modules->config, 0, NULL);
	const struct conf_module *m;
	size_t i;

	for (i = 0; i < a->conf->n_modules; i++) {
		m = a->conf->modules[i];
		/* One that needs credentials was not asked for its tasks. */
		if (!json_is_null(json_object_get(config, m->name)) &&
		    !has_module(json_object_get(ready, "tasks"), m->name))
			findings_warn(a->findings,
				      "%s:%d: [module %s]: no module of this "
				      "name is loaded ([worker] modules)",
				      m->path, m->line, m->name);
	}
	json_decref(ready);
	json_decref(config);
}

static void
attempt_tell_refused(struct attempt *a, const char *json, struct err *err)
{
	struct handlers handlers = {.list = NULL};
	size_t i;

	if (handlers_read(slice_of(json), &handlers, err) != 0) {
		findings_add(a->findings, err);
		return;
	}
	for (i = 0; i < handlers.n_refused; i++) {
		err_set(err, ERR_CONFIG, "%s", handlers.refused[i]);
		loadable_add(a, err);
	}
	/* What was refused has told no name. */
	if (handlers.n_refused == 0)
		attempt_tell_unused(a, json);
	handlers_done(&handlers);
}

/* Returns whether there is another attempt to make. */
static bool
attempt_judge(struct attempt *a, struct err *err)
{
	static const char loading[] = "loading ";
	const char *line = last_line(&a->answer);

	if (line != NULL && *line == '{' && !a->late)
		attempt_tell_refused(a, line, err);
	else if (line != NULL && strncmp(line, loading, strlen(loading)) == 0)
		return attempt_blame(a, line + strlen(loading));
	else {
		err_set(err, ERR_SYSTEM,
			"%s --check did not say what it can load", a->executor);
		findings_add(a->findings, err);
	}
	return false;
}

void
loadable_check(const struct conf *conf, const struct modules *modules,
	       struct findings *findings)
{
	struct err err = ERR_INIT;
	char *executor =
	    proc_beside("../libexec/flowrra/flowrra-executor", &err);
	struct attempt a = {.conf = conf,
			    .findings = findings,
			    .executor = executor,
			    .paths = modules->paths,
			    .modules = modules};
	bool again = executor != NULL;

	if (executor == NULL)
		findings_add(findings, &err);
	while (again) {
		a.late = false;
		buf_reset(&a.answer);
		if (attempt_run(&a, &err) == 0)
			again = attempt_judge(&a, &err);
		else {
			findings_add(findings, &err);
			again = false;
		}
	}
	buf_done(&a.answer);
	free(executor);
}
