/* SPDX-License-Identifier: MIT */
/* What the errors of PostgreSQL, of its client library and of a pooler between
 * the two mean. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "schedules/db.h"
#include "schedules/postgresql_conn.h"
#include "util/err.h"

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

/*
 * A pooler says all that it has to say with one state, so its words count. They
 * are PgBouncer's, which does not translate them; those of the server that it
 * passes on are among them.
 */
#define DEADLOCK_STATE "40P01"
#define POOLER_STATE "08P01"
static const struct {
	const char *words;
	enum err_code code;
	const char *remedy;
} pooler_faults[] = {
    {"authentication failed", ERR_REFUSED, " (see user and password)"},
    {"no such user", ERR_REFUSED, " (see user and password)"},
    {"role \"", ERR_REFUSED, " (see user and password)"},
    {"no such database", ERR_CONFIG, " (the pooler does not know it)"},
    {"database \"", ERR_CONFIG, " (create it)"},
    {"unsupported startup parameter", ERR_CONFIG,
     " (remove it from database_url)"},
    {"statement pooling mode", ERR_CONFIG,
     " (let the pooler pool transactions or sessions)"},
};

/* false: it is none of these. */
static bool
set_pooler_fault(const struct db *db, const char *text, const char *what,
		 struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(pooler_faults) / sizeof(pooler_faults[0]); i++)
		if (strstr(text, pooler_faults[i].words) != NULL) {
			err_set(err, pooler_faults[i].code, "%s: %s: %.*s%s",
				db->name, what, (int)strcspn(text, "\n"), text,
				pooler_faults[i].remedy);
			return true;
		}
	return false;
}

/* The first line only: the rest is detail that may quote values. */
static void
set_fault(struct db *db, const char *state, enum err_code otherwise,
	  const char *text, const char *what, struct err *err)
{
	size_t i;
	int len = (int)strcspn(text, "\n");

	db->deadlock = strcmp(state, DEADLOCK_STATE) == 0;
	if (strcmp(state, POOLER_STATE) == 0 &&
	    set_pooler_fault(db, text, what, err))
		return;
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

	/* What libpq does not even try: a value that it does not know. */
	if (strncmp(text, "invalid ", strlen("invalid ")) == 0 ||
	    strncmp(text, "could not match ", strlen("could not match ")) ==
		0) {
		set_fault(db, "", ERR_CONFIG, text, what, err);
		return;
	}
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
