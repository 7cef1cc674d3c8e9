/* SPDX-License-Identifier: MIT */
/* A task for every way to bring an executor down. crash_cpu.c has the same ones
 * for cpu executors. */
#include <err.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <flowrra/module.h>

#ifndef CRASH_PREFIX
#define CRASH_PREFIX "crash."
#define CRASH_CPU_BOUND false
#endif

/* Keeps compilers from seeing through what follows. */
static volatile int zero, one = 1;
static void *volatile nowhere;

/* Sanitizers have ways of their own to end a process. */
#define CRASH(name)                                                            \
	__attribute__((no_sanitize("undefined"))) static int name(             \
	    struct flowrra_task *task, const json_t *args,                     \
	    const json_t *kwargs, json_t **result)
#define UNUSED (void)task, (void)args, (void)kwargs, (void)result

CRASH(segv)
{
	UNUSED;
	return *(volatile int *)nowhere;
}

CRASH(raise_)
{
	UNUSED;
	raise((int)json_integer_value(json_array_get(args, 0)));
	return 0;
}

CRASH(fpe)
{
	UNUSED;
	return one / zero;
}

CRASH(ill)
{
	UNUSED;
	__builtin_trap();
	return 0;
}

CRASH(abort_)
{
	UNUSED;
	abort();
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
CRASH(double_free)
{
	/* Too large for the per-thread cache, which is checked less. */
	char *volatile p = malloc(5000);

	UNUSED;
	free(p);
	free(p);
	return 0;
}

static int
deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = *above;
	return deeper(here) + here[0];
}
#pragma GCC diagnostic pop

CRASH(stack_overflow)
{
	char c = 0;

	UNUSED;
	return deeper(&c);
}

CRASH(exit_)
{
	UNUSED;
	exit((int)json_integer_value(json_array_get(args, 0)));
}

CRASH(underscore_exit)
{
	UNUSED;
	_exit(0);
}

CRASH(quick_exit_)
{
	UNUSED;
	quick_exit(0);
}

CRASH(errx_)
{
	UNUSED;
	errx(0, "the C library calls exit() itself");
}

CRASH(pthread_exit_)
{
	UNUSED;
	pthread_exit(NULL);
}

/* Not a crash: a child of the handler's own calls exit(). */
CRASH(fork_exit)
{
	pid_t pid = fork();
	int status = -1;

	UNUSED;
	if (pid == 0)
		exit((int)json_integer_value(json_array_get(args, 0)));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return flowrra_fail(task, "no child");
	*result = json_integer(WEXITSTATUS(status));
	return 0;
}

static void
segv_async(struct flowrra_task *task, struct event_base *base,
	   const json_t *args, const json_t *kwargs)
{
	json_t *result;

	segv(task, args, kwargs, &result);
}

static void
on_callback(evutil_socket_t fd, short what, void *arg)
{
	*(volatile int *)nowhere = (int)what;
}

/* crash.callback [MS]: crashes in a callback of its own, after 20 ms by
 * default, when the loop runs no handler. */
static void
segv_callback(struct flowrra_task *task, struct event_base *base,
	      const json_t *args, const json_t *kwargs)
{
	const json_int_t ms = json_integer_value(json_array_get(args, 0));
	const struct timeval tv = {.tv_usec = (ms > 0 ? ms : 20) * 1000};

	event_base_once(base, -1, EV_TIMEOUT, on_callback, task, &tv);
}

static void
finish_twice(struct flowrra_task *task, struct event_base *base,
	     const json_t *args, const json_t *kwargs)
{
	flowrra_finish(task, NULL);
	flowrra_finish(task, NULL);
}

#define TASK(task_name, function)                                              \
	{                                                                      \
		.name = CRASH_PREFIX task_name, .run = (function),             \
		.cpu_bound = CRASH_CPU_BOUND, FLOWRRA_TASK_DEFAULTS            \
	}
static const struct flowrra_task_type tasks[] = {
    TASK("segv", segv),
    TASK("raise", raise_),
    TASK("fpe", fpe),
    TASK("ill", ill),
    TASK("abort", abort_),
    TASK("double_free", double_free),
    TASK("stack_overflow", stack_overflow),
    TASK("exit", exit_),
    TASK("_exit", underscore_exit),
    TASK("quick_exit", quick_exit_),
    TASK("errx", errx_),
    TASK("pthread_exit", pthread_exit_),
    TASK("fork_exit", fork_exit),
    {.name = CRASH_PREFIX "cpu",
     .run = segv,
     .cpu_bound = true,
     FLOWRRA_TASK_DEFAULTS},
    {.name = CRASH_PREFIX "async", .start = segv_async, FLOWRRA_TASK_DEFAULTS},
    {.name = CRASH_PREFIX "callback",
     .start = segv_callback,
     FLOWRRA_TASK_DEFAULTS},
    {.name = CRASH_PREFIX "finish_twice",
     .start = finish_twice,
     FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("crash", "1", tasks)
