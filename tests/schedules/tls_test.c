/* SPDX-License-Identifier: MIT */
/* The way to a database's server, under TLS. */
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "world.h"

static int
look(const struct sql_server *server, const char *mode, const char *ca,
     struct err *err)
{
	struct schedules_options options = {.timeout_ms = 10000};
	struct schedules *s;
	int64_t due;
	int result;
	char *url;

	url = sql_server_tls_url(server, "tls", mode, ca);
	options.url = url;
	ck_assert_ptr_nonnull(s = schedules_open(&options, err));
	result = schedules_next_due(s, &due, err);
	schedules_close(s);
	free(url);
	return result;
}

START_TEST(a_server_is_trusted_by_its_certificate)
{
	static const char *const modes[] = {"verify-full", "verify-ca"};
	struct sql_server *server =
	    sql_server_start_tls(_i == WORLD_POSTGRESQL ? SQL_SERVER_POSTGRESQL
							: SQL_SERVER_MARIADB);
	struct err err = ERR_INIT;
	size_t i;

	free(sql_server_database(server, "tls"));
	for (i = 0; i < 2; i++) {
		ck_assert_msg(look(server, modes[i], "ca", &err) == 0, "%s: %s",
			      modes[i], err.msg);
		ck_assert_int_eq(look(server, modes[i], "other-ca", &err), -1);
		ck_assert_msg(strstr(err.msg, "certificate") != NULL, "%s: %s",
			      modes[i], err.msg);
		ck_assert_ptr_null(strstr(err.msg, "secret"));
	}
	sql_server_stop(server);
}
END_TEST

SUITE("schedules_tls")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_server_is_trusted_by_its_certificate, WORLD_POSTGRESQL,
		  N_WORLDS);
}
