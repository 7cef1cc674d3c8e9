/* SPDX-License-Identifier: MIT */
/*
 * Private redis-servers for tests.
 *
 * Each has a directory, a Unix socket and a TCP port of its own, dies with the
 * test's process, and leaves nothing behind (but its directory, with its log,
 * if the test ends before redis_server_stop()). All functions abort the test
 * (or the program) with a message when they cannot do what they promise.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <stdbool.h>

struct redisReply;
struct redis_server;

struct redis_server_options {
	bool tls; /* the TCP port speaks TLS; certificates for "localhost" and
		     127.0.0.1 are made */
	bool tls_auth_clients; /* and clients need a certificate */
	/* Instead of certificates of its own it has those of that one, which it
	 * trusts, too. */
	const struct redis_server *certificates_of;
	const char *password; /* requirepass; NULL: none */
	/* Further settings, as arguments: {"--maxmemory", "10mb", NULL}, …;
	 * NULL: none. */
	const char *const *args;
};

/* What is run: $REDIS_SERVER, such as "valkey-server", or "redis-server". */
const char *redis_server_program(void);

/* Starts one and waits until it answers. `options` may be NULL. */
struct redis_server *
redis_server_start(const struct redis_server_options *options);
/* Kills it and removes its directory. NULL is allowed. */
void redis_server_stop(struct redis_server *server);

/* Kills it (SIGKILL), so that redis_server_restart() has to start it again, with
 * the same options, port and directory. */
void redis_server_kill(struct redis_server *server);
/* Connects again for redis_server_command(): a server that becomes a master ends
 * all connections. */
void redis_server_reconnect(struct redis_server *server);
/* Whether it is neither killed nor paused. */
bool redis_server_is_running(const struct redis_server *server);
/* SIGSTOP and SIGCONT. */
void redis_server_pause(struct redis_server *server);
void redis_server_continue(struct redis_server *server);
/* Starts a killed one again and waits until it answers. */
void redis_server_restart(struct redis_server *server);

/* "redis://127.0.0.1:PORT" (rediss with TLS, and a cafile), with the password;
 * "unix:///…/redis.sock". They are the server's. */
const char *redis_server_url(const struct redis_server *server);
const char *redis_server_unix_url(const struct redis_server *server);
/* The URL of several hosts, of which this is one: "redis" and, say, "+cluster" are
 * before "://", and hosts with all that follows them behind. free() it. */
char *redis_server_make_url(const struct redis_server *server, const char *kind,
			    const char *hosts);
int redis_server_port(const struct redis_server *server);
/* Its directory: redis.sock, log; with TLS also ca.crt, server.crt,
 * client.crt, client.key, and other-ca.crt, which signed nothing. */
const char *redis_server_dir(const struct redis_server *server);

/*
 * Runs a command over the Unix socket, as hiredis' redisCommand() does, and
 * returns its reply (freeReplyObject() it). An error reply is returned, too.
 */
struct redisReply *redis_server_command(struct redis_server *server,
					const char *fmt, ...);
/* The same for commands whose reply must be no error and is not needed. */
void redis_server_run(struct redis_server *server, const char *fmt, ...);

#endif
