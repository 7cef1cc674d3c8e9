/* SPDX-License-Identifier: MIT */
/*
 * The broker contract (broker.h): finds the store that a URL names, and passes
 * each call on to it. No call does anything of its own here, so the contract is
 * what the stores do, and tests/store runs the same tests on each of them.
 */
#include "store/broker.h"

#include "store/store.h"

const char *const broker_after_words[] = {[BROKER_AFTER_SUCCESS] = "success",
					  [BROKER_AFTER_FAILURE] = "failure",
					  [BROKER_AFTER_COMPLETE] = "complete"};

struct broker *
broker_open(const struct broker_options *options, struct err *err)
{
	/* The section is for the message: users know URLs by it. */
	const struct store *store = store_find(options->url, "broker", err);

	return store != NULL ? store->broker->open(options, err) : NULL;
}

void
broker_close(struct broker *b)
{
	/* Those who open several things close them all on an error. */
	if (b != NULL)
		b->ops->close(b);
}

const char *
broker_name(const struct broker *b)
{
	return b->ops->name(b);
}

bool
broker_is_up(const struct broker *b)
{
	return b->ops->is_up(b);
}

void
broker_want(struct broker *b, unsigned int queue, unsigned int n)
{
	b->ops->want(b, queue, n);
}

unsigned int
broker_coming(const struct broker *b, unsigned int queue)
{
	return b->ops->coming(b, queue);
}

bool
broker_idle(const struct broker *b)
{
	return b->ops->idle(b);
}

void
broker_settle(struct broker *b, struct broker_settle *settle)
{
	b->ops->settle(b, settle);
}

void
broker_drop(struct broker *b, struct broker_claim *claim)
{
	b->ops->drop(b, claim);
}

void
broker_doubt(struct broker *b, struct broker_claim *claim)
{
	b->ops->doubt(b, claim);
}

bool
broker_is_sure(const struct broker *b, unsigned int queue)
{
	return b->ops->is_sure(b, queue);
}

size_t
broker_unsettled(const struct broker *b)
{
	return b->ops->unsettled(b);
}

void
broker_heartbeat(struct broker *b, struct slice description)
{
	b->ops->heartbeat(b, description);
}

void
broker_deregister(struct broker *b)
{
	b->ops->deregister(b);
}

void
broker_register(struct broker *b, const struct slice *names,
		const struct slice *descriptions, size_t n)
{
	b->ops->register_tasks(b, names, descriptions, n);
}

void
broker_tidy(struct broker *b, const struct broker_limits *limits)
{
	b->ops->tidy(b, limits);
}

void
broker_submit(struct broker *b, struct broker_submit *batch, size_t n,
	      broker_submitted_fn *on_done, void *arg)
{
	b->ops->submit(b, batch, n, on_done, arg);
}

bool
broker_look(struct broker *b)
{
	return b->ops->look != NULL && b->ops->look(b);
}

void
broker_push(struct broker *b)
{
	if (b->ops->push != NULL)
		b->ops->push(b);
}

void
broker_registered(struct broker *b, struct slice name,
		  broker_value_fn *on_value, void *arg)
{
	b->ops->registered(b, name, on_value, arg);
}

void
broker_registered_names(struct broker *b, broker_names_fn *on_names, void *arg)
{
	b->ops->registered_names(b, on_names, arg);
}

void
broker_registry(struct broker *b, broker_entries_fn *on_entries, void *arg)
{
	b->ops->registry(b, on_entries, arg);
}

void
broker_served(struct broker *b, const struct broker_served *question,
	      broker_value_fn *on_value, void *arg)
{
	b->ops->served(b, question, on_value, arg);
}

void
broker_control(struct broker *b, struct slice message, broker_value_fn *on_sent,
	       void *arg)
{
	b->ops->control(b, message, on_sent, arg);
}

void
broker_numbers(struct broker *b, unsigned int n, broker_value_fn *on_value,
	       void *arg)
{
	struct err err = ERR_INIT;

	if (b->ops->numbers != NULL) {
		b->ops->numbers(b, n, on_value, arg);
		return;
	}
	err_set(&err, ERR_CONFIG, "%s has no short task IDs", broker_name(b));
	on_value((struct slice){NULL, 0}, &err, arg);
}

bool
broker_submit_left_nothing(const struct broker_submit *submit)
{
	switch (submit->err.code) {
	case ERR_NONE:
		return submit->duplicate &&
		       !slice_eq(slice_of(submit->owner), submit->id);
	case ERR_FULL:
	case ERR_NOT_FOUND:
	case ERR_REFUSED:
		return true;
	default:
		return false; /* it may be queued all the same */
	}
}
