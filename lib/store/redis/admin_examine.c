/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what may be wrong with the server. What is asked is here,
 * what is judged is in info.c.
 */
#include <stdlib.h>

#include "codec/scan.h"
#include "store/redis/admin.h"
#include "store/redis/info.h"
#include "store/redis/rights.h"
#include "util/clock.h"

struct examination {
	struct rquery query;
	broker_value_fn *on_value;
	void *arg;
	struct buf info, save, appendfsync;
	bool has_save;
	int64_t clock_us;
	int64_t ahead_us;
	int64_t asked_us;  /* our clock when we asked for its */
	struct buf rights; /* findings, as JSON, with commas between */
};

static void
examination_free(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);

	buf_done(&e->info);
	buf_done(&e->save);
	buf_done(&e->appendfsync);
	buf_done(&e->rights);
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

	e->clock_us = redis_reply_integer(redis_reply_at(reply, 0)) * 1000000 +
		      redis_reply_integer(redis_reply_at(reply, 1));
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
	rquery_command(i, take_time, 0, REDIS_ARGS(now));
	rquery_command(i, take_info, 0, REDIS_ARGS(info));
}

/* In a phase of its own: managed servers forbid CONFIG, and an error fails all
 * of its phase. */
static void
ask_settings(struct rquery *i)
{
	const struct slice save[] = {SLICE("CONFIG"), SLICE("GET"),
				     SLICE("save")};
	const struct slice fsync[] = {SLICE("CONFIG"), SLICE("GET"),
				      SLICE("appendfsync")};

	rquery_command(i, rexamine_take_setting, 0, REDIS_ARGS(save));
	rquery_command(i, rexamine_take_setting, 1, REDIS_ARGS(fsync));
}

/* --- rights ------------------------------------------------------------ */

static void
examine_right(struct examination *e, const struct redis_reply *reply, size_t n)
{
	struct buf what = BUF_INIT, remedy = BUF_INIT;

	rrights_describe(e->query.broker, reply, n, &what, &remedy);
	if (what.len > 0 && !what.failed && !remedy.failed) {
		buf_addf(&e->rights, "%s{\"level\":\"error\",\"what\":",
			 e->rights.len > 0 ? "," : "");
		scan_quote(&e->rights, (struct slice){what.data, what.len});
		buf_adds(&e->rights, ",\"remedy\":");
		scan_quote(&e->rights, (struct slice){remedy.data, remedy.len});
		buf_addc(&e->rights, '}');
	}
	buf_done(&what);
	buf_done(&remedy);
}

static void
take_rights(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	size_t k;

	for (k = 0; k < rrights_missing(reply); k++)
		examine_right(e, reply, k);
}

static void
ask_rights(struct rquery *i)
{
	const struct redis_args args = rrights_args(i->broker, true);

	if (args.v != NULL)
		rquery_eval_judged(i, take_rights, 0, SCRIPT_RIGHTS,
				   (struct redis_args){NULL, 0}, args);
	else
		err_nomem(&i->err);
	free((void *)(uintptr_t)args.v);
}

/* --- the answer -------------------------------------------------------- */

static void
add_findings(struct buf *json, const struct redis_info *info)
{
	redis_check_fn *const *check;
	struct redis_finding f;
	bool first = true;

	for (check = redis_checks; *check != NULL; check++) {
		if (!(*check)(info, &f))
			continue;
		buf_addf(json,
			 "%s{\"level\":\"%s\",\"what\":", first ? "" : ",",
			 f.error ? "error" : "warning");
		scan_quote(json, slice_of(f.what));
		buf_adds(json, ",\"remedy\":");
		scan_quote(json, slice_of(f.remedy));
		buf_addc(json, '}');
		first = false;
	}
}

static void
rexamine_tell(const struct examination *e, struct buf *json)
{
	const struct redis_info info = {
	    .info = {e->info.data, e->info.len},
	    .save = {e->has_save ? (e->save.data ? e->save.data : "") : NULL,
		     e->save.len},
	    .appendfsync = {e->appendfsync.data, e->appendfsync.len},
	    .ahead_us = e->ahead_us};
	const struct slice version =
	    redis_info_text(info.info, "redis_version");
	struct buf name = BUF_INIT;
	char clock[CLOCK_TEXT_SIZE];

	buf_addf(&name, "Redis %.*s", (int)version.len,
		 version.p != NULL ? version.p : "");
	clock_format(e->clock_us, clock);
	buf_adds(json, "{\"server\":");
	scan_quote(json, (struct slice){name.data, name.len});
	buf_addf(json, ",\"clock_at\":\"%s\",\"findings\":[", clock);
	add_findings(json, &info);
	if (e->rights.len > 0) {
		if (json->data[json->len - 1] != '[')
			buf_addc(json, ',');
		buf_add(json, e->rights.data, e->rights.len);
	}
	buf_adds(json, "]}");
	json->failed = json->failed || name.failed || e->info.failed ||
		       e->save.failed || e->appendfsync.failed ||
		       e->rights.failed;
	buf_done(&name);
}

static void
on_settings(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	struct buf json = BUF_INIT;

	/* The settings may be hidden; what is known is told without them. */
	if (i->ask == ask_settings && i->err.code != ERR_UNAVAILABLE)
		i->err = (struct err)ERR_INIT;
	if (i->err.code == ERR_NONE) {
		rexamine_tell(e, &json);
		if (json.failed)
			err_nomem(&i->err);
	}
	if (i->err.code == ERR_NONE)
		e->on_value((struct slice){json.data, json.len}, NULL, e->arg);
	else
		e->on_value((struct slice){NULL, 0}, &i->err, e->arg);
	buf_done(&json);
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
radmin_examine(struct broker *b, broker_value_fn *on_value, void *arg)
{
	struct examination *e = calloc(1, sizeof(*e));
	struct err err;

	if (e == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	*e = (struct examination){.query = {.broker = (struct rbroker *)b,
					    .what = "examining",
					    .ask = ask_rights,
					    .answered = rexamine_on_rights,
					    .free = examination_free},
				  .on_value = on_value,
				  .arg = arg};
	rquery_begin(&e->query);
}
