/* SPDX-License-Identifier: MIT */
/*
 * The connection to PostgreSQL: opening, waiting, and what its errors mean.
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

/* --- errors -------------------------------------------------------------- */

/*
 * What a class of errors means for a scheduler; see appendix A of the manual of
 * PostgreSQL. Entries of five characters stand before those of their class,
 * since the first that fits counts. ERR_UNAVAILABLE is waited out: broken
 * connections (08), deadlocks (40), no memory or connections (53), a lock that
 * was held (55P03), a shutdown or a timeout (57), the disk (58). What is not
 * here is the server's own mistake, or ours.
 */
static const struct {
	const char *state;
	enum err_code code;
	const char *remedy;
} faults[] = {
    {"25006", ERR_UNAVAILABLE,
     " (the server is read-only: a standby, or set so; make it writable)"},
    {"53100", ERR_UNAVAILABLE, " (make room on the server's disk)"},
    {"28", ERR_REFUSED, " (see user and password)"},
    {"3D000", ERR_CONFIG, " (create it)"},
    {"08", ERR_UNAVAILABLE, ""},
    {"25P03", ERR_UNAVAILABLE, ""},
    {"40", ERR_UNAVAILABLE, ""},
    {"53", ERR_UNAVAILABLE, ""},
    {"55P03", ERR_UNAVAILABLE, ""},
    {"57", ERR_UNAVAILABLE, ""},
    {"58", ERR_UNAVAILABLE, ""},
    {"22", ERR_DATA, ""},
    {"23", ERR_DATA, ""},
    {"42501", ERR_REFUSED, " (the user lacks a right on the tables)"},
    {"42P01", ERR_CONFIG, " (tables were removed; restart to create them)"},
};

/* The first line only: the rest is detail that may quote values. */
static void
set_fault(struct db *db, const char *state, enum err_code otherwise,
	  const char *text, const char *what, struct err *err)
{
	size_t i;
	int len = (int)strcspn(text, "\n");

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strncmp(state, faults[i].state, strlen(faults[i].state)) ==
		    0) {
			err_set(err, faults[i].code, "%s: %s: %.*s%s", db->name,
				what, len, text, faults[i].remedy);
			return;
		}
	err_set(err, otherwise, "%s: %s: %.*s", db->name, what, len, text);
}

#define STATE_LEN 5

/* What refuses a connection has no result that could be asked for its SQLSTATE,
 * but with PQERRORS_VERBOSE the text has it: "FATAL:  28P01: password ...". */
static void
set_connection_fault(struct db *db, const char *text, const char *what,
		     struct err *err)
{
	const char *colon = strstr(text, ":  "), *found = NULL;
	char state[STATE_LEN + 1] = "", line[512];

	if (colon != NULL && strcspn(text, "\n") > (size_t)(colon - text))
		found = colon + strlen(":  ");
	if (found == NULL ||
	    strspn(found, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
		STATE_LEN ||
	    strncmp(found + STATE_LEN, ": ", 2) != 0) {
		set_fault(db, "", ERR_UNAVAILABLE, text, what, err);
		return;
	}
	memcpy(state, found, STATE_LEN);
	snprintf(line, sizeof(line), "%.*s%s", (int)(found - text), text,
		 found + STATE_LEN + strlen(": "));
	set_fault(db, state, ERR_UNAVAILABLE, line, what, err);
}

/* Without a result the connection is to blame. */
int
pg_conn_fail(struct pg_conn *c, struct db *db, const PGresult *result,
	     const char *what, struct err *err)
{
	const char *state =
	    result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : "";
	const char *text =
	    result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
			   : PQerrorMessage(c->pg);

	if (state == NULL)
		state = "";
	if (text == NULL || text[0] == '\0')
		text = result != NULL ? PQresultErrorMessage(result)
				      : "the connection broke";
	if (result == NULL)
		set_connection_fault(db, text, what, err);
	else
		set_fault(db, state,
			  state[0] != '\0' ? ERR_INTERNAL : ERR_UNAVAILABLE,
			  text, what, err);
	if (result == NULL || PQstatus(c->pg) != CONNECTION_OK)
		db_disconnect(db);
	return -1;
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

/* The server gives up first, or at the same time, so that no statement goes on
 * for which nobody waits. Twice the time in a transaction: a scheduler that
 * hangs must not keep its rows. synchronous_commit: a fire that was sent must
 * not be forgotten by a server that crashes. jit: it costs more than such small
 * statements take. */
static int
set_session(struct pg_conn *c, struct db *db, struct err *err)
{
	char sql[320];
	PGresult *result;

	snprintf(sql, sizeof(sql),
		 "SET statement_timeout = %lld; SET lock_timeout = %lld;"
		 "SET idle_in_transaction_session_timeout = %lld;"
		 "SET default_transaction_isolation = 'read committed';"
		 "SET synchronous_commit = on; SET jit = off;"
		 "SET client_min_messages = error",
		 (long long)db->timeout_ms, (long long)db->timeout_ms,
		 2 * (long long)db->timeout_ms);
	if (!PQsendQuery(c->pg, sql))
		return pg_conn_fail(c, db, NULL, "connecting", err);
	result = pg_conn_result(c, db, "connecting", err);
	PQclear(result);
	return result != NULL ? 0 : -1;
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
