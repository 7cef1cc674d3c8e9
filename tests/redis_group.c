/* SPDX-License-Identifier: MIT */
/*
 * Groups of private Redis servers for tests.
 *
 * Sentinels find one another, and the replicas, within seconds; a test has not
 * so long, so that their files say all of it before they start.
 */
#include "redis_group.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

#define SERVERS_MAX 4
#define ARGS_MAX 20
#define PATIENCE_MS 20000

struct sentinel {
	int port;
	pid_t pid; /* 0: not running */
	char file[48];
};

struct redis_group {
	struct redis_group_options options;
	struct redis_server *servers[SERVERS_MAX];
	const char *args[SERVERS_MAX][ARGS_MAX];
	size_t n;
	char *dir; /* of the Sentinels' files */
	struct sentinel sentinels[REDIS_GROUP_SENTINELS];
	size_t n_sentinels;
	char *url, *list_url;
};

/* --- servers ------------------------------------------------------------- */

static struct redis_server *
group_start_server(struct redis_group *g)
{
	const struct redis_group_options *o = &g->options;
	const char *const common[] = {"--repl-diskless-sync-delay",
				      "0",
				      "--repl-ping-replica-period",
				      "1",
				      "--tls-replication",
				      o->tls ? "yes" : "no",
				      "--appendonly",
				      o->aof ? "yes" : "no"};
	/* It is started again with what it was given. */
	const char **args = g->args[g->n];
	const struct redis_server_options options = {.tls = o->tls,
						     .certificates_of =
							 g->servers[0],
						     .password = o->password,
						     .args = args};
	size_t n = sizeof(common) / sizeof(common[0]);

	memcpy(args, common, sizeof(common));
	if (o->password != NULL) {
		args[n++] = "--masterauth";
		args[n++] = o->password;
	}
	return redis_server_start(&options);
}

static void
group_start_servers(struct redis_group *g)
{
	for (g->n = 0; g->n <= g->options.replicas; g->n++)
		g->servers[g->n] = group_start_server(g);
	for (size_t i = 1; i < g->n; i++)
		redis_server_run(g->servers[i], "REPLICAOF 127.0.0.1 %d",
				 redis_server_port(g->servers[0]));
}

/* Over a connection of its own, which may end: NULL. */
static redisReply *
group_ask(struct redis_group *g, const struct redis_server *s,
	  const char *command)
{
	const struct timeval tv = {.tv_sec = 2};
	redisReply *reply = NULL;
	redisContext *c;
	char path[300];

	snprintf(path, sizeof(path), "%s/redis.sock", redis_server_dir(s));
	c = redisConnectUnixWithTimeout(path, tv);
	if (c != NULL && c->err == 0) {
		redisSetTimeout(c, tv);
		if (g->options.password != NULL)
			freeReplyObject(
			    redisCommand(c, "AUTH %s", g->options.password));
		reply = redisCommand(c, command);
	}
	if (c != NULL)
		redisFree(c);
	return reply;
}

static long long
info_number(redisReply *info, const char *name)
{
	const char *at =
	    info->type == REDIS_REPLY_ERROR ? NULL : strstr(info->str, name);

	return at != NULL ? atoll(at + strlen(name)) : -1;
}

static bool
is_master(struct redis_group *g, struct redis_server *s)
{
	redisReply *r = NULL;
	bool yes;

	if (redis_server_is_running(s))
		r = group_ask(g, s, "ROLE");
	yes = r != NULL && r->type == REDIS_REPLY_ARRAY && r->elements > 0 &&
	      strcmp(r->element[0]->str, "master") == 0;
	freeReplyObject(r);
	return yes;
}

int
redis_group_find_master(struct redis_group *g, int but)
{
	for (int i = 0; i < (int)g->n; i++)
		if (i != but && is_master(g, g->servers[i]))
			return i;
	return -1;
}

int
redis_group_await_master(struct redis_group *g, int but)
{
	const int64_t end = server_now_ms() + PATIENCE_MS;
	int i;

	while ((i = redis_group_find_master(g, but)) < 0) {
		if (server_now_ms() > end)
			server_die("there is no master; see %s", g->dir);
		server_nap();
	}
	redis_server_reconnect(g->servers[i]);
	return i;
}

/* Whether it follows `master`, and has all that it has. */
static bool
follows(struct redis_group *g, struct redis_server *s,
	struct redis_server *master)
{
	redisReply *a = group_ask(g, master, "INFO replication"),
		   *b = group_ask(g, s, "INFO replication");
	const bool yes =
	    a != NULL && a->type != REDIS_REPLY_ERROR && b != NULL &&
	    b->type != REDIS_REPLY_ERROR &&
	    strstr(b->str, "master_link_status:up") != NULL &&
	    info_number(b, "master_port:") == redis_server_port(master) &&
	    info_number(b, "slave_repl_offset:") >=
		info_number(a, "master_repl_offset:");

	freeReplyObject(a);
	freeReplyObject(b);
	return yes;
}

/* --- Sentinels ----------------------------------------------------------- */

/* What a Sentinel calls itself; any 40 hexadecimal digits. */
static void
sentinel_id(size_t i, char id[41])
{
	snprintf(id, 41, "%040zx", i + 1);
}

static void
sentinel_write(struct redis_group *g, size_t i)
{
	const char *password = g->options.password;
	struct sentinel *s = &g->sentinels[i];
	char path[300], id[41];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", g->dir, s->file);
	f = fopen(path, "we");
	if (f == NULL)
		server_die("%s: %s", path, strerror(errno));
	sentinel_id(i, id);
	fprintf(f, "bind 127.0.0.1\nlogfile %s/log%zu\ndir %s\n", g->dir, i,
		g->dir);
	if (g->options.tls)
		fprintf(f,
			"port 0\ntls-port %d\ntls-replication yes\n"
			"tls-cert-file %s/server.crt\n"
			"tls-key-file %s/server.key\n"
			"tls-ca-cert-file %s/ca.crt\ntls-auth-clients no\n",
			s->port, redis_server_dir(g->servers[0]),
			redis_server_dir(g->servers[0]),
			redis_server_dir(g->servers[0]));
	else
		fprintf(f, "port %d\n", s->port);
	if (g->options.sentinel_password != NULL)
		fprintf(f, "requirepass %s\nsentinel sentinel-pass %s\n",
			g->options.sentinel_password,
			g->options.sentinel_password);
	fprintf(f,
		"sentinel myid %s\n"
		"sentinel monitor %s 127.0.0.1 %d %d\n"
		"sentinel down-after-milliseconds %s %d\n"
		"sentinel failover-timeout %s 2000\n",
		id, REDIS_GROUP_NAME, redis_server_port(g->servers[0]),
		g->options.lone ? 1 : 2, REDIS_GROUP_NAME, REDIS_GROUP_DOWN_MS,
		REDIS_GROUP_NAME);
	if (password != NULL)
		fprintf(f, "sentinel auth-pass %s %s\n", REDIS_GROUP_NAME,
			password);
	for (size_t k = 1; k < g->n; k++)
		fprintf(f, "sentinel known-replica %s 127.0.0.1 %d\n",
			REDIS_GROUP_NAME, redis_server_port(g->servers[k]));
	for (size_t k = 0; k < g->n_sentinels; k++) {
		sentinel_id(k, id);
		if (k != i)
			fprintf(f,
				"sentinel known-sentinel %s 127.0.0.1 %d %s\n",
				REDIS_GROUP_NAME, g->sentinels[k].port, id);
	}
	if (fclose(f) != 0)
		server_die("%s: %s", path, strerror(errno));
}

static void
sentinel_start(struct redis_group *g, size_t i)
{
	struct sentinel *s = &g->sentinels[i];
	const char *const argv[] = {redis_server_program(), s->file,
				    "--sentinel", NULL};

	s->pid = server_spawn(g->dir, "out", argv);
}

/* Asks it, with redis-cli's means: over TLS hiredis needs more than a test has. */
static redisContext *
sentinel_connect(const struct redis_group *g, size_t i)
{
	const struct timeval tv = {.tv_sec = 1};
	redisContext *c;

	if (g->options.tls)
		return NULL;
	c = redisConnectWithTimeout("127.0.0.1", g->sentinels[i].port, tv);
	if (c == NULL || c->err != 0) {
		if (c != NULL)
			redisFree(c);
		return NULL;
	}
	redisSetTimeout(c, tv);
	if (g->options.sentinel_password != NULL)
		freeReplyObject(
		    redisCommand(c, "AUTH %s", g->options.sentinel_password));
	return c;
}

static char *
sentinel_ask(const struct redis_group *g, size_t i, const char *command)
{
	redisContext *c = sentinel_connect(g, i);
	redisReply *r = c != NULL ? redisCommand(c, command) : NULL;
	struct redisReply *port =
	    r != NULL && r->type == REDIS_REPLY_ARRAY && r->elements == 2
		? r->element[1]
		: r;
	char *answer =
	    port != NULL && port->str != NULL ? strdup(port->str) : strdup("");

	freeReplyObject(r);
	if (c != NULL)
		redisFree(c);
	return answer;
}

static bool
sentinel_knows(const struct redis_group *g, size_t i, int master)
{
	char *port = sentinel_ask(
	    g, i, "SENTINEL GET-MASTER-ADDR-BY-NAME " REDIS_GROUP_NAME);
	char *quorum =
	    sentinel_ask(g, i, "SENTINEL CKQUORUM " REDIS_GROUP_NAME);
	const bool yes = g->options.tls || (atoi(port) == master &&
					    strncmp(quorum, "OK", 2) == 0);

	free(port);
	free(quorum);
	return yes;
}

/* --- the group ----------------------------------------------------------- */

static bool
group_is_settled(struct redis_group *g)
{
	const int m = redis_group_find_master(g, -1);

	if (m < 0 || redis_group_find_master(g, m) >= 0)
		return false;
	for (int i = 0; i < (int)g->n; i++)
		if (i != m && redis_server_is_running(g->servers[i]) &&
		    !follows(g, g->servers[i], g->servers[m]))
			return false;
	for (size_t i = 0; i < g->n_sentinels; i++)
		if (g->sentinels[i].pid != 0 &&
		    !sentinel_knows(g, i, redis_server_port(g->servers[m])))
			return false;
	return true;
}

/* What each of them thinks. */
static void
group_describe(struct redis_group *g)
{
	redisReply *r;
	char *port;

	for (size_t i = 0; i < g->n; i++) {
		if (!redis_server_is_running(g->servers[i]))
			continue;
		r = group_ask(g, g->servers[i], "INFO replication");
		fprintf(stderr, "server %d: %.400s\n",
			redis_server_port(g->servers[i]),
			r != NULL && r->str != NULL ? r->str : "silent");
		freeReplyObject(r);
	}
	for (size_t i = 0; i < g->n_sentinels; i++) {
		port = sentinel_ask(
		    g, i, "SENTINEL GET-MASTER-ADDR-BY-NAME " REDIS_GROUP_NAME);
		fprintf(stderr, "Sentinel %zu: master is %s\n", i, port);
		free(port);
	}
}

void
redis_group_settle(struct redis_group *g)
{
	const int64_t end = server_now_ms() + 2 * PATIENCE_MS;

	while (!group_is_settled(g)) {
		if (server_now_ms() > end) {
			group_describe(g);
			server_die("the servers do not agree; see %s", g->dir);
		}
		server_nap();
	}
	for (size_t i = 0; i < g->n; i++)
		if (redis_server_is_running(g->servers[i]))
			redis_server_reconnect(g->servers[i]);
}

static void
group_make_urls(struct redis_group *g)
{
	const char *password = g->options.sentinel_password;
	char hosts[200];
	size_t len = 0, i;
	char *url;

	for (i = 0; i < g->n; i++)
		len += (size_t)snprintf(hosts + len, sizeof(hosts) - len,
					"%s127.0.0.1:%d", i > 0 ? "," : "",
					redis_server_port(g->servers[i]));
	snprintf(hosts + len, sizeof(hosts) - len, "/0");
	g->list_url = redis_server_make_url(g->servers[0], "", hosts);
	len = 0;
	for (i = 0; i < g->n_sentinels; i++)
		len += (size_t)snprintf(hosts + len, sizeof(hosts) - len,
					"%s127.0.0.1:%d", i > 0 ? "," : "",
					g->sentinels[i].port);
	snprintf(hosts + len, sizeof(hosts) - len, "/" REDIS_GROUP_NAME);
	url = redis_server_make_url(g->servers[0], "+sentinel", hosts);
	g->url = password == NULL
		     ? url
		     : server_text("%s%csentinel_password=%s", url,
				   g->options.tls ? '&' : '?', password);
	if (g->url != url)
		free(url);
}

struct redis_group *
redis_group_start(const struct redis_group_options *options)
{
	struct redis_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		server_die("out of memory");
	if (options != NULL)
		g->options = *options;
	if (g->options.replicas == 0 && !g->options.lone)
		g->options.replicas = 1;
	g->n_sentinels = g->options.lone ? 1 : REDIS_GROUP_SENTINELS;
	if (g->options.replicas >= SERVERS_MAX)
		server_die("%u replicas are too many", g->options.replicas);
	g->dir = server_make_dir("sentinels");
	group_start_servers(g);
	for (size_t i = 0; i < g->n_sentinels; i++) {
		snprintf(g->sentinels[i].file, sizeof(g->sentinels[i].file),
			 "sentinel%zu.conf", i);
		g->sentinels[i].port = server_free_port();
	}
	for (size_t i = 0; i < g->n_sentinels; i++) {
		sentinel_write(g, i);
		sentinel_start(g, i);
	}
	redis_group_settle(g);
	group_make_urls(g);
	return g;
}

void
redis_group_signal_sentinel(struct redis_group *g, size_t i, int sig)
{
	struct sentinel *s = &g->sentinels[i];

	kill(s->pid, sig);
	if (sig != SIGKILL)
		return;
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
redis_group_stop(struct redis_group *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n_sentinels; i++)
		if (g->sentinels[i].pid != 0)
			redis_group_signal_sentinel(g, i, SIGKILL);
	for (size_t i = 0; i < g->n; i++)
		redis_server_stop(g->servers[i]);
	server_remove_dir(g->dir);
	free(g->dir);
	free(g->url);
	free(g->list_url);
	free(g);
}

void
redis_group_failover(struct redis_group *g)
{
	const int64_t end = server_now_ms() + PATIENCE_MS;
	bool taken = false;
	char *answer;

	for (size_t i = 0; !taken; i = (i + 1) % g->n_sentinels) {
		if (server_now_ms() > end)
			server_die("no Sentinel fails over; see %s", g->dir);
		if (g->sentinels[i].pid == 0)
			continue;
		answer =
		    sentinel_ask(g, i, "SENTINEL FAILOVER " REDIS_GROUP_NAME);
		taken = strcmp(answer, "OK") == 0;
		free(answer);
		server_nap();
	}
}

const char *
redis_group_url(const struct redis_group *g)
{
	return g->url;
}

const char *
redis_group_list_url(const struct redis_group *g)
{
	return g->list_url;
}

size_t
redis_group_size(const struct redis_group *g)
{
	return g->n;
}

struct redis_server *
redis_group_server(struct redis_group *g, size_t i)
{
	return g->servers[i];
}

int
redis_group_sentinel_port(const struct redis_group *g, size_t i)
{
	return g->sentinels[i].port;
}
