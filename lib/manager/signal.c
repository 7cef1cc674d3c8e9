/* SPDX-License-Identifier: MIT */
/*
 * Signals to the commands of running tasks. The order goes to all workers, and the
 * one that has the task answers, with an event: so who asks listens before.
 */
#include "manager/signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/client.h"
#include "codec/order.h"
#include "core/task.h"
#include "manager/events.h"
#include "manager/member.h"
#include "manager/query.h"
#include "store/broker.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/uuid.h"

/* A worker answers in a turn of its loop; and there are two ways over the server. */
#define PATIENCE_MS 3000
#define SIGNALS 32

struct signalling {
	struct flowrra_client *client;
	char asker[UUID_TEXT_SIZE];
	struct buf order;
	int64_t until_ms; /* 0: the order was not sent yet */
	bool sent;	  /* the broker has taken it, or not */
	struct err failed;
	char outcome[32], worker[256];
};

const char *
signal_name(const char *text, struct err *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	const long number = strtol(text, NULL, 10);
	const char *known;
	int i;

	for (i = 1; i < SIGNALS; i++) {
		known = sigabbrev_np(i);
		if (known != NULL &&
		    (strcasecmp(known, name) == 0 ||
		     (number == i &&
		      strspn(text, "0123456789") == strlen(text))))
			return known;
	}
	err_set(err, ERR_DATA,
		"unknown signal \"%.64s\"; signals are TERM, USR1, STOP and "
		"the like",
		text);
	return NULL;
}

/* --- on the loop ----------------------------------------------------------- */

static void
signal_on_sent(struct slice value, const struct err *err, void *arg)
{
	struct signalling *s = arg;

	s->sent = true;
	if (err != NULL)
		s->failed = *err;
}

static void
signal_on_ready(void *arg)
{
	struct signalling *s = arg;

	s->until_ms = clock_mono_ms() + PATIENCE_MS;
	broker_control(s->client->broker,
		       (struct slice){s->order.data, s->order.len},
		       signal_on_sent, s);
}

/* Anybody may publish there. */
static int
signal_on_answer(const json_t *event, void *arg)
{
	struct signalling *s = arg;
	const char *asker = member_text(event, "id"),
		   *outcome = member_text(event, "outcome"),
		   *worker = member_text(event, "worker");

	if (asker == NULL || strcmp(asker, s->asker) != 0 || outcome == NULL ||
	    worker == NULL)
		return 0;
	snprintf(s->outcome, sizeof(s->outcome), "%s", outcome);
	snprintf(s->worker, sizeof(s->worker), "%s", worker);
	return s->sent;
}

static int
signal_on_event(const json_t *event, void *arg)
{
	return 0;
}

/* Not before the broker has answered: nothing of this is left with it. */
static bool
signal_stopped(void *arg)
{
	const struct signalling *s = arg;

	return s->sent && (*s->outcome != '\0' || s->failed.code != ERR_NONE ||
			   clock_mono_ms() > s->until_ms);
}

/* What follows is only that some events may be missed. */
static void
signal_on_trouble(const struct err *why, void *arg)
{
}

static int
signal_ask(struct signalling *s, const char *id, const char *name,
	   struct err *err)
{
	const struct events_follow follow = {.on_event = signal_on_event,
					     .on_answer = signal_on_answer,
					     .on_ready = signal_on_ready,
					     .stopped = signal_stopped,
					     .on_trouble = signal_on_trouble,
					     .arg = s};
	const struct order order = {.kind = ORDER_SIGNAL,
				    .subject = slice_of(id),
				    .signal = slice_of(name),
				    .asker = slice_of(s->asker)};

	order_write(&order, &s->order);
	if (s->order.failed)
		return err_nomem(err);
	if (events_follow(s->client, &follow, err) != 0)
		return -1;
	if (s->failed.code != ERR_NONE)
		*err = s->failed;
	return s->failed.code != ERR_NONE ? -1 : 0;
}

/* --- what it means ------------------------------------------------------------ */

static json_t *
signal_refuse(enum err_code code, const char *id, const char *why,
	      struct err *err)
{
	err_set(err, code, "task %s %s", id, why);
	return NULL;
}

static json_t *
signal_answer(const struct signalling *s, const char *id, const char *name,
	      struct err *err)
{
	if (strcmp(s->outcome, "sent") == 0)
		return json_pack("{s:s,s:s,s:s}", "id", id, "signal", name,
				 "worker", s->worker);
	if (strcmp(s->outcome, "no_command") == 0)
		return signal_refuse(ERR_REFUSED, id,
				     "runs a function of a module, which gets "
				     "no signals; cancel ends it",
				     err);
	if (strcmp(s->outcome, "unknown_signal") == 0)
		return signal_refuse(ERR_REFUSED, id,
				     "got none: its worker does not know "
				     "this signal",
				     err);
	if (*s->outcome != '\0')
		return signal_refuse(ERR_REFUSED, id,
				     "has not begun, or is just ending", err);
	return signal_refuse(ERR_UNAVAILABLE, id,
			     "may have got it or not: its worker did not "
			     "answer; see flowrractl workers",
			     err);
}

/* Only of one that runs there is anybody to ask. */
static int
signal_check(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *record = query_record(c, id, err);
	const char *status = member_text(record, "status");
	int r = -1;

	if (record == NULL)
		return -1;
	if (json_is_null(record))
		err_set(err, ERR_NOT_FOUND, "no record of task %s", id);
	else if (status == NULL || strcmp(status, "pending") == 0)
		signal_refuse(ERR_REFUSED, id, "has not begun", err);
	else if (strcmp(status, "retrying") == 0)
		signal_refuse(ERR_REFUSED, id,
			      "does not run: it waits for its next attempt",
			      err);
	else if (strcmp(status, "running") != 0)
		signal_refuse(ERR_REFUSED, id, "has ended", err);
	else
		r = 0;
	json_decref(record);
	return r;
}

json_t *
signal_task(struct flowrra_client *c, const char *id, const char *name,
	    struct err *err)
{
	struct signalling s = {.client = c, .failed = ERR_INIT};
	json_t *answer = NULL;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	uuid_make(s.asker);
	if (signal_check(c, id, err) == 0 && signal_ask(&s, id, name, err) == 0)
		answer = signal_answer(&s, id, name, err);
	buf_done(&s.order);
	return answer;
}
