/* SPDX-License-Identifier: MIT */
/*
 * What the submit script is called with, for a run of tasks of one queue.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/levels.h"
#include "store/redis/submit.h"

#define SUBMIT_KEYS 6
#define SUBMIT_ARGS 5
#define SUBMIT_TASK_ARGS 9

void
rcall_done(struct rcall *c)
{
	rqueue_done(&c->queue);
	rlevels_done(&c->levels);
	buf_done(&c->unique);
	free(c->keys);
	free(c->args);
	free(c->numbers);
}

/* Which of the KEYS a task goes to: the queue itself, or a list that is added
 * here unless the task before goes there, too. 0 when memory runs out. */
static size_t
rcall_list(struct rcall *c, int32_t priority)
{
	char text[ARG_NUMBER_SIZE];
	struct slice level = arg_number(text, priority);

	if (priority == 0)
		return 1;
	if ((c->levels.n == 0 ||
	     !slice_eq(slice_of(c->levels.names[c->levels.n - 1]), level)) &&
	    rlevels_add(&c->levels, level) != 0)
		return 0;
	return SUBMIT_KEYS + c->levels.n;
}

/* The names of the unique keys, each with a NUL behind; they follow the lists in
 * KEYS. */
static size_t
rcall_add_unique(struct rcall *c, struct slice unique)
{
	if (unique.len == 0)
		return 0;
	buf_addf(&c->unique, "{%s}:unique:", c->queue.keys[KEY_WAITING]);
	buf_add(&c->unique, unique.p, unique.len);
	buf_addc(&c->unique, '\0');
	return ++c->n_keys;
}

static struct slice
rcall_until(const struct broker_submit *task)
{
	return task->debounces
		   ? SLICE("debounce")
		   : slice_of(unique_until_words[task->unique_until]);
}

static int
rcall_add_tasks(struct rcall *c, const struct broker_submit *task, size_t n,
		size_t *lists)
{
	struct slice *arg = c->args + SUBMIT_ARGS;
	char(*number)[ARG_NUMBER_SIZE];
	size_t i;

	for (i = 0; i < n; i++)
		if ((lists[i] = rcall_list(c, task[i].priority)) == 0)
			return -1;
	c->n_keys = SUBMIT_KEYS + c->levels.n;
	for (i = 0; i < n; i++, task++, arg += SUBMIT_TASK_ARGS) {
		number = c->numbers[i];
		arg[0] = arg_number(number[0], (int64_t)lists[i]);
		arg[1] = arg_number(number[1], task->priority);
		arg[2] = arg_number(number[2], task->delay_ms);
		arg[3] = arg_number(number[3], task->at_ms);
		arg[4] = task->bytes;
		arg[5] = task->id;
		arg[6] = arg_number(number[4],
				    (int64_t)rcall_add_unique(c, task->unique));
		arg[7] = arg_number(number[5], task->unique_s);
		arg[8] = rcall_until(task);
	}
	return 0;
}

static int
rcall_join_keys(struct rcall *c)
{
	const struct slice keys[SUBMIT_KEYS] = {
	    slice_of(c->queue.keys[KEY_WAITING]),
	    slice_of(c->queue.keys[KEY_LEVELS]),
	    slice_of(c->queue.keys[KEY_DELAYED]),
	    slice_of(c->queue.keys[KEY_WITHDRAWN]),
	    slice_of(c->queue.keys[KEY_LANES]),
	    slice_of(c->queue.keys[KEY_UNIQUES])};
	size_t i = SUBMIT_KEYS + c->levels.n;
	const char *name = c->unique.data;

	c->keys = rlevels_join(&c->levels, &c->queue, keys, SUBMIT_KEYS,
			       c->n_keys - i);
	if (c->keys == NULL || c->unique.failed)
		return -1;
	for (; i < c->n_keys; i++, name += strlen(name) + 1)
		c->keys[i] = slice_of(name);
	return 0;
}

/* What counts for the limit are all lists: those that are known come first. */
static int
rcall_copy_levels(struct rcall *c, struct rbroker *b, const char *queue)
{
	const struct rlevels *known = rbroker_levels(b, queue);
	size_t i;

	for (i = 0; b->opt.max_queue_size > 0 && known != NULL && i < known->n;
	     i++)
		if (rlevels_add(&c->levels, slice_of(known->names[i])) != 0)
			return -1;
	return 0;
}

int
rcall_init(struct rcall *c, struct rbroker *b,
	   const struct broker_submit *tasks, size_t n)
{
	size_t *lists = calloc(n, sizeof(*lists));
	int rc = -1;

	*c = (struct rcall){.n_args = SUBMIT_ARGS + SUBMIT_TASK_ARGS * n,
			    .unique = BUF_INIT};
	c->args = calloc(c->n_args, sizeof(*c->args));
	c->numbers = calloc(n, sizeof(*c->numbers));
	if (lists == NULL || c->args == NULL || c->numbers == NULL ||
	    rqueue_init(&c->queue, b, tasks->queue, 0) != 0 ||
	    rcall_copy_levels(c, b, tasks->queue) != 0 ||
	    rcall_add_tasks(c, tasks, n, lists) != 0 || rcall_join_keys(c) != 0)
		goto out;
	c->args[0] = arg_number(c->limit, b->opt.max_queue_size);
	c->args[1] = slice_of(RBROKER_CONTROL);
	c->args[2] = slice_of(c->queue.wake);
	c->args[3] = arg_number(c->n_lists, (int64_t)c->levels.n);
	c->args[4] = arg_number(c->most, RLEVELS_MAX);
	rc = 0;
out:
	free(lists);
	return rc;
}
