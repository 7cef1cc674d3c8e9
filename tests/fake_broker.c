/* SPDX-License-Identifier: MIT */
/* The broker of the fake store. */
#include <stdlib.h>

#include "fake_store_private.h"
#include "suite.h"

static void
fake_broker_close(struct broker *b)
{
	fake_drop_questions(b);
	free(b);
}

static const char *
fake_broker_name(const struct broker *b)
{
	return "fake";
}

static bool
fake_broker_is_up(const struct broker *b)
{
	return fake_is_up;
}

static void
fake_broker_want(struct broker *b, unsigned int queue, unsigned int n)
{
	fake_store_now->wanted[queue] = n;
}

static unsigned int
fake_broker_coming(const struct broker *b, unsigned int queue)
{
	return fake_store_now->empty[queue] ? 0 : fake_store_now->wanted[queue];
}

static bool
fake_broker_quiet(const struct broker *b)
{
	unsigned int i;

	for (i = 0; i < FAKE_QUEUES; i++)
		if (fake_store_now->wanted[i] > 0)
			return false;
	return !fake_store_now->claiming;
}

static void
fake_broker_settle(struct broker *b, struct broker_settle *settle)
{
	static const char *const names[] = {[BROKER_ACK] = "ack",
					    [BROKER_RETRY] = "retry",
					    [BROKER_RELEASE] = "release",
					    [BROKER_BURY] = "dead",
					    [BROKER_SET_ASIDE] = "set aside"};

	fake_journal(names[settle->disposition]);
	if (settle->disposition == BROKER_BURY) {
		fake_keep_text(&fake_store_now->last_info, settle->info);
		fake_keep_text(&fake_store_now->last_dead, settle->id);
	}
	if (settle->disposition == BROKER_RETRY ||
	    settle->disposition == BROKER_SET_ASIDE)
		fake_keep_text(&fake_store_now->last_retry,
			       settle->retry_bytes);
	if (settle->disposition == BROKER_SET_ASIDE)
		fake_keep_text(&fake_store_now->last_lane, settle->lane);
	fake_store_now->last_settle = *settle;
	TAILQ_INSERT_TAIL(&fake_store_now->settles, &settle->pending, link);
}

static void
fake_broker_drop(struct broker *b, struct broker_claim *claim)
{
	fake_journal("drop");
	fake_forget_claim(container_of(claim, struct fake_claim, claim));
}

static void
fake_broker_doubt(struct broker *b, struct broker_claim *claim)
{
	fake_journal("doubt");
	fake_store_now->doubted = claim;
}

static bool
fake_broker_is_sure(const struct broker *b, unsigned int queue)
{
	return !fake_store_now->unsure;
}

static size_t
fake_broker_unsettled(const struct broker *b)
{
	return !TAILQ_EMPTY(&fake_store_now->settles);
}

static void
fake_broker_heartbeat(struct broker *b, struct slice description)
{
	fake_keep_text(&fake_store_now->heartbeat, description);
	fake_store_now->heartbeats++;
}

static void
fake_broker_farewell(struct broker *b)
{
	fake_journal("deregister");
}

static void
fake_broker_register(struct broker *b, const struct slice *names,
		     const struct slice *descriptions, size_t n)
{
	fake_store_now->registered = (unsigned int)n;
	fake_store_now->registrations++;
}

static void
fake_broker_tidy(struct broker *b, const struct broker_limits *limits)
{
	fake_store_now->limits = *limits;
	fake_store_now->tidied++;
}

static void
fake_broker_submit(struct broker *b, struct broker_submit *batch, size_t n,
		   broker_submitted_fn *on_done, void *arg)
{
	size_t i;

	fake_journal("submit");
	for (i = 0; i < n; i++)
		buf_addf(&fake_store_now->submitted, "%.*s@%s; ",
			 (int)batch[i].id.len, batch[i].id.p, batch[i].queue);
	fake_store_now->n_submitted += (unsigned int)n;
	if (n > 0) {
		fake_keep_text(&fake_store_now->last_task, batch[n - 1].bytes);
		fake_store_now->last_submit = batch[n - 1];
	}
	fake_ask((struct fake_question){.of = b,
					.on_submitted = on_done,
					.batch = batch,
					.n = n,
					.arg = arg});
}

static void
fake_broker_registered(struct broker *b, struct slice name,
		       broker_value_fn *on_value, void *arg)
{
	fake_ask(
	    (struct fake_question){.of = b, .on_value = on_value, .arg = arg});
}

static void
fake_broker_served(struct broker *b, const struct broker_served *question,
		   broker_value_fn *on_value, void *arg)
{
	fake_journal("served?");
	fake_ask((struct fake_question){
	    .of = b, .of_served = true, .on_value = on_value, .arg = arg});
}

static void
fake_broker_view(struct broker *b, const struct broker_view *view,
		 broker_page_fn *on_page, void *arg)
{
	fake_ask((struct fake_question){
	    .of = b, .on_page = on_page, .place = view->place, .arg = arg});
}

/* What is viewed is taken out, where it can be. */
static void
fake_broker_remove(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg)
{
	fake_journal("remove");
	fake_ask((struct fake_question){.of = b,
					.of_remove = true,
					.on_page = on_page,
					.place = fake_store_now->viewed_place,
					.arg = arg});
}

static void
fake_broker_control(struct broker *b, struct slice message,
		    broker_value_fn *on_sent, void *arg)
{
	fake_journal("order");
	fake_keep_text(&fake_store_now->last_order, message);
	fake_ask((struct fake_question){
	    .of = b, .of_served = true, .on_value = on_sent, .arg = arg});
}

static void
fake_broker_declare(struct broker *b, const struct broker_declaration *d,
		    broker_declared_fn *on_declared, void *arg)
{
	fake_store_now->declaration = *d;
	fake_store_now->declarations++;
	fake_store_now->on_declared = on_declared;
	fake_store_now->declared_arg = arg;
}

static const struct broker_admin_ops fake_broker_admin = {
    .limits_declare = fake_broker_declare,
    .remove = fake_broker_remove,
    .view = fake_broker_view,
};

static const struct broker_ops fake_broker_ops = {
    .admin = &fake_broker_admin,
    .close = fake_broker_close,
    .name = fake_broker_name,
    .is_up = fake_broker_is_up,
    .want = fake_broker_want,
    .coming = fake_broker_coming,
    .idle = fake_broker_quiet,
    .settle = fake_broker_settle,
    .drop = fake_broker_drop,
    .doubt = fake_broker_doubt,
    .is_sure = fake_broker_is_sure,
    .unsettled = fake_broker_unsettled,
    .heartbeat = fake_broker_heartbeat,
    .deregister = fake_broker_farewell,
    .register_tasks = fake_broker_register,
    .tidy = fake_broker_tidy,
    .submit = fake_broker_submit,
    .registered = fake_broker_registered,
    .served = fake_broker_served,
    .control = fake_broker_control};

struct broker *
fake_broker_open(const struct broker_options *options, struct err *err)
{
	struct broker *b = calloc(1, sizeof(*b));

	ck_assert_ptr_nonnull(b);
	fake_store_now->broker = *options;
	b->ops = &fake_broker_ops;
	return b;
}
