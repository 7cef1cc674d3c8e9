/* SPDX-License-Identifier: MIT */
/*
 * The demo module: one task for each thing that a handler can do, to try
 * Flowrra with and to begin one's own module from. flowrra_module(3) explains.
 *
 *	flowrractl submit add 2 3 --wait
 */
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include <flowrra/module.h>

/* --- the plainest ones ---------------------------------------------------- */

/* add A B: integers give an integer, else numbers give a number. */
static int
add(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	const json_t *a = json_array_get(args, 0), *b = json_array_get(args, 1);
	json_int_t sum;

	if (json_array_size(args) != 2 || !json_is_number(a) ||
	    !json_is_number(b))
		/* Trying again would not help. */
		return flowrra_fail_final(task, "add needs two numbers");
	if (json_is_integer(a) && json_is_integer(b) &&
	    !__builtin_add_overflow(json_integer_value(a),
				    json_integer_value(b), &sum))
		*result = json_integer(sum);
	else
		*result =
		    json_real(json_number_value(a) + json_number_value(b));
	if (*result == NULL)
		return flowrra_fail_final(task, "the sum is too large");
	return 0;
}

/* echo [ANY…]: gives back what it got. "O" takes a reference of its own: the
 * arguments stay the caller's. */
static int
echo(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	*result = json_pack("{sO, sO}", "args", (json_t *)args, "kwargs",
			    (json_t *)kwargs);
	return 0;
}

/* fail [TEXT]: fails, and is tried again while it has retries left. */
static int
fail(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	const char *text = json_string_value(json_array_get(args, 0));

	return flowrra_fail(task, "%s", text ? text : "as it was told to");
}

/* flaky N: fails until its attempt number N. */
static int
flaky(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	const json_t *n = json_array_get(args, 0);
	unsigned int attempt = flowrra_task_attempt(task);

	if (!json_is_integer(n) || json_integer_value(n) < 1)
		return flowrra_fail_final(
		    task,
		    "flaky needs the number of the attempt that succeeds");
	if (attempt < json_integer_value(n))
		return flowrra_fail(task, "attempt %u of %lld", attempt,
				    (long long)json_integer_value(n));
	*result = json_integer(attempt);
	return 0;
}

/* --- long ones: to be cancelled, and to tell how far they are ------------ */

/* A number of seconds, at most a day; -1 if it is none. */
static double
seconds(const json_t *args)
{
	double s = json_number_value(json_array_get(args, 0));

	if (!json_is_number(json_array_get(args, 0)) || s < 0 || s > 86400)
		return -1;
	return s;
}

/* Monotonic: a clock that is set must not make a task sleep longer. */
static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A signal may end it early; the callers look at the clock again. */
static void
nap(double s)
{
	struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};

	nanosleep(&t, NULL);
}

/* sleep SECONDS: keeps a thread busy, as a blocking call does. Asks now and
 * then whether it should end. */
static int
sleep_(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	double s = seconds(args), end = now() + s, left;

	if (s < 0)
		return flowrra_fail_final(
		    task, "sleep needs a number of seconds, at most 86400");
	while ((left = end - now()) > 0) {
		if (flowrra_task_cancelled(task))
			return flowrra_fail(task,
					    "told to end with %.2f s of "
					    "%.2f s left",
					    left, s);
		/* 20 ms: short enough to end at once in a person's eyes. */
		nap(left < 0.02 ? left : 0.02);
	}
	*result = json_real(s);
	return 0;
}

/* progress STEPS [SECONDS]: tells how far it is after each step. */
static int
progress(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	 json_t **result)
{
	json_int_t steps = json_integer_value(json_array_get(args, 0)), i;
	double pause = json_number_value(json_array_get(args, 1));
	json_t *p;

	if (steps < 1 || steps > 1000000 || pause < 0 || pause > 60)
		return flowrra_fail_final(
		    task, "progress needs a number of steps (1 to 1000000) and "
			  "optionally the seconds for each (0 to 60)");
	for (i = 1; i <= steps; i++) {
		if (flowrra_task_cancelled(task))
			return flowrra_fail(task, "told to end");
		nap(pause);
		p = json_pack("{sI, sI}", "step", i, "of", steps);
		flowrra_task_progress(task, p);
		json_decref(p);
	}
	*result = json_integer(steps);
	return 0;
}

/* resize {"w": W[, "h": H]}: the size of a 4:3 picture scaled to fit, and the
 * sum of the pixels of one made up. Work for a processor: it is cpu_bound, so
 * it runs in a process of its own, which can be killed at its timeout. */
static int
resize(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	const json_t *size = json_array_get(args, 0);
	json_int_t w, h, x, y;
	uint64_t sum = 0;

	if (size == NULL)
		size = kwargs;
	w = json_integer_value(json_object_get(size, "w"));
	if (w < 1 || w > 20000)
		return flowrra_fail_final(
		    task, "resize needs {\"w\": width}, from 1 to 20000");
	h = json_integer_value(json_object_get(size, "h"));
	if (h < 1 || h > w * 3 / 4)
		h = (w * 3 + 3) / 4;
	for (y = 0; y < h; y++) {
		if (flowrra_task_cancelled(task))
			return flowrra_fail(task, "told to end in line %lld",
					    (long long)y);
		for (x = 0; x < w; x++)
			sum += (uint64_t)(x ^ y) & 0xff;
	}
	*result =
	    json_pack("{sI, sI, sI}", "w", w, "h", h, "sum", (json_int_t)sum);
	return 0;
}

/* --- further tasks -------------------------------------------------------- */

/* fanout N [NAME]: submits N tasks ("add" by default) with the numbers from 1
 * to N, and gives back their ids. */
static int
fanout(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	json_int_t n = json_integer_value(json_array_get(args, 0)), i;
	const char *name = json_string_value(json_array_get(args, 1));
	json_t *ids, *its_args;
	char id[FLOWRRA_ID_SIZE];
	int r;

	if (n < 1 || n > 1000)
		return flowrra_fail_final(task,
					  "fanout needs a number of tasks, 1 "
					  "to 1000, and optionally their name");
	ids = json_array();
	for (i = 1; i <= n; i++) {
		its_args = json_pack("[I, I]", i, i);
		r = flowrra_task_submit(task, name ? name : "add", its_args,
					NULL, NULL, id);
		json_decref(its_args);
		if (r != 0) {
			json_decref(ids);
			return flowrra_fail(task,
					    "could not submit number "
					    "%lld",
					    (long long)i);
		}
		json_array_append_new(ids, json_string(id));
	}
	*result = ids;
	return 0;
}

/* --- an asynchronous one -------------------------------------------------- */

/* What a waiting timer needs: the handler's own, kept with the task. */
struct timer {
	struct event *event;
	double seconds;
};

/* An event that is freed does not fire. */
static void
free_timer(struct timer *t)
{
	event_free(t->event);
	free(t);
}

/* After flowrra_finish() the task is gone, so its data is freed before. */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct flowrra_task *task = arg;
	struct timer *t = flowrra_task_data(task);
	double s = t->seconds;

	free_timer(t);
	flowrra_finish(task, json_real(s));
}

/* timer SECONDS: as sleep, but holds no thread while it waits: thousands of
 * these wait at the same time. Starts the work and returns at once. */
static void
timer(struct flowrra_task *task, struct event_base *base, const json_t *args,
      const json_t *kwargs)
{
	double s = seconds(args);
	struct timeval tv;
	struct timer *t;

	if (s < 0) {
		flowrra_fail_final(
		    task, "timer needs a number of seconds, at most 86400");
		return;
	}
	if ((t = malloc(sizeof(*t))) == NULL ||
	    (t->event = event_new(base, -1, 0, on_time, task)) == NULL) {
		free(t);
		flowrra_fail(task, "out of memory");
		return;
	}
	t->seconds = s;
	tv.tv_sec = (time_t)s;
	tv.tv_usec = (suseconds_t)((s - (double)tv.tv_sec) * 1e6);
	flowrra_task_set_data(task, t);
	event_add(t->event, &tv);
}

/* Called on the event loop when the task is cancelled or past its timeout. */
static void
cancel_timer(struct flowrra_task *task)
{
	free_timer(flowrra_task_data(task));
	flowrra_fail(task, "told to end");
}

static const struct flowrra_task_type tasks[] = {
    {.name = "add",
     .run = add,
     .description = "Adds two numbers",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "echo",
     .run = echo,
     .description = "Returns its arguments",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "fail",
     .run = fail,
     .description = "Fails with the given text",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "flaky",
     .run = flaky,
     .description = "Fails until attempt number N",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "sleep",
     .run = sleep_,
     .description = "Waits for some seconds in a thread",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "progress",
     .run = progress,
     .description = "Counts steps and reports progress",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "resize",
     .run = resize,
     .cpu_bound = true,
     .description = "Computes for a while, in its own process",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "fanout",
     .run = fanout,
     .description = "Submits further tasks and returns their IDs",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "timer",
     .start = timer,
     .cancel = cancel_timer,
     .description = "Waits for some seconds without a thread",
     FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("demo", "1.0", tasks)
