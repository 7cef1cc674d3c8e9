/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what may be wrong with the server, or with the masters of a
 * Cluster. What is asked is here, what is judged is in info.c. Sentinels are asked
 * last, each by a connection of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/quorum.h"
#include "store/redis/admin.h"
#include "store/redis/admin_report.h"
#include "store/redis/info.h"
#include "store/redis/rights.h"
#include "util/clock.h"
#include "util/sat.h"

/* A server: the only one, or a master of a Cluster. */
struct examined {
	char *name; /* NULL: the only one */
	struct buf info, save, appendfsync;
	bool has_save;
	int64_t foreign; /* as of broker_report */
	int64_t clock_us;
	int64_t ahead_us;
	int64_t asked_us; /* our clock when we asked for its */
};

struct examination {
	struct rquery query;
	broker_report_fn *on_report;
	void *arg;
	struct examined *nodes;
	size_t n_nodes;
	struct report report;
	struct redis_quorum *quorum; /* it waits for Sentinels */
	TAILQ_ENTRY(examination) link;
};

static void
examined_forget(struct examined *node)
{
	buf_done(&node->info);
	buf_done(&node->save);
	buf_done(&node->appendfsync);
}

static void
examination_forget_nodes(struct examination *e)
{
	size_t k;

	for (k = 0; k < e->n_nodes; k++) {
		examined_forget(&e->nodes[k]);
		free(e->nodes[k].name);
	}
	free(e->nodes);
	e->nodes = NULL;
	e->n_nodes = 0;
}

static void
examination_free(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);

	if (e->quorum != NULL)
		TAILQ_REMOVE(&i->broker->examinations, e, link);
	redis_quorum_free(e->quorum);
	examination_forget_nodes(e);
	report_done(&e->report);
	free(e);
}

void
rbroker_forget_examinations(struct rbroker *b)
{
	struct examination *e;

	while ((e = TAILQ_FIRST(&b->examinations)) != NULL) {
		TAILQ_REMOVE(&b->examinations, e, link);
		redis_quorum_free(e->quorum);
		e->quorum = NULL;
		examination_free(&e->query);
	}
}

/* The masters of a Cluster by their numbers, or the one server. */
static int
examination_find_nodes(struct examination *e)
{
	struct redis *redis = e->query.broker->redis;
	struct redis_nodes all;
	struct redis_node node;
	size_t k;

	examination_forget_nodes(e);
	redis_get_nodes(redis, &all);
	e->nodes = calloc(all.n + 1, sizeof(*e->nodes));
	if (e->nodes == NULL)
		return err_nomem(&e->query.err);
	e->n_nodes = all.n > 0 ? all.n : 1;
	for (k = 0; k < all.n && redis_get_node(redis, k, &node); k++)
		if (asprintf(&e->nodes[k].name,
			     strchr(node.host, ':') != NULL ? "[%s]:%u"
							    : "%s:%u",
			     node.host, node.port) < 0) {
			e->nodes[k].name = NULL;
			return err_nomem(&e->query.err);
		}
	return 0;
}

/* --- asking ------------------------------------------------------------ */

static struct examined *
examined_at(struct rquery *i, size_t index)
{
	return &container_of(i, struct examination, query)->nodes[index];
}

/* A master that is out of reach is told of as such. */
static void
examined_ask(struct rquery *i, size_t k, rquery_take_fn *take, size_t index,
	     struct redis_args argv)
{
	if (examined_at(i, k)->name == NULL)
		rquery_command(i, take, index, argv);
	else
		rquery_command_node(i, k, take, index, argv);
}

static void
take_info(struct rquery *i, size_t k, const struct redis_reply *reply)
{
	const struct slice text = redis_reply_string(reply);

	if (redis_fault(reply) == REDIS_FAULT_NONE)
		buf_add(&examined_at(i, k)->info, text.p, text.len);
}

static void
take_time(struct rquery *i, size_t k, const struct redis_reply *reply)
{
	struct examined *e = examined_at(i, k);
	const int64_t now_us = clock_wall_us();

	if (redis_reply_count(reply) != 2)
		return;
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

/* Which server, and which of the two settings. */
static void
rexamine_take_setting(struct rquery *i, size_t index,
		      const struct redis_reply *reply)
{
	struct examined *e = examined_at(i, index / 2);
	const struct slice value = redis_reply_string(redis_reply_at(reply, 1));

	/* {name, value}; empty where the server hides the setting. */
	if (redis_reply_count(reply) != 2)
		return;
	buf_add(index % 2 == 0 ? &e->save : &e->appendfsync, value.p,
		value.len);
	e->has_save = e->has_save || index % 2 == 0;
}

/* One that takes tasks without a trace in the server, in our database: so says the
 * last command of a connection that waits. */
static bool
examined_is_foreign(const struct rbroker *b, struct slice client)
{
	char database[32];

	snprintf(database, sizeof(database), " db=%d ", b->url.db);
	return memmem(client.p, client.len, " cmd=brpop ",
		      strlen(" cmd=brpop ")) != NULL &&
	       memmem(client.p, client.len, database, strlen(database)) != NULL;
}

static void
rexamine_take_clients(struct rquery *i, size_t k,
		      const struct redis_reply *reply)
{
	const struct slice text = redis_reply_string(reply);
	const char *at = text.p, *end = text.p + text.len, *line;

	if (redis_fault(reply) != REDIS_FAULT_NONE)
		return;
	examined_at(i, k)->foreign = 0;
	for (; at < end; at = line + 1) {
		line = memchr(at, '\n', (size_t)(end - at));
		if (line == NULL)
			line = end;
		examined_at(i, k)->foreign += examined_is_foreign(
		    i->broker, (struct slice){at, (size_t)(line - at)});
	}
}

static void
ask_info(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice info[] = {SLICE("INFO")};
	const struct slice now[] = {SLICE("TIME")};
	size_t k;

	if (examination_find_nodes(e) != 0)
		return;
	for (k = 0; k < e->n_nodes; k++) {
		/* TIME goes first: the span in which the server reads its clock
		 * is then as short as it can be. */
		e->nodes[k].asked_us = clock_wall_us();
		examined_ask(i, k, take_time, k, REDIS_ARGS(now));
		examined_ask(i, k, take_info, k, REDIS_ARGS(info));
	}
}

/* In a phase of its own: managed servers forbid CONFIG, and an error fails all
 * of its phase. Not all users may list clients, either. */
static void
ask_settings(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct slice save[] = {SLICE("CONFIG"), SLICE("GET"),
				     SLICE("save")};
	const struct slice fsync[] = {SLICE("CONFIG"), SLICE("GET"),
				      SLICE("appendfsync")};
	const struct slice clients[] = {SLICE("CLIENT"), SLICE("LIST"),
					SLICE("TYPE"), SLICE("normal")};
	size_t k;

	for (k = 0; k < e->n_nodes; k++) {
		buf_reset(&e->nodes[k].save);
		buf_reset(&e->nodes[k].appendfsync);
		examined_ask(i, k, rexamine_take_setting, 2 * k,
			     REDIS_ARGS(save));
		examined_ask(i, k, rexamine_take_setting, 2 * k + 1,
			     REDIS_ARGS(fsync));
		examined_ask(i, k, rexamine_take_clients, k,
			     REDIS_ARGS(clients));
	}
}

/* --- rights ------------------------------------------------------------ */

static void
take_rights(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct examination *e = container_of(i, struct examination, query);
	const struct rrights of = rrights_of_broker(i->broker, true);
	const size_t n = rrights_missing(reply);
	struct report_finding *right;
	size_t k;

	report_done(&e->report);
	for (k = 0; k < n; k++) {
		if ((right = report_add(&e->report)) == NULL)
			return;
		right->error = true;
		rrights_describe(&of, reply, k, &right->what, &right->remedy);
		if (right->what.len == 0)
			e->report.n--;
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

static struct redis_info
examined_info(const struct examination *e, const struct examined *node)
{
	const struct rbroker *b = e->query.broker;
	const char *save = node->save.data != NULL ? node->save.data : "";
	struct redis_info info = {
	    .info = {node->info.data, node->info.len},
	    .save = {node->has_save ? save : NULL, node->save.len},
	    .appendfsync = {node->appendfsync.data, node->appendfsync.len},
	    .ahead_us = node->ahead_us,
	    .replicas = b->opt.replicas,
	    .fails_over = b->url.master != NULL || b->url.cluster};

	redis_get_nodes(b->redis, &info.nodes);
	if (node->name != NULL &&
	    !redis_get_node(b->redis, (size_t)(node - e->nodes), &info.node))
		info.node.host = NULL;
	return info;
}

/* Check by check, so that the same of several nodes stands together. */
static void
rexamine_judge(struct examination *e)
{
	redis_check_fn *const *check;
	struct redis_finding found;
	struct redis_info info;
	size_t k;

	for (check = redis_checks; *check != NULL; check++)
		for (k = 0; k < e->n_nodes; k++) {
			info = examined_info(e, &e->nodes[k]);
			if ((*check)(&info, &found))
				report_add_found(&e->report, &found,
						 e->nodes[k].name);
		}
	info = examined_info(e, &e->nodes[0]);
	for (check = redis_cluster_checks; *check != NULL; check++)
		if ((*check)(&info, &found))
			report_add_found(&e->report, &found, NULL);
}

/* The first that has answered stands for all. */
static const struct examined *
rexamine_first(const struct examination *e)
{
	size_t k;

	for (k = 0; k < e->n_nodes; k++)
		if (e->nodes[k].info.len > 0)
			return &e->nodes[k];
	return &e->nodes[0];
}

static void
rexamine_report(struct examination *e, struct broker_finding *findings)
{
	const struct examined *first = rexamine_first(e);
	const struct slice version = redis_info_text(
	    (struct slice){first->info.data, first->info.len}, "redis_version");
	char name[64];
	struct broker_report report = {.server = name,
				       .clock_us = first->clock_us,
				       .findings = findings,
				       .n = e->report.n};
	size_t k;

	snprintf(name, sizeof(name), "Redis %.*s", (int)version.len,
		 version.p != NULL ? version.p : "");
	for (k = 0; k < e->n_nodes; k++)
		report.foreign += e->nodes[k].foreign;
	for (k = 0; k < e->report.n; k++)
		findings[k] = (struct broker_finding){
		    .error = e->report.findings[k].error,
		    .what = e->report.findings[k].what.data,
		    .remedy = e->report.findings[k].remedy.data};
	e->on_report(&report, NULL, e->arg);
}

static void
rexamine_check_memory(struct examination *e)
{
	size_t i;

	for (i = 0; i < e->n_nodes; i++)
		if (e->nodes[i].info.failed || e->nodes[i].save.failed ||
		    e->nodes[i].appendfsync.failed)
			err_nomem(&e->query.err);
}

/* All is known: tells it, or why not. */
static void
rexamine_end(struct examination *e)
{
	struct err *err = &e->query.err;
	struct broker_finding *findings = NULL;

	if (err->code == ERR_NONE &&
	    report_end(&e->report, e->n_nodes, err) == 0 &&
	    (findings = calloc(e->report.n + 1, sizeof(*findings))) == NULL)
		err_nomem(err);
	if (findings != NULL)
		rexamine_report(e, findings);
	else
		e->on_report(NULL, err, e->arg);
	free(findings);
	examination_free(&e->query);
}

/* --- Sentinels ----------------------------------------------------------- */

static void
rexamine_on_views(const struct redis_sentinel_view *views, size_t n, void *arg)
{
	struct examination *e = arg;
	struct redis_finding found = {.error = false};
	size_t i;

	for (i = 0; i < n; i++) {
		if (views[i].well)
			continue;
		if (views[i].answers) {
			snprintf(found.what, sizeof(found.what),
				 "cannot fail over, its Sentinels say: %.180s",
				 views[i].why.msg);
			found.remedy = "start the Sentinels that are missing, "
				       "until most of them are there";
			report_add_found(&e->report, &found, views[i].name);
		} else {
			snprintf(found.what, sizeof(found.what),
				 "has a Sentinel that is out of reach: %.200s",
				 views[i].why.msg);
			found.remedy = "start it, or take it out of the URL";
			report_add_found(&e->report, &found, NULL);
		}
	}
	rexamine_end(e);
}

/* Whether they are asked, after which it ends. */
static bool
rexamine_ask_sentinels(struct examination *e)
{
	struct rbroker *b = e->query.broker;

	if (b->url.master == NULL)
		return false;
	e->quorum = redis_quorum_new(b->opt.base, &b->url, rexamine_on_views, e,
				     &e->query.err);
	if (e->quorum == NULL)
		return false;
	TAILQ_INSERT_TAIL(&b->examinations, e, link);
	return true;
}

static void
on_settings(struct rquery *i)
{
	struct examination *e = container_of(i, struct examination, query);

	/* The settings may be hidden; what is known is told without them. */
	if (i->ask == ask_settings && i->err.code != ERR_UNAVAILABLE)
		i->err = (struct err)ERR_INIT;
	rexamine_check_memory(e);
	if (i->err.code == ERR_NONE)
		rexamine_judge(e);
	if (i->err.code != ERR_NONE || !rexamine_ask_sentinels(e))
		rexamine_end(e);
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
