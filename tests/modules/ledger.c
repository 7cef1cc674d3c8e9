/* SPDX-License-Identifier: MIT */
/*
 * Tasks that write down, in a file outside of everything, when they begin and
 * end; and the same for every way to misbehave. A line is
 *
 *	S|E ID ATTEMPT PID MONOTONIC_US
 *
 * and is on disk before the handler goes on. What is begun and has no end was
 * killed, or killed itself.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <flowrra/module.h>

static const char *
path_of(const json_t *args)
{
	const char *path = json_string_value(json_array_get(args, 0));

	return path != NULL ? path : "";
}

static int
note(struct flowrra_task *task, const char *path, char what)
{
	struct timespec t;
	char line[320];
	int fd, n, status = -1;

	clock_gettime(CLOCK_MONOTONIC, &t);
	n = snprintf(line, sizeof(line), "%c %s %u %d %lld\n", what,
		     flowrra_task_id(task), flowrra_task_attempt(task),
		     (int)getpid(),
		     (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* One write a line: other threads and processes write, too. */
	if (fd >= 0 && write(fd, line, (size_t)n) == n && fdatasync(fd) == 0)
		status = 0;
	if (fd >= 0)
		close(fd);
	return status;
}

static struct timespec
milliseconds(const json_t *args)
{
	json_int_t ms = json_integer_value(json_array_get(args, 1));

	return (struct timespec){.tv_sec = ms / 1000,
				 .tv_nsec = ms % 1000 * 1000000};
}

/* ledger FILE [MS] */
static int
ledger(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	const struct timespec t = milliseconds(args);

	(void)kwargs, (void)result;
	if (note(task, path_of(args), 'S') != 0)
		return flowrra_fail(task, "cannot write the ledger");
	nanosleep(&t, NULL);
	if (note(task, path_of(args), 'E') != 0)
		return flowrra_fail(task, "cannot write the ledger");
	return 0;
}

/* The same, but its first attempt fails. */
static int
ledger_retry(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	if (ledger(task, args, kwargs, result) != 0)
		return -1;
	if (flowrra_task_attempt(task) == 1)
		return flowrra_fail(task, "once more");
	return 0;
}

/* The same, and it fails. */
static int
ledger_fail(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	    json_t **result)
{
	if (ledger(task, args, kwargs, result) != 0)
		return -1;
	return flowrra_fail(task, "as it has to");
}

struct pause {
	struct flowrra_task *task;
	struct event *timer;
	char *path;
};

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct pause *p = arg;

	(void)fd, (void)what;
	if (note(p->task, p->path, 'E') != 0)
		flowrra_fail(p->task, "cannot write the ledger");
	flowrra_finish(p->task, NULL);
	event_free(p->timer);
	free(p->path);
	free(p);
}

static void
ledger_async(struct flowrra_task *task, struct event_base *base,
	     const json_t *args, const json_t *kwargs)
{
	const struct timespec t = milliseconds(args);
	const struct timeval tv = {.tv_sec = t.tv_sec,
				   .tv_usec = t.tv_nsec / 1000};
	struct pause *p = calloc(1, sizeof(*p));

	if (p == NULL)
		abort();
	p->task = task;
	p->path = strdup(path_of(args));
	p->timer = evtimer_new(base, on_time, p);
	note(task, p->path, 'S');
	evtimer_add(p->timer, &tv);
}

/* --- misbehaviour -------------------------------------------------------- */

static void *volatile nowhere;

static void
segv(void)
{
	*(volatile int *)nowhere = 1;
}

/* Memory behind the end of its file. */
static void
bus(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile char *p =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	*p = 1;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static void
double_free(void)
{
	char *volatile p = malloc(5000);

	free(p);
	free(p);
}

static int
deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = *above;
	return deeper(here) + here[0];
}
#pragma GCC diagnostic pop

static void
stack_overflow(void)
{
	char c = 0;

	deeper(&c);
}

static void
exit_0(void)
{
	exit(0);
}

static void
loop(void)
{
	static volatile int forever = 1;

	while (forever)
		;
}

/* 2 GB, all of it touched; who has no such memory must not go on. */
static void
hog(void)
{
	const size_t size = (size_t)2 << 30;
	char *volatile p = malloc(size);

	if (p == NULL)
		abort();
	memset(p, 1, size);
	free(p);
}

static void
leak(void)
{
	int i;

	for (i = 0; i < 100; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			break;
}

/* A process that would outlive us by far. */
static void
leave_child(void)
{
	if (fork() == 0) {
		execlp("sleep", "sleep", "7777", (char *)NULL);
		_exit(127);
	}
}

static void
flood(void)
{
	char line[1000];
	int i;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (i = 0; i < 100 * 1000; i++)
		if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
			return;
}

static const struct {
	const char *name;
	void (*run)(void);
} misdeeds[] = {
    {"segv", segv},
    {"bus", bus},
    {"abort", abort},
    {"double_free", double_free},
    {"stack_overflow", stack_overflow},
    {"exit", exit_0},
    {"loop", loop},
    {"hog", hog},
    {"leak", leak},
    {"leave_child", leave_child},
    {"flood", flood},
};

/* misbehave FILE HOW */
static int
misbehave(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	  json_t **result)
{
	const char *how = json_string_value(json_array_get(args, 1));
	size_t i;

	(void)kwargs, (void)result;
	if (note(task, path_of(args), 'S') != 0)
		return flowrra_fail(task, "cannot write the ledger");
	for (i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++)
		if (how != NULL && strcmp(how, misdeeds[i].name) == 0)
			misdeeds[i].run();
	if (note(task, path_of(args), 'E') != 0)
		return flowrra_fail(task, "cannot write the ledger");
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "ledger", .run = ledger, FLOWRRA_TASK_DEFAULTS},
    {.name = "ledger_cpu",
     .run = ledger,
     .cpu_bound = true,
     FLOWRRA_TASK_DEFAULTS},
    {.name = "ledger_retry", .run = ledger_retry, FLOWRRA_TASK_DEFAULTS},
    {.name = "ledger_fail", .run = ledger_fail, FLOWRRA_TASK_DEFAULTS},
    {.name = "ledger_async", .start = ledger_async, FLOWRRA_TASK_DEFAULTS},
    {.name = "misbehave", .run = misbehave, FLOWRRA_TASK_DEFAULTS},
    {.name = "misbehave_cpu",
     .run = misbehave,
     .cpu_bound = true,
     FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("ledger", "1", tasks)
