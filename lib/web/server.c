/* SPDX-License-Identifier: MIT */
/*
 * flowrra-web as a whole: made, reloaded, stopped.
 *
 * The order in which it is made is that of need, and web_free() goes backwards:
 * first what holds requests, then the threads, last what both use. Sockets are
 * opened at the end, so that nobody is let in before all works, and a mistake
 * in the configuration is told before that.
 */
#include "web/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"
#include "web/access.h"
#include "web/audit.h"
#include "web/figures.h"
#include "web/hub.h"
#include "web/jobs.h"
#include "web/listen.h"
#include "web/mask.h"
#include "web/quota.h"
#include "web/replay.h"
#include "web/state.h"
#include "web/tls.h"

/* Requests that wait for an operation thread; then 503. */
#define QUEUE_MAX 64
/* Those that wait for a task, each a thread; and logins, one at a time. */
#define WAITS_MAX 16
#define LOGINS_MAX 32
#define SAMPLE_US 1000000
/* A browser sends 1 to 2 KiB with its cookies; proxies and Apache have about this
 * limit themselves. */
#define HEAD_MAX 8192
/* For a head on a slow line; a peer that dribbles holds its place no longer. */
#define HEAD_US 10000000
/* Pages keep their connection between two clicks. */
#define IDLE_US 60000000
/* More than a snapshot of any topic: what makes a reader slow is decided in
 * events.c. */
#define BACKLOG_MAX (4 << 20)
/* Files that are open without a connection: some 30 when it is ready, and those
 * that a check of the health opens for a moment; then the schedules of each
 * thread, with SQLite three. */
#define FILES_OWN 40
#define FILES_OF_THREAD 4
#define CONNECTIONS_MIN 8

/* --- making ---------------------------------------------------------------------
 */

/* One client for all operation threads: they share its connections. Its own answer,
 * which has a better reason, comes before the 504. */
static int
web_open_client(struct web *web, const struct web_options *o, struct err *err)
{
	if (web_client_open(o->config_file, o->settings, &web->shared.client,
			    err) != 0)
		return -1;
	return client_set_deadline(web->shared.client,
				   web->conf->web.timeout / 1000 * 4 / 5, err);
}

/* What any thread may use; each part locks for itself. */
static int
web_make_shared(struct web *web, const struct web_options *o, struct err *err)
{
	struct web_shared *s = &web->shared;

	s->tables = web_routes;
	return (s->audit = audit_new(err)) != NULL &&
		       (s->jobs = jobs_new(s->audit, err)) != NULL &&
		       (s->replay = replay_new(err)) != NULL &&
		       (s->figures = figures_new(err)) != NULL &&
		       ((s->quota = quota_new()) != NULL ||
			err_nomem(err) == 0) &&
		       web_open_client(web, o, err) == 0
		   ? 0
		   : -1;
}

/* Three pools, so that no kind of work can hold up another: calls, which answer
 * within [web] timeout; those that wait for a task; and password hashes, one at
 * a time, since each takes a processor for a while on purpose. */
static int
web_make_threads(struct web *web, const struct web_options *o, struct err *err)
{
	const struct pool_options calls = {.base = o->base,
					   .shared = &web->shared,
					   .threads =
					       (size_t)web->conf->web.threads,
					   .queue = QUEUE_MAX};
	const struct pool_options waits = {
	    .base = o->base, .shared = &web->shared, .threads = WAITS_MAX};
	const struct pool_options logins = {.base = o->base,
					    .shared = &web->shared,
					    .threads = 1,
					    .queue = LOGINS_MAX};
	const struct hub_options hub = {.base = o->base,
					.shared = &web->shared,
					.config_file = o->config_file,
					.settings = o->settings,
					.every_us = SAMPLE_US};

	return (web->calls = pool_threads_new(&calls, err)) != NULL &&
		       (web->waits = pool_threads_new(&waits, err)) != NULL &&
		       (web->passwords = pool_threads_new(&logins, err)) !=
			   NULL &&
		       (web->hub = hub_new(&hub, err)) != NULL
		   ? 0
		   : -1;
}

/* Peers wait meanwhile; the limit is to be raised, or somebody holds them all. */
static void
web_on_short(int sys, void *arg)
{
	char limit[LIMITS_TEXT_MAX];

	(void)arg;
	if (!limits_warning_due(sys))
		return;
	limits_explain(sys, limit);
	log_warning("connections wait until others end: %s", limit);
}

/* What a low limit on open files leaves for connections. Requests need some
 * themselves: a peer that holds all there are would have them fail. */
static void
web_limit_connections(const struct conf_web *conf, struct http_limits *limits)
{
	const uint64_t files = limits_files();
	const uint64_t own =
	    FILES_OWN + FILES_OF_THREAD * (size_t)conf->threads;
	const uint64_t room =
	    files > own + CONNECTIONS_MIN ? files - own : CONNECTIONS_MIN;
	char limit[LIMITS_TEXT_MAX];

	if (room >= limits->max_connections)
		return;
	limits_explain(EMFILE, limit);
	log_warning("at most %" PRIu64 " connections, not [web] "
		    "max_connections = %u: %s",
		    room, limits->max_connections, limit);
	limits->max_connections = (unsigned int)room;
	/* Streams stay: others need a place beside them. */
	if (limits->max_streams > room / 2)
		limits->max_streams = room / 2;
}

/* Slow heads are cut by lib/http, before anything here is asked. */
static int
web_make_http(struct web *web, const struct web_options *o, struct err *err)
{
	const struct conf_web *conf = &web->conf->web;
	struct http_limits limits = {
	    .head_timeout_us = HEAD_US,
	    .idle_timeout_us = IDLE_US,
	    .max_head = HEAD_MAX,
	    .max_connections = (unsigned int)conf->max_connections,
	    .max_per_peer = (unsigned int)conf->max_per_peer,
	    /* Proxies come by one, too, and need more than a browser. */
	    .max_per_uid = (unsigned int)(conf->max_connections / 4 + 1),
	    .max_streams = (size_t)conf->max_streams,
	    .max_backlog = BACKLOG_MAX};
	const struct http_user user = {.on_head = dispatch_head,
				       .on_request = dispatch_request,
				       .on_gone = dispatch_gone,
				       .on_short = web_on_short,
				       .refusal_fields = respond_api_fields,
				       .arg = web};

	web_limit_connections(conf, &limits);
	web->http = http_server_new(o->base, &limits, &user, err);
	return web->http != NULL ? 0 : -1;
}

/* --- listening ------------------------------------------------------------------
 */

/* The key is overwritten once GnuTLS has a copy. */
static int
web_listen_all(struct web *web, const int *fds, size_t n, struct err *err)
{
	struct web_tls t = {.cert = BUF_INIT};
	struct http_tls tls = {.key = NULL};
	size_t i;
	int r = web_tls_load(&web->conf->web, &t, &tls, err);

	for (i = 0; r == 0 && i < n; i++)
		r = http_server_listen(web->http, fds[i],
				       tls.certificates != NULL ? &tls : NULL,
				       err);
	web_tls_drop(&t);
	return r;
}

/* Sockets that systemd has opened are checked as well: the unit may say what
 * our configuration would refuse. */
static int
web_listen(struct web *web, const struct web_options *o, struct err *err)
{
	int fds[LISTEN_MAX], n;

	if (o->n_fds > 0)
		return listen_check(web->conf, o->fds, o->n_fds, err) != 0
			   ? -1
			   : web_listen_all(web, o->fds, o->n_fds, err);
	if ((n = listen_open(web->conf, fds, err)) < 0)
		return -1;
	return listen_check(web->conf, fds, (size_t)n, err) != 0
		   ? -1
		   : web_listen_all(web, fds, (size_t)n, err);
}

/* --- the configuration -----------------------------------------------------------
 */

/* With room for it among those that are kept. */
static int
web_load_conf(struct web *web, struct conf **ret, struct err *err)
{
	struct web_mask **masks = reallocarray(web->masks, web->n_confs + 1,
					       sizeof(struct web_mask *));
	struct conf **confs;

	if (masks == NULL)
		return err_nomem(err);
	web->masks = masks;
	confs =
	    reallocarray(web->confs, web->n_confs + 1, sizeof(struct conf *));
	if (confs == NULL)
		return err_nomem(err);
	web->confs = confs;
	return conf_load(web->config_file, web->settings, ret, err);
}

/* It is in force from now on, with what it hides. */
static int
web_keep_conf(struct web *web, struct conf *conf, struct err *err)
{
	struct web_mask *mask = mask_new(conf->web.hide, err);

	if (mask == NULL)
		return -1;
	web->masks[web->n_confs] = mask;
	web->confs[web->n_confs++] = conf;
	web->conf = conf;
	web->shared.conf = conf;
	web->shared.mask = mask;
	return 0;
}

static int
web_first_conf(struct web *web, struct err *err)
{
	struct conf *conf = NULL;

	if (web_load_conf(web, &conf, err) != 0 || conf == NULL)
		return -1;
	if (web_keep_conf(web, conf, err) == 0)
		return 0;
	conf_free(conf);
	return -1;
}

/* On failure web_free() frees what was made before: it takes a server at any stage
 * of this. */
struct web *
web_new(const struct web_options *options, struct err *err)
{
	struct web *web = calloc(1, sizeof(*web));

	if (web == NULL) {
		err_nomem(err);
		return NULL;
	}
	web->base = options->base;
	web->config_file = options->config_file;
	web->settings = options->settings;
	TAILQ_INIT(&web->waiting);
	if (web_first_conf(web, err) != 0 ||
	    (web->auth = auth_new(web->conf, err)) == NULL ||
	    (web->limits = access_limits_new(err)) == NULL ||
	    web_make_shared(web, options, err) != 0 ||
	    web_make_threads(web, options, err) != 0 ||
	    web_make_http(web, options, err) != 0 ||
	    web_listen(web, options, err) != 0) {
		web_free(web);
		return NULL;
	}
	return web;
}

/* What holds a request first; then those who run calls; what they use last. */
void
web_free(struct web *web)
{
	if (web == NULL)
		return;
	atomic_store(&web->shared.stopping, true);
	http_server_free(web->http);
	hub_free(web->hub);
	pool_threads_free(web->passwords);
	pool_threads_free(web->waits);
	pool_threads_free(web->calls);
	jobs_free(web->shared.jobs);
	audit_free(web->shared.audit);
	replay_free(web->shared.replay);
	quota_free(web->shared.quota);
	figures_free(web->shared.figures);
	flowrra_close(web->shared.client);
	access_limits_free(web->limits);
	auth_free(web->auth);
	while (web->n_confs > 0) {
		mask_free(web->masks[--web->n_confs]);
		conf_free(web->confs[web->n_confs]);
	}
	free(web->masks);
	free(web->confs);
	free(web);
}

/* New connections are refused, calls are told to end, and readers of streams
 * are let go; the daemon frees all when it has nothing more to do. */
void
web_stop(struct web *web)
{
	web->stopping = true;
	atomic_store(&web->shared.stopping, true);
	http_server_quiet(web->http);
	hub_stop(web->hub);
}

/* All or nothing: with a mistake in it, the old one stays in force. Listeners,
 * threads and stores need a restart. */
int
web_reload(struct web *web, struct err *err)
{
	struct web_auth *auth;
	struct conf *conf = NULL;

	if (web_load_conf(web, &conf, err) != 0 || conf == NULL)
		return -1;
	if ((auth = auth_new(conf, err)) == NULL ||
	    web_keep_conf(web, conf, err) != 0) {
		auth_free(auth);
		conf_free(conf);
		return -1;
	}
	auth_free(web->auth);
	web->auth = auth;
	hub_again(web->hub);
	return 0;
}

/* For systemctl status, by the same measure as /readyz. */
void
web_status_line(const struct web *web, char *text, size_t size)
{
	snprintf(text, size, "%zu requests, %zu refused, %zu live%s",
		 web->n_requests, web->n_refused, hub_subscribers(web->hub),
		 hub_is_ready(web->hub) ? "" : "; the stores are out of reach");
}
