/* SPDX-License-Identifier: MIT */
/*
 * The connection to PostgreSQL: opening and waiting. What its errors mean is in
 * postgresql_fault.c.
 *
 * The server watches the time as well (statement_timeout and its like), so that
 * locks of a scheduler that hangs, or whose machine is gone, are released.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/db.h"
#include "schedules/postgresql_conn.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* --- the URL ------------------------------------------------------------- */

/* The value of an option as libpq has understood the URL; "". */
static const char *
option(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val != NULL ? options->val : "";
	return "";
}

/*
 * Whether the host or the database would have an '@'. libpq ends the password at
 * the first '@', and takes one with a '/' before for host and port: the rest of
 * a careless password would stand in names and messages, as a host. In a
 * parameter an '@' is as good as any other character.
 */
static bool
has_stray_at(const char *url)
{
	const char *p = strstr(url, "://") + 3;
	const char *end = p + strcspn(p, "@/");

	if (*end == '@')
		p = end + 1;
	return memchr(p, '@', strcspn(p, "?")) != NULL;
}

/* libpq's own words may quote the URL, and in it a password. */
static int
pg_url_bad(struct err *err)
{
	return err_set(err, ERR_CONFIG,
		       "[scheduler] database_url: not a valid PostgreSQL URL; "
		       "write postgresql://user:password@host:port/"
		       "database?parameter=value, use only parameters that "
		       "libpq knows, and write special characters as %%XX ('@' "
		       "as %%40, '/' as %%2F)");
}

int
pg_conn_init(struct pg_conn *c, const char *url, char **ret_name,
	     struct err *err)
{
	PQconninfoOption *options;
	const char *host, *port;
	int n;

	if (has_stray_at(url) || (options = PQconninfoParse(url, NULL)) == NULL)
		return pg_url_bad(err);
	host = option(options, "host");
	port = option(options, "port");
	n = asprintf(ret_name, "postgresql://%s%s%s/%s", host,
		     port[0] != '\0' ? ":" : "", port,
		     option(options, "dbname"));
	PQconninfoFree(options);
	if (n < 0) {
		*ret_name = NULL;
		return err_nomem(err);
	}
	if ((c->url = strdup(url)) == NULL)
		return err_nomem(err);
	return 0;
}

void
pg_conn_done(struct pg_conn *c)
{
	pg_conn_close(c);
	free(c->url);
}

/* --- waiting ------------------------------------------------------------- */

/* 0 when the socket is ready, or broke, which the next call on it shows; -1 at
 * the deadline. A signal only begins the wait again. */
static int
await(struct pg_conn *c, struct db *db, short events)
{
	struct pollfd p = {.fd = PQsocket(c->pg), .events = events};
	int64_t left;

	for (;;) {
		left = db->deadline_ms - clock_mono_ms();
		if (left <= 0)
			return -1;
		if (poll(&p, 1, (int)left) > 0)
			return 0;
	}
}

/* A connection that is late is of no use: its answer would be taken for that of
 * the next question. */
static int
late(struct db *db, const char *what, struct err *err)
{
	db_disconnect(db);
	return err_set(err, ERR_UNAVAILABLE, "%s: %s: no answer within %lld ms",
		       db->name, what, (long long)db->timeout_ms);
}

/* 0: the next PQgetResult() will not block. */
static int
await_result(struct pg_conn *c, struct db *db, const char *what,
	     struct err *err)
{
	int unsent;

	while ((unsent = PQflush(c->pg)) > 0 || PQisBusy(c->pg)) {
		if (unsent < 0)
			return pg_conn_fail(c, db, NULL, what, err);
		if (await(c, db,
			  (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN)) != 0)
			return late(db, what, err);
		if (!PQconsumeInput(c->pg))
			return pg_conn_fail(c, db, NULL, what, err);
	}
	return 0;
}

/* The last result, for a text of several statements has one of each. All of
 * them are read, or the connection could not be used again. */
PGresult *
pg_conn_result(struct pg_conn *c, struct db *db, const char *what,
	       struct err *err)
{
	PGresult *result = NULL, *next;

	for (;;) {
		if (await_result(c, db, what, err) != 0)
			break;
		if ((next = PQgetResult(c->pg)) == NULL) {
			if (result == NULL)
				pg_conn_fail(c, db, NULL, what, err);
			return result;
		}
		PQclear(result);
		result = next;
		if (PQresultStatus(result) != PGRES_FATAL_ERROR)
			continue;
		pg_conn_fail(c, db, result, what, err);
		/* What is left is the end. */
		while (c->pg != NULL && await_result(c, db, what, NULL) == 0 &&
		       (next = PQgetResult(c->pg)) != NULL)
			PQclear(next);
		break;
	}
	PQclear(result);
	return NULL;
}

/* --- connecting ---------------------------------------------------------- */

/*
 * The server gives up first, or at the same time, so that no statement goes on
 * for which nobody waits. Twice the time in a transaction: a scheduler that
 * hangs must not keep its rows. synchronous_commit: a fire that was sent must
 * not be forgotten by a server that crashes. jit: it costs more than such small
 * statements take.
 */
static void
format_settings(struct pg_conn *c, const struct db *db, const char *first,
		const char *set)
{
	const long long ms = db->timeout_ms;

	snprintf(c->settings, sizeof(c->settings),
		 "%s;%s statement_timeout = %lld;%s lock_timeout = %lld;"
		 "%s idle_in_transaction_session_timeout = %lld;"
		 "%s synchronous_commit = on;%s jit = off;"
		 "%s client_min_messages = error",
		 first, set, ms, set, ms, set, 2 * ms, set, set, set);
}

static PGresult *
ask_simply(struct pg_conn *c, struct db *db, const char *sql, struct err *err)
{
	if (PQsendQuery(c->pg, sql))
		return pg_conn_result(c, db, "connecting", err);
	pg_conn_fail(c, db, NULL, "connecting", err);
	return NULL;
}

/*
 * A server tells a client that connects the number of the process that serves
 * it, to be named when a statement is to be cancelled. A pooler, which gives a
 * client another process for each transaction, has to make up a number. So
 * where the two differ, nothing in the session is ours.
 */
static int
find_pooler(struct pg_conn *c, struct db *db, struct err *err)
{
	PGresult *result = ask_simply(c, db, "SELECT pg_backend_pid()", err);

	if (result == NULL)
		return -1;
	c->pooled =
	    PQntuples(result) != 1 ||
	    strtol(PQgetvalue(result, 0, 0), NULL, 10) != PQbackendPID(c->pg);
	PQclear(result);
	return 0;
}

/* In a session that others use, too, settings are those of the transaction:
 * each begins with them, in one message. What is done without a transaction
 * has the deadline of the call alone. */
static int
set_session(struct pg_conn *c, struct db *db, struct err *err)
{
	PGresult *result;

	if (find_pooler(c, db, err) != 0)
		return -1;
	db->begin = db->sql->begin;
	if (c->pooled) {
		format_settings(c, db, "BEGIN ISOLATION LEVEL READ COMMITTED",
				"SET LOCAL");
		db->begin = c->settings;
		return 0;
	}
	format_settings(c, db,
			"SET default_transaction_isolation = 'read committed'",
			"SET");
	result = ask_simply(c, db, c->settings, err);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* libpq would write it to standard error by itself. Most come before
 * client_min_messages is set, as of a collation that has another version. */
static void
on_notice(void *arg, const PGresult *result)
{
	const struct db *db = arg;
	const char *severity =
	    PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const bool warning =
	    severity == NULL || strcmp(severity, "WARNING") == 0;

	if (text != NULL)
		db->log(warning ? LOG_LEVEL_warning : LOG_LEVEL_debug,
			"%s: %.*s", db->name, (int)strcspn(text, "\n"), text);
}

/* As the manual of libpq has it: poll for what PQconnectPoll() asked for last;
 * at first it is writing. */
static int
await_connection(struct pg_conn *c, struct db *db, struct err *err)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED ||
		    PQstatus(c->pg) == CONNECTION_BAD)
			return pg_conn_fail(c, db, NULL, "connecting", err);
		if (await(c, db,
			  status == PGRES_POLLING_READING ? POLLIN : POLLOUT) !=
		    0)
			return late(db, "connecting", err);
		status = PQconnectPoll(c->pg);
	}
	return 0;
}

int
pg_conn_connect(struct pg_conn *c, struct db *db, struct err *err)
{
	char timeout[24];
	/* "dbname" is the URL. The parameters before it are defaults that it
	 * may set otherwise; the encoding is ours to choose. */
	const char *const keywords[] = {
	    "fallback_application_name", "tcp_user_timeout",
	    "keepalives_idle",		 "dbname",
	    "client_encoding",		 NULL};
	const char *const values[] = {"flowrra", timeout, "30",
				      c->url,	 "UTF8",  NULL};

	snprintf(timeout, sizeof(timeout), "%lld", (long long)db->timeout_ms);
	c->pg = PQconnectStartParams(keywords, values, 1);
	if (c->pg == NULL)
		return err_nomem(err);
	PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(c->pg, on_notice, db);
	if (await_connection(c, db, err) != 0)
		return -1;
	/* Writing must not block, either. */
	if (PQsetnonblocking(c->pg, 1) != 0)
		return pg_conn_fail(c, db, NULL, "connecting", err);
	return set_session(c, db, err);
}

/* PQfinish() takes NULL, and does not wait for the server. */
void
pg_conn_close(struct pg_conn *c)
{
	PQfinish(c->pg);
	c->pg = NULL;
}
