/* SPDX-License-Identifier: MIT */
/* What parties are answered: kept as text in `value`, and counted where all
 * questions are asked at once. */
#include <stdio.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"

static void
note_answer(struct party *p, const struct err *err)
{
	p->answered = true;
	p->err.code = ERR_NONE;
	if (err != NULL)
		p->err = *err;
	p->value[0] = '\0';
}

static void
add_line(struct party *p, const char *head, const char *middle,
	 const char *tail)
{
	const size_t len = strlen(p->value);

	snprintf(p->value + len, sizeof(p->value) - len, "%s%s%s\n", head,
		 middle, tail);
}

void
party_on_value(struct slice value, const struct err *err, void *arg)
{
	struct party *p = arg;

	note_answer(p, err);
	snprintf(p->value, sizeof(p->value), "%.*s", (int)value.len,
		 value.p != NULL ? value.p : "");
}

void
party_on_entries(const struct slice *names, const struct slice *values,
		 size_t n, const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i, len = 0;

	note_answer(p, err);
	for (i = 0; i < n && len < sizeof(p->value); i++)
		len += (size_t)snprintf(p->value + len, sizeof(p->value) - len,
					"%.*s=%.*s ", (int)names[i].len,
					names[i].p, (int)values[i].len,
					values[i].p);
}

void
party_on_names(const struct slice *names, size_t n, const struct err *err,
	       void *arg)
{
	struct party *p = arg;
	size_t i, len = 0;

	note_answer(p, err);
	for (i = 0; i < n && len < sizeof(p->value); i++)
		len += (size_t)snprintf(p->value + len, sizeof(p->value) - len,
					"%.*s ", (int)names[i].len, names[i].p);
}

void
party_on_queues(const struct queue_stats *queues, size_t n,
		const struct err *err, void *arg)
{
	struct party *p = arg;

	note_answer(p, err);
	if (n > 0)
		p->stats = queues[0];
}

void
party_on_workers(const struct worker_info *workers, size_t n,
		 const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i;

	note_answer(p, err);
	for (i = 0; i < n; i++)
		add_line(p, workers[i].name, " ",
			 workers[i].alive ? "alive" : "dead");
}

void
party_on_report(const struct broker_report *report, const struct err *err,
		void *arg)
{
	struct party *p = arg;
	const struct broker_finding *f;
	char what[1100];

	note_answer(p, err);
	if (report == NULL)
		return;
	add_line(p, report->server, "", "");
	for (f = report->findings; f < report->findings + report->n; f++) {
		snprintf(what, sizeof(what), "%s; ", f->what);
		add_line(p, f->error ? "error: " : "warning: ", what,
			 f->remedy);
	}
}

/* --- operators --------------------------------------------------------- */

static void
count(struct asked *asked, const struct err *err)
{
	/* An error that is none would pass for an answer. */
	ck_assert(err == NULL || err->code != ERR_NONE);
	asked->answers++;
	asked->code = err != NULL ? err->code : ERR_NONE;
}

static void
on_asked_value(struct slice value, const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_queues(const struct queue_stats *queues, size_t n,
		const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_workers(const struct worker_info *workers, size_t n,
		 const struct err *err, void *arg)
{
	count(arg, err);
}

static void
on_asked_report(const struct broker_report *report, const struct err *err,
		void *arg)
{
	ck_assert((report == NULL) == (err != NULL));
	count(arg, err);
}

static void
on_asked_page(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert((page == NULL) == (err != NULL));
	count(arg, err);
}

static void
on_asked_exhumed(struct broker_requeue *batch, size_t n, void *arg)
{
	ck_assert_uint_eq(n, 1);
	count(arg, batch->err.code != ERR_NONE ? &batch->err : NULL);
}

void
party_ask_everything(struct party *p, struct asked asked[STAGE_ASKED])
{
	static struct broker_requeue one;
	const struct slice io = SLICE("io");
	const struct broker_view view = {
	    .queue = io, .place = BROKER_IN_FLIGHT, .n = 10};

	memset(asked, 0, STAGE_ASKED * sizeof(*asked));
	one = (struct broker_requeue){.key = SLICE("nobody")};
	broker_queues(p->broker, SLICE(""), on_asked_queues, &asked[0]);
	broker_workers(p->broker, on_asked_workers, &asked[1]);
	broker_view(p->broker, &view, on_asked_page, &asked[2]);
	broker_examine(p->broker, on_asked_report, &asked[3]);
	broker_pause(p->broker, io, false, on_asked_value, &asked[4]);
	broker_purge(p->broker, io, 10, on_asked_page, &asked[5]);
	broker_remove(p->broker, io, SLICE("id"), SLICE(""), on_asked_page,
		      &asked[6]);
	broker_requeue(p->broker, io, &one, 1, on_asked_exhumed, &asked[7]);
}
