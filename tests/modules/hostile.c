/* SPDX-License-Identifier: MIT */
/* Handlers that misbehave without crashing. */
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <flowrra/module.h>

/* Never ends, whatever it is told. */
static int
loop(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	static volatile int forever = 1;

	(void)task, (void)args, (void)kwargs, (void)result;
	while (forever)
		;
	return 0;
}

static void
loop_async(struct flowrra_task *task, struct event_base *base,
	   const json_t *args, const json_t *kwargs)
{
	loop(task, args, kwargs, NULL);
}

static void
on_loop_callback(evutil_socket_t fd, short what, void *arg)
{
	loop(arg, NULL, NULL, NULL);
}

/* Blocks the event loop in a callback, not in the handler itself. */
static void
loop_callback(struct flowrra_task *task, struct event_base *base,
	      const json_t *args, const json_t *kwargs)
{
	const struct timeval tv = {.tv_usec = 20000};

	event_base_once(base, -1, EV_TIMEOUT, on_loop_callback, task, &tv);
}

/* flood [MEGABYTES]: 100 by default, in lines of 1000 bytes. */
static int
flood(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	json_int_t mb = json_integer_value(json_array_get(args, 0)), i;
	char line[1000];

	(void)task, (void)kwargs, (void)result;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (i = 0; i < (mb > 0 ? mb : 100) * 1000; i++)
		if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
			return flowrra_fail(task, "cannot write");
	return 0;
}

/* leakfd [N]: opens N (100) descriptors and forgets them. */
static int
leakfd(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	json_int_t n = json_integer_value(json_array_get(args, 0)), i;

	(void)task, (void)kwargs, (void)result;
	for (i = 0; i < (n > 0 ? n : 100); i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return flowrra_fail(task, "no more descriptors");
	return 0;
}

/* large N: a result of N bytes and more. */
static int
large(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	json_int_t n = json_integer_value(json_array_get(args, 0)), i;

	(void)task, (void)kwargs;
	*result = json_array();
	for (i = 0; i < n; i += 2)
		json_array_append_new(*result, json_integer(i % 10));
	return 0;
}

/* submit_large N: submits a task with N bytes and more. */
static int
submit_large(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	json_t *numbers;
	int r;

	large(task, args, kwargs, &numbers);
	r = flowrra_task_submit(task, "echo", numbers, NULL, NULL, NULL);
	json_decref(numbers);
	*result = json_boolean(r == 0);
	return 0;
}

/* Returns a number that is not an answer, without a reason. */
static int
mute(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)task, (void)args, (void)kwargs;
	*result = json_true();
	return 7;
}

/* An error that is not UTF-8. */
static int
garbled(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	json_t **result)
{
	(void)args, (void)kwargs, (void)result;
	return flowrra_fail(task, "caf\xe9 \xc3\xa9 \xed\xa0\x80");
}

/* Waits until it is told, and tells how much of its time was left. */
static void
await_end(struct flowrra_task *task, struct event_base *base,
	  const json_t *args, const json_t *kwargs)
{
	(void)task, (void)base, (void)args, (void)kwargs;
}

static void
tell_left(struct flowrra_task *task)
{
	flowrra_fail(task, "%.6f s left", flowrra_task_time_left(task));
}

static const struct flowrra_task_type tasks[] = {
    {.name = "loop", .run = loop, FLOWRRA_TASK_DEFAULTS},
    {.name = "loop_cpu", .run = loop, .cpu_bound = true, FLOWRRA_TASK_DEFAULTS},
    {.name = "loop_async", .start = loop_async, FLOWRRA_TASK_DEFAULTS},
    {.name = "await_end",
     .start = await_end,
     .cancel = tell_left,
     FLOWRRA_TASK_DEFAULTS},
    {.name = "loop_callback", .start = loop_callback, FLOWRRA_TASK_DEFAULTS},
    {.name = "flood", .run = flood, FLOWRRA_TASK_DEFAULTS},
    {.name = "leakfd", .run = leakfd, FLOWRRA_TASK_DEFAULTS},
    {.name = "large", .run = large, FLOWRRA_TASK_DEFAULTS},
    {.name = "submit_large", .run = submit_large, FLOWRRA_TASK_DEFAULTS},
    {.name = "mute", .run = mute, FLOWRRA_TASK_DEFAULTS},
    {.name = "garbled", .run = garbled, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("hostile", "1", tasks)
