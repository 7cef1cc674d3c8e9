/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: opening and closing, and the table of its functions.
 *
 * A producer is up when the file is open. A worker has one step more: it must
 * have entered (worker.c), which gives it its number and its lock, before it
 * may claim anything.
 */
#include "store/sqlite/broker.h"
#include "store/sqlite/deputy.h"
#include "store/sqlite/flows.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/place.h"
#include "store/admin.h"
#include "util/pending.h"

static void
sbroker_on_state(struct database_user *user, bool up, bool final,
		 const struct err *why)
{
	struct sbroker *b = container_of(user, struct sbroker, user);

	/* A trouble (up, with a reason) changes nothing of what is entered. */
	if (b->opt.worker == NULL || !up)
		b->opt.on_state(up, final, why, b->opt.arg);
	else if (why != NULL)
		b->opt.on_state(b->entered, false, why, b->opt.arg);
	else
		sworker_enter(b);
}

/* Woken: there are orders, or tasks, or nothing any more. */
static void
sbroker_on_wake(struct database_user *user)
{
	struct sbroker *b = container_of(user, struct sbroker, user);

	if (!b->entered)
		return; /* it looks when it is */
	sworker_wake(b);
	sclaim_wake(b);
	spass_on(b);
}

static const char *
sbroker_name(const struct broker *broker)
{
	return database_name(&((const struct sbroker *)broker)->user);
}

/* A worker is up once it has entered: before, it could neither claim nor
 * settle. */
static bool
sbroker_is_up(const struct broker *broker)
{
	const struct sbroker *b = (const struct sbroker *)broker;

	return database_is_up(&b->user) &&
	       (b->opt.worker == NULL || b->entered);
}

/* Leaving waits for the jobs under way; only then is what they use freed. */
static void
sbroker_close(struct broker *broker)
{
	struct sbroker *b = (struct sbroker *)broker;

	sdeputy_done(b);
	database_leave(&b->user);
	if (b->opt.worker != NULL)
		sworker_done(b);
	free(b->queues);
	buf_done(&b->served);
	srecall_done_with(b);
	stidy_done_with(b);
	slost_done_with(b);
	free(b);
}

/* Every queue may hold something until the first claim has looked. The names
 * are the caller's, as broker.h says. */
static int
sbroker_open_worker(struct sbroker *b, struct err *err)
{
	unsigned int i;

	b->user.on_wake = sbroker_on_wake;
	b->queues = calloc(b->opt.n_queues, sizeof(*b->queues));
	if (b->queues == NULL)
		return err_nomem(err);
	for (; b->n_queues < b->opt.n_queues; b->n_queues++) {
		i = b->n_queues;
		b->queues[i].name = b->opt.queues[i];
		b->queues[i].more = true;
	}
	return 0;
}

/* Of a producer that can wait, whose worker has its records. */
static bool
sbroker_can_ask(const struct broker_options *options)
{
	return options->worker == NULL && !options->creates &&
	       options->with_results && sdeputy_is_there(options->url);
}

static struct broker *
sbroker_open(const struct broker_options *options, struct err *err)
{
	const bool asks = sbroker_can_ask(options);
	const struct database_options database = {
	    .base = options->base,
	    .url = options->url,
	    .timeout_ms = options->timeout_ms,
	    .may_block = options->may_block,
	    .may_block_arg = options->arg,
	    .description = &statements_description,
	    .creates = options->creates,
	    .worker = options->worker != NULL,
	    .lazy = asks};
	struct sbroker *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_nomem(err);
		return NULL;
	}
	b->pub.ops = &broker_sqlite;
	b->opt = *options;
	b->user.on_state = sbroker_on_state;
	b->lock_fd = b->timer_fd = b->door_fd = -1;
	b->asks = asks;
	sclaim_init(b);
	ssettle_init(b);
	sdoubt_init(b);
	sworker_init(b);
	srecall_init(b);
	stidy_init(b);
	slost_init(b);
	if ((b->opt.worker != NULL && sbroker_open_worker(b, err) != 0) ||
	    database_join(&b->user, &database, err) != 0) {
		err_prefix(err, "[broker] url");
		sbroker_close(&b->pub);
		return NULL;
	}
	return &b->pub;
}

const struct broker_ops broker_sqlite = {
    .schemes = (const char *const[]){"sqlite://", NULL},
    .check_url = database_check_url,
    .check_makeable = place_check_makeable,
    .url_name = database_url_name,
    .open = sbroker_open,
    .close = sbroker_close,
    .name = sbroker_name,
    .is_up = sbroker_is_up,
    .want = sbroker_want,
    .coming = sbroker_coming,
    .idle = sbroker_idle,
    .settle = sbroker_settle,
    .drop = sbroker_drop,
    .doubt = sbroker_doubt,
    .is_sure = sbroker_is_sure,
    .unsettled = sbroker_unsettled,
    .heartbeat = sbroker_heartbeat,
    .deregister = sbroker_deregister,
    .register_tasks = sbroker_register,
    .tidy = sbroker_tidy,
    .submit = sbroker_submit,
    .registered = sbroker_registered,
    .registered_names = sbroker_registered_names,
    .registry = sbroker_registry,
    .served = sbroker_served,
    .control = sbroker_control,
    .numbers = sbroker_numbers,
    .admin = &broker_sqlite_admin,
    .flow = &broker_sqlite_flow,
};
