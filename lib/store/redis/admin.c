/* SPDX-License-Identifier: MIT */
/* The operators' part of the Redis broker: inquiries. */
#include "store/redis/admin.h"

#include <stdlib.h>
#include <string.h>

#include "core/task.h"

/* One who empties the server's cache of scripts all the time is not waited
 * for. */
#define FORGOTTEN_MAX 3

/* One question of an inquiry. */
struct ask {
	struct redis_request request;
	struct inquiry *inquiry;
	inquiry_take_fn *take;
	size_t index;
};

/* --- phases ------------------------------------------------------------ */

static void run(struct inquiry *i);

static void
question_ended(struct inquiry *i)
{
	if (--i->under_way > 0)
		return;
	if (i->again && i->err.code == ERR_NONE)
		run(i);
	else
		i->answered(i);
}

/* If nobody may ask, it is as new as it should be. */
static void
take_version(struct inquiry *i, size_t none, const struct redis_reply *reply)
{
	rbroker_take_version(i->broker, redis_reply_string(reply));
	i->again = true;
}

/* Who only submits needs not know how old the server is. */
static void
ask_version(struct inquiry *i)
{
	const struct slice argv[] = {SLICE("INFO"), SLICE("server")};

	inquiry_command(i, take_version, 0, REDIS_ARGS(argv));
}

static void
run(struct inquiry *i)
{
	i->again = false;
	i->under_way++;
	if (i->err.code == ERR_NONE && i->broker->version_known)
		i->ask(i);
	else if (i->err.code == ERR_NONE)
		ask_version(i);
	question_ended(i);
}

static void
on_start(struct redis_request *request, const struct redis_reply *none)
{
	run(container_of(request, struct inquiry, start));
}

static void
drop_start(struct redis_request *request)
{
	struct inquiry *i = container_of(request, struct inquiry, start);

	i->free(i);
}

void
inquiry_begin(struct inquiry *i)
{
	i->start = (struct redis_request){.queue = i->broker->requests,
					  .on_reply = on_start,
					  .drop = drop_start};
	redis_request_later(&i->start);
}

void
inquiry_next(struct inquiry *i, void (*ask)(struct inquiry *i),
	     void (*answered)(struct inquiry *i))
{
	i->ask = ask;
	i->answered = answered;
	run(i);
}

/* --- questions --------------------------------------------------------- */

static void
on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct ask *a = container_of(request, struct ask, request);
	struct inquiry *i = a->inquiry;
	enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_SCRIPT && i->forgotten < FORGOTTEN_MAX) {
		i->forgotten++;
		i->again = true;
	} else if (fault == REDIS_FAULT_NONE ||
		   (a->take == take_version && fault != REDIS_FAULT_LOST)) {
		a->take(i, a->index, reply);
	} else if (i->err.code == ERR_NONE) {
		redis_fault_err(i->broker->redis, i->what, reply, &i->err);
	}
	free(a);
	question_ended(i);
}

static void
drop(struct redis_request *request)
{
	struct ask *a = container_of(request, struct ask, request);

	if (--a->inquiry->under_way == 0)
		a->inquiry->free(a->inquiry);
	free(a);
}

static struct ask *
ask_new(struct inquiry *i, inquiry_take_fn *take, size_t index)
{
	struct ask *a = malloc(sizeof(*a));

	if (a != NULL)
		*a = (struct ask){.request = {.queue = i->broker->requests,
					      .on_reply = on_reply,
					      .drop = drop},
				  .inquiry = i,
				  .take = take,
				  .index = index};
	return a;
}

static void
note_sent(struct inquiry *i, struct ask *a, int sent)
{
	if (sent == 0) {
		i->under_way++;
		return;
	}
	free(a);
	if (i->err.code == ERR_NONE)
		err_set(&i->err, ERR_UNAVAILABLE, "%s: %s is unreachable",
			i->what, i->broker->url_name);
}

void
inquiry_command(struct inquiry *i, inquiry_take_fn *take, size_t index,
		struct redis_args argv)
{
	struct ask *a = ask_new(i, take, index);

	note_sent(i, a,
		  a != NULL ? redis_request_command(&a->request, argv) : -1);
}

void
inquiry_eval(struct inquiry *i, inquiry_take_fn *take, size_t index,
	     enum rscript script, struct redis_args keys,
	     struct redis_args args)
{
	struct ask *a = ask_new(i, take, index);

	note_sent(i, a,
		  a != NULL ? redis_request_eval(&a->request,
						 &i->broker->scripts[script],
						 keys, args)
			    : -1);
}

/* --- what users type --------------------------------------------------- */

int
rqueue_check_name(struct slice name, struct err *err)
{
	if (task_name_valid(name, TASK_QUEUE_MAX))
		return 0;
	return err_set(
	    err, ERR_DATA,
	    "not a valid queue name: 1 to %d bytes of A-Z a-z 0-9 _ . -",
	    TASK_QUEUE_MAX);
}

int
rqueue_of_name(struct rqueue *q, struct rbroker *b, struct slice name,
	       struct err *err)
{
	char text[TASK_QUEUE_MAX + 1];

	if (rqueue_check_name(name, err) != 0)
		return -1;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return rqueue_init(q, b, text, 0) == 0 ? 0 : err_nomem(err);
}

char *
rworker_name(struct slice name)
{
	return task_id_valid(name) ? strndup(name.p, name.len) : NULL;
}

const struct broker_operate_ops broker_redis_operate = {
    .queues = roperate_queues,
    .workers = roperate_workers,
    .view = roperate_view,
    .examine = roperate_examine,
    .pause = roperate_pause,
    .purge = roperate_purge,
    .withdraw = roperate_withdraw,
    .exhume = roperate_exhume,
};
