/* SPDX-License-Identifier: MIT */
/* A private Redis Cluster for tests. */
#include "redis_cluster.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/slots.h"
#include "server.h"

#define SERVERS_MAX ((size_t)2 * REDIS_CLUSTER_MASTERS)
#define ARGS_MAX 32
#define PATIENCE_MS 40000
/* A node that says nothing for so long is down: short, but more than a busy
 * machine makes one wait. */
#define NODE_TIMEOUT "2000"

struct redis_test_cluster {
	struct redis_cluster_options options;
	struct redis_server *servers[SERVERS_MAX];
	const char *args[SERVERS_MAX][ARGS_MAX];
	char bus[SERVERS_MAX][16];
	char *ids[SERVERS_MAX];
	size_t n;
	char *url;
};

/* --- servers ------------------------------------------------------------- */

static void
cluster_add_args(struct redis_test_cluster *c, const char **args)
{
	const struct redis_cluster_options *o = &c->options;
	const char *const common[] = {"--cluster-enabled",
				      "yes",
				      "--cluster-node-timeout",
				      NODE_TIMEOUT,
				      "--cluster-require-full-coverage",
				      o->partial ? "no" : "yes",
				      "--repl-diskless-sync-delay",
				      "0",
				      "--cluster-port",
				      c->bus[c->n],
				      "--tls-cluster",
				      o->tls ? "yes" : "no",
				      "--tls-replication",
				      o->tls ? "yes" : "no"};
	size_t n = sizeof(common) / sizeof(common[0]), i;

	memcpy(args, common, sizeof(common));
	if (o->password != NULL) {
		args[n++] = "--masterauth";
		args[n++] = o->password;
	}
	for (i = 0; o->args != NULL && o->args[i] != NULL; i++)
		args[n++] = o->args[i];
}

static void
cluster_start_server(struct redis_test_cluster *c)
{
	const char **args = c->args[c->n];
	const struct redis_server_options options = {
	    .tls = c->options.tls,
	    .certificates_of = c->servers[0],
	    .password = c->options.password,
	    .args = args};

	/* Not the port and 10000, which may be beyond the last. */
	snprintf(c->bus[c->n], sizeof(c->bus[0]), "%d", server_free_port());
	cluster_add_args(c, args);
	c->servers[c->n++] = redis_server_start(&options);
}

/* An answer that is a text; free() it. */
static char *
cluster_ask(struct redis_test_cluster *c, size_t i, const char *command)
{
	redisReply *r = redis_server_command(c->servers[i], command);
	char *text = r->str != NULL ? strdup(r->str) : NULL;

	if (text == NULL)
		server_die("%s: no answer", command);
	freeReplyObject(r);
	return text;
}

static bool
cluster_says(struct redis_test_cluster *c, size_t i, const char *word)
{
	char *info = cluster_ask(c, i, "CLUSTER INFO");
	const bool yes = strstr(info, word) != NULL;

	free(info);
	return yes;
}

static struct redisReply *
cluster_slots(struct redis_test_cluster *c, size_t i)
{
	return redis_server_command(c->servers[i], "CLUSTER SLOTS");
}

/* The port of the master of a slot, as server `i` sees it; 0: none. */
static int
cluster_owner_port(struct redis_test_cluster *c, size_t i, unsigned int slot)
{
	struct redisReply *r = cluster_slots(c, i);
	int port = 0;
	size_t k;

	for (k = 0; k < r->elements; k++) {
		const struct redisReply *range = r->element[k];

		if (range->element[0]->integer <= slot &&
		    slot <= range->element[1]->integer)
			port = (int)range->element[2]->element[1]->integer;
	}
	freeReplyObject(r);
	return port;
}

int
redis_cluster_owner(struct redis_test_cluster *c, size_t i, const char *key)
{
	const int port = cluster_owner_port(c, i, redis_slot_of(slice_of(key)));
	size_t k;

	for (k = 0; k < c->n; k++)
		if (redis_server_port(c->servers[k]) == port)
			return (int)k;
	return -1;
}

int
redis_cluster_master_port(struct redis_test_cluster *c, size_t i)
{
	char *info;
	const char *at;
	int port;

	if (!redis_server_is_running(c->servers[i]))
		return 0;
	info = cluster_ask(c, i, "INFO replication");
	at = strstr(info, "master_port:");
	port =
	    at != NULL ? (int)strtol(at + strlen("master_port:"), NULL, 10) : 0;
	free(info);
	return port;
}

/* Whether a replica has a link to its master; true of a master. */
static bool
cluster_is_linked(struct redis_test_cluster *c, size_t i)
{
	char *info = cluster_ask(c, i, "INFO replication");
	const bool yes = strstr(info, "role:master") != NULL ||
			 strstr(info, "master_link_status:up") != NULL;

	free(info);
	return yes;
}

static bool
cluster_is_settled(struct redis_test_cluster *c)
{
	static const unsigned int probes[] = {0, 6000, 12000};
	int ports[3] = {0, 0, 0}, port;
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		if (!redis_server_is_running(c->servers[i]))
			continue;
		if (!cluster_says(c, i, "cluster_state:ok") ||
		    !cluster_says(c, i, "cluster_slots_ok:16384") ||
		    !cluster_is_linked(c, i))
			return false;
		for (k = 0; k < 3; k++) {
			port = cluster_owner_port(c, i, probes[k]);
			if (ports[k] != 0 && ports[k] != port)
				return false;
			ports[k] = port;
		}
	}
	return true;
}

void
redis_cluster_settle(struct redis_test_cluster *c)
{
	const int64_t end = server_now_ms() + PATIENCE_MS;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (redis_server_is_running(c->servers[i]))
			redis_server_reconnect(c->servers[i]);
	while (!cluster_is_settled(c)) {
		if (server_now_ms() > end)
			server_die("the nodes do not agree; see %s",
				   redis_server_dir(c->servers[0]));
		server_nap();
	}
}

/* --- making it ----------------------------------------------------------- */

static void
cluster_meet(struct redis_test_cluster *c)
{
	char nodes[40];
	size_t i, k;

	snprintf(nodes, sizeof(nodes), "cluster_known_nodes:%zu", c->n);
	for (i = 0; i < c->n; i++) {
		redis_server_run(c->servers[i], "CLUSTER SET-CONFIG-EPOCH %d",
				 (int)i + 1);
		c->ids[i] = cluster_ask(c, i, "CLUSTER MYID");
	}
	for (i = 0; i < c->n; i++)
		for (k = 0; k < c->n; k++)
			if (k != i)
				redis_server_run(
				    c->servers[i],
				    "CLUSTER MEET 127.0.0.1 %d %s",
				    redis_server_port(c->servers[k]),
				    c->bus[k]);
	for (i = 0; i < c->n; i++)
		while (!cluster_says(c, i, nodes))
			server_nap();
}

/* A node that was met is known by its name a moment later. */
static bool
cluster_follow(struct redis_test_cluster *c, size_t replica, size_t master)
{
	redisReply *r = redis_server_command(
	    c->servers[replica], "CLUSTER REPLICATE %s", c->ids[master]);
	const bool ok = r->type != REDIS_REPLY_ERROR;

	freeReplyObject(r);
	return ok;
}

static void
cluster_replicate(struct redis_test_cluster *c)
{
	const int64_t end = server_now_ms() + PATIENCE_MS;
	size_t i;
	char *info;
	bool up;

	for (i = REDIS_CLUSTER_MASTERS; i < c->n; i++)
		while (!cluster_follow(c, i, i - REDIS_CLUSTER_MASTERS)) {
			if (server_now_ms() > end)
				server_die("a replica knows no master");
			server_nap();
		}
	for (i = REDIS_CLUSTER_MASTERS; i < c->n; i++)
		do {
			if (server_now_ms() > end)
				server_die("a replica does not follow");
			server_nap();
			redis_server_reconnect(c->servers[i]);
			info = cluster_ask(c, i, "INFO replication");
			up = strstr(info, "master_link_status:up") != NULL;
			free(info);
		} while (!up);
}

static void
cluster_make_url(struct redis_test_cluster *c)
{
	char hosts[200] = "";
	size_t len = 0, i;

	for (i = 0; i < REDIS_CLUSTER_MASTERS; i++)
		len += (size_t)snprintf(hosts + len, sizeof(hosts) - len,
					"%s127.0.0.1:%d", i > 0 ? "," : "",
					redis_server_port(c->servers[i]));
	c->url = redis_server_make_url(c->servers[0], "+cluster", hosts);
}

struct redis_test_cluster *
redis_cluster_start(const struct redis_cluster_options *options)
{
	static const int firsts[] = {0, 5461, 10923, REDIS_SLOTS};
	struct redis_test_cluster *c = calloc(1, sizeof(*c));
	size_t n, i;

	if (c == NULL)
		server_die("out of memory");
	if (options != NULL)
		c->options = *options;
	n = c->options.replicas ? SERVERS_MAX : REDIS_CLUSTER_MASTERS;
	while (c->n < n)
		cluster_start_server(c);
	for (i = 0; i < REDIS_CLUSTER_MASTERS; i++)
		redis_server_run(c->servers[i], "CLUSTER ADDSLOTSRANGE %d %d",
				 firsts[i], firsts[i + 1] - 1);
	cluster_meet(c);
	cluster_replicate(c);
	redis_cluster_settle(c);
	cluster_make_url(c);
	return c;
}

void
redis_cluster_stop(struct redis_test_cluster *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		redis_server_stop(c->servers[i]);
		free(c->ids[i]);
	}
	free(c->url);
	free(c);
}

const char *
redis_cluster_url(const struct redis_test_cluster *c)
{
	return c->url;
}

size_t
redis_cluster_size(const struct redis_test_cluster *c)
{
	return c->n;
}

struct redis_server *
redis_cluster_server(struct redis_test_cluster *c, size_t i)
{
	return c->servers[i];
}

/* --- where keys are ------------------------------------------------------ */

/* A server that runs, to be asked. */
static size_t
cluster_witness(struct redis_test_cluster *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (redis_server_is_running(c->servers[i]))
			return i;
	server_die("no server runs");
}

struct redis_server *
redis_cluster_server_of(struct redis_test_cluster *c, const char *key)
{
	const int owner = redis_cluster_owner(c, cluster_witness(c), key);

	if (owner < 0)
		server_die("nobody has %s", key);
	return c->servers[owner];
}

int
redis_cluster_await_owner(struct redis_test_cluster *c, const char *key,
			  int but)
{
	const int64_t end = server_now_ms() + PATIENCE_MS;
	int owner;

	for (;;) {
		owner = redis_cluster_owner(c, cluster_witness(c), key);
		if (owner >= 0 && owner != but)
			return owner;
		if (server_now_ms() > end)
			server_die("%s stays at server %d; see %s", key, but,
				   redis_server_dir(c->servers[0]));
		server_nap();
	}
}

/* --- moving slots -------------------------------------------------------- */

void
redis_cluster_begin_move(struct redis_test_cluster *c, const char *key,
			 size_t to)
{
	const unsigned int slot = redis_slot_of(slice_of(key));
	const int from = redis_cluster_owner(c, to, key);

	if (from < 0 || (size_t)from == to)
		server_die("slot %u cannot move there", slot);
	redis_server_run(c->servers[to], "CLUSTER SETSLOT %u IMPORTING %s",
			 slot, c->ids[from]);
	redis_server_run(c->servers[from], "CLUSTER SETSLOT %u MIGRATING %s",
			 slot, c->ids[to]);
}

static void
cluster_migrate_keys(struct redis_test_cluster *c, unsigned int slot,
		     size_t from, size_t to)
{
	const int port = redis_server_port(c->servers[to]);
	const char *password = c->options.password;
	redisReply *keys;
	size_t i, n;

	do {
		keys = redis_server_command(
		    c->servers[from], "CLUSTER GETKEYSINSLOT %u 10", slot);
		n = keys->elements;
		for (i = 0; i < n; i++)
			if (password != NULL)
				redis_server_run(
				    c->servers[from],
				    "MIGRATE 127.0.0.1 %d %b 0 5000 AUTH %s",
				    port, keys->element[i]->str,
				    keys->element[i]->len, password);
			else
				redis_server_run(
				    c->servers[from],
				    "MIGRATE 127.0.0.1 %d %b 0 5000", port,
				    keys->element[i]->str,
				    keys->element[i]->len);
		freeReplyObject(keys);
	} while (n > 0);
}

/* The epoch of node `of`, as server `i` knows it, by which nodes judge claims to
 * slots. */
static long long
cluster_epoch(struct redis_test_cluster *c, size_t i, size_t of)
{
	char *nodes = cluster_ask(c, i, "CLUSTER NODES");
	const char *at = strstr(nodes, c->ids[of]);
	long long epoch = -1;

	/* id address flags master ping pong epoch … */
	while (at != NULL && at != nodes && at[-1] != '\n')
		at = strstr(at + 1, c->ids[of]);
	if (at != NULL &&
	    sscanf(at, "%*s %*s %*s %*s %*s %*s %lld", &epoch) < 1)
		epoch = -1;
	free(nodes);
	return epoch;
}

/* Whether all know that it has the slot, and since when: until then, what an older
 * owner says may be believed. */
static bool
cluster_believes(struct redis_test_cluster *c, unsigned int slot, size_t owner)
{
	const int port = redis_server_port(c->servers[owner]);
	size_t i;

	for (i = 0; i < c->n; i++)
		if (redis_server_is_running(c->servers[i]) &&
		    (cluster_owner_port(c, i, slot) != port ||
		     cluster_epoch(c, i, owner) !=
			 cluster_epoch(c, owner, owner)))
			return false;
	return true;
}

void
redis_cluster_end_move(struct redis_test_cluster *c, const char *key, size_t to)
{
	const unsigned int slot = redis_slot_of(slice_of(key));
	const int from = redis_cluster_owner(c, to, key);
	const int64_t end = server_now_ms() + PATIENCE_MS;
	size_t i;

	cluster_migrate_keys(c, slot, (size_t)from, to);
	redis_server_run(c->servers[to], "CLUSTER SETSLOT %u NODE %s", slot,
			 c->ids[to]);
	redis_server_run(c->servers[from], "CLUSTER SETSLOT %u NODE %s", slot,
			 c->ids[to]);
	/* The others would hear of it later; replicas refuse. */
	for (i = 0; i < c->n; i++)
		if (redis_server_is_running(c->servers[i]))
			freeReplyObject(redis_server_command(
			    c->servers[i], "CLUSTER SETSLOT %u NODE %s", slot,
			    c->ids[to]));
	while (!cluster_believes(c, slot, to)) {
		if (server_now_ms() > end)
			server_die("slot %u is not where it was moved", slot);
		server_nap();
	}
}

void
redis_cluster_move(struct redis_test_cluster *c, const char *key, size_t to)
{
	redis_cluster_begin_move(c, key, to);
	redis_cluster_end_move(c, key, to);
}

/* A node votes once in twice the node timeout for one master's replicas, and a
 * failover without enough votes is given up. */
#define FAILOVER_AGAIN_MS 6000

void
redis_cluster_failover(struct redis_test_cluster *c, size_t replica)
{
	const int64_t begin = server_now_ms();
	int64_t asked = 0;

	do {
		if (server_now_ms() > begin + PATIENCE_MS)
			server_die("no failover; see %s",
				   redis_server_dir(c->servers[replica]));
		if (server_now_ms() > asked + FAILOVER_AGAIN_MS) {
			freeReplyObject(redis_server_command(
			    c->servers[replica], "CLUSTER FAILOVER"));
			asked = server_now_ms();
		}
		server_nap();
		redis_server_reconnect(c->servers[replica]);
	} while (redis_cluster_master_port(c, replica) != 0);
	redis_cluster_settle(c);
}

struct redisReply *
redis_cluster_command(struct redis_test_cluster *c, const char *key,
		      const char *fmt, ...)
{
	char command[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return redis_server_command(redis_cluster_server_of(c, key), command);
}
