/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what may be wrong with the server. What is asked is here,
 * what is judged is in info.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/redis/admin.h"
#include "store/redis/info.h"
#include "store/redis/rights.h"
#include "util/clock.h"
#include "util/sat.h"

struct examination {
	struct rquery query;
	broker_report_fn *on_report;
	void *arg;
	struct buf info, save, appendfsync;
	bool has_save;
	int64_t clock_us;
	int64_t ahead_us;
	int64_t asked_us; /* our clock when we asked for its */
	struct missing_right {
		struct buf what, remedy;
	} * rights;
	size_t n_rights;
};

static void
examination_forget_rights(struct examination *e)
{
	size_t k;

	for (k = 0; k < e->n_rights; k++) {
		buf_done(&e->rights[k].what);
		buf_done(&e->rights[k].remedy);
	}
	free(e->rights);
	e->rights = NULL;
	e->n_rights = 0;
}

static void
examination_free(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);

	buf_done(&e->info);
	buf_done(&e->save);
	buf_done(&e->appendfsync);
	examination_forget_rights(e);
	free(e);
}

/* --- asking ------------------------------------------------------------ */

static void
take_info(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice text = redis_reply_string(reply);

	buf_add(&e->info, text.p, text.len);
}

static void
take_time(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	const int64_t now_us = clock_wall_us();

	e->clock_us = sat_add(
	    sat_mul(redis_reply_integer(redis_reply_at(reply, 0)), 1000000),
	    redis_reply_integer(redis_reply_at(reply, 1)));
	e->clock_us = sat_clamp(e->clock_us, 0, BROKER_TIME_MAX_MS * 1000);
	e->ahead_us = 0;
	/* It looked at it some time between our question and now. */
	if (e->clock_us > now_us)
		e->ahead_us = e->clock_us - now_us;
	else if (e->clock_us < e->asked_us)
		e->ahead_us = e->clock_us - e->asked_us;
}

static void
rexamine_take_setting(struct rquery *i, size_t which,
		      const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice value = redis_reply_string(redis_reply_at(reply, 1));

	/* {name, value}; empty where the server hides the setting. */
	if (redis_reply_count(reply) != 2)
		return;
	buf_add(which == 0 ? &e->save : &e->appendfsync, value.p, value.len);
	e->has_save = e->has_save || which == 0;
}

static void
ask_info(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice info[] = {SLICE("INFO")};
	const struct slice now[] = {SLICE("TIME")};

	/* TIME goes first: the span in which the server reads its clock is then
	 * as short as it can be. */
	e->asked_us = clock_wall_us();
	buf_reset(&e->info);
	rquery_command(i, take_time, 0, REDIS_ARGS(now));
	rquery_command(i, take_info, 0, REDIS_ARGS(info));
}

/* In a phase of its own: managed servers forbid CONFIG, and an error fails all
 * of its phase. */
static void
ask_settings(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice save[] = {SLICE("CONFIG"), SLICE("GET"),
				     SLICE("save")};
	const struct slice fsync[] = {SLICE("CONFIG"), SLICE("GET"),
				      SLICE("appendfsync")};

	buf_reset(&e->save);
	buf_reset(&e->appendfsync);
	rquery_command(i, rexamine_take_setting, 0, REDIS_ARGS(save));
	rquery_command(i, rexamine_take_setting, 1, REDIS_ARGS(fsync));
}

/* --- rights ------------------------------------------------------------ */

static void
take_rights(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct rrights of = rrights_of_broker(i->broker, true);
	const size_t n = rrights_missing(reply);
	struct missing_right *right;
	size_t k;

	examination_forget_rights(e);
	if ((e->rights = calloc(n + 1, sizeof(*e->rights))) == NULL) {
		err_nomem(&i->err);
		return;
	}
	for (k = 0; k < n; k++) {
		right = &e->rights[e->n_rights++];
		rrights_describe(&of, reply, k, &right->what, &right->remedy);
		if (right->what.len == 0) {
			e->n_rights--;
			continue;
		}
		buf_addc(&right->what, '\0');
		buf_addc(&right->remedy, '\0');
		if (right->what.failed || right->remedy.failed)
			err_nomem(&i->err);
	}
}

static void
ask_rights(struct rquery *i)
{
	const struct rrights of = rrights_of_broker(i->broker, true);
	const struct redis_args args = rrights_args(&of);

	if (args.v != NULL)
		rquery_eval_judged(i, take_rights, 0, SCRIPT_RIGHTS,
				   (struct redis_args){NULL, 0}, args);
	else
		err_nomem(&i->err);
	free((void *)(uintptr_t)args.v);
}

/* --- the answer -------------------------------------------------------- */

/* What the checks have found, in their order: `ret` points to the texts in
 * `found`. Returns how many. */
static size_t
run_checks(const struct redis_info *info,
	   struct redis_finding found[REDIS_N_CHECKS],
	   struct broker_finding *ret)
{
	redis_check_fn *const *check;
	size_t n = 0;

	for (check = redis_checks; *check != NULL; check++) {
		if (!(*check)(info, &found[n]))
			continue;
		ret[n] = (struct broker_finding){.error = found[n].error,
						 .what = found[n].what,
						 .remedy = found[n].remedy};
		n++;
	}
	return n;
}

static void
rexamine_report(const struct examination *e, struct broker_finding *findings)
{
	struct redis_info info = {
	    .info = {e->info.data, e->info.len},
	    .save = {e->has_save ? (e->save.data ? e->save.data : "") : NULL,
		     e->save.len},
	    .appendfsync = {e->appendfsync.data, e->appendfsync.len},
	    .ahead_us = e->ahead_us,
	    .replicas = e->query.broker->opt.replicas,
	    .fails_over = e->query.broker->url.master != NULL};
	const struct slice version =
	    redis_info_text(info.info, "redis_version");
	struct redis_finding found[REDIS_N_CHECKS];
	char name[64];
	size_t k;
	struct broker_report report = {
	    .server = name, .clock_us = e->clock_us, .findings = findings};

	redis_get_nodes(e->query.broker->redis, &info.nodes);
	report.n = run_checks(&info, found, findings);
	snprintf(name, sizeof(name), "Redis %.*s", (int)version.len,
		 version.p != NULL ? version.p : "");
	for (k = 0; k < e->n_rights; k++)
		findings[report.n++] =
		    (struct broker_finding){.error = true,
					    .what = e->rights[k].what.data,
					    .remedy = e->rights[k].remedy.data};
	e->on_report(&report, NULL, e->arg);
}

static void
on_settings(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	struct broker_finding *findings;

	/* The settings may be hidden; what is known is told without them. */
	if (i->ask == ask_settings && i->err.code != ERR_UNAVAILABLE)
		i->err = (struct err)ERR_INIT;
	if (i->err.code == ERR_NONE &&
	    (e->info.failed || e->save.failed || e->appendfsync.failed))
		err_nomem(&i->err);
	findings = calloc(REDIS_N_CHECKS + e->n_rights, sizeof(*findings));
	if (findings == NULL && i->err.code == ERR_NONE)
		err_nomem(&i->err);
	if (i->err.code == ERR_NONE)
		rexamine_report(e, findings);
	else
		e->on_report(NULL, &i->err, e->arg);
	free(findings);
	examination_free(i);
}

/* Who may not ask for it is told so with the rights. */
static void
rexamine_on_info(struct rquery *i)
{
	if (i->err.code == ERR_REFUSED)
		i->err = (struct err)ERR_INIT;
	if (i->err.code == ERR_NONE)
		rquery_next(i, ask_settings, on_settings);
	else
		on_settings(i);
}

static void
rexamine_on_rights(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, ask_info, rexamine_on_info);
	else
		on_settings(i);
}

void
radmin_examine(struct broker *b, broker_report_fn *on_report, void *arg)
{
	struct examination *e = calloc(1, sizeof(*e));
	struct err err;

	if (e == NULL) {
		err_nomem(&err);
		on_report(NULL, &err, arg);
		return;
	}
	*e = (struct examination){.query = {.broker = (struct rbroker *)b,
					    .what = "examining",
					    .ask = ask_rights,
					    .answered = rexamine_on_rights,
					    .free = examination_free},
				  .on_report = on_report,
				  .arg = arg};
	rquery_begin(&e->query);
}
