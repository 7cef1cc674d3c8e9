/* SPDX-License-Identifier: MIT */
/* What schedules.h promises when a database is away, locked or read-only, or has
 * bad data. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/clock.h"
#include "world.h"

/* --- the database is away ------------------------------------------------ */

START_TEST(a_server_that_went_away_is_used_again_when_it_is_back)
{
	struct world w;
	int64_t due;

	/* Not SQLite: there is no server. */
	world_open_alone(&w, _i);
	world_create(&w, 1, 1000);
	sql_server_kill(w.server);
	ck_assert_int_eq(schedules_next_due(w.schedules, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_ptr_null(strstr(w.err.msg, "secret"));
	ck_assert_int_eq(schedules_next_due(w.schedules, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	sql_server_restart(w.server);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 1000);
	world_close(&w);
	sql_server_stop(w.server);
}
END_TEST

/* Whom the server does not know, whatever the password. */
START_TEST(who_is_not_let_in_is_refused_and_a_missing_database_is_named)
{
	static const struct {
		const char *from, *to, *why;
		enum err_code code;
	} urls[] = {
	    {"//flowrra:secret@", "//stranger:sesame@",
	     " (see user and password)", ERR_REFUSED},
	    {"//flowrra:secret@", "//flowrra:sesame@",
	     " (see user and password)", ERR_REFUSED},
	    {"?", "?sslmode=banana&", "sslmode", ERR_CONFIG},
	    {"@/", "@/nowhere_", " (create it)", ERR_CONFIG},
	};
	struct schedules_options options = {0};
	struct world w;
	struct schedules *s;
	struct err err = ERR_INIT;
	char url[512], *at;
	int64_t due;
	size_t i;

	world_open(&w, _i);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		/* MariaDB tells those apart from others by no right. */
		if (i == 3 && _i == WORLD_MARIADB)
			break;
		at = strstr(w.url, urls[i].from);
		ck_assert_ptr_nonnull(at);
		snprintf(url, sizeof(url), "%.*s%s%s", (int)(at - w.url), w.url,
			 urls[i].to, at + strlen(urls[i].from));
		options.url = url;
		s = schedules_open(&options, &err);
		/* Some are seen to be wrong before a server is asked. */
		ck_assert(s == NULL || schedules_next_due(s, &due, &err) != 0);
		ck_assert_msg(err.code == urls[i].code, "%s", err.msg);
		ck_assert_msg(strstr(err.msg, urls[i].why) != NULL, "%s",
			      err.msg);
		ck_assert_ptr_null(strstr(err.msg, "sesame"));
		ck_assert_ptr_null(strstr(err.msg, "secret"));
		ck_assert_ptr_null(strstr(err.msg, "28000"));
		schedules_close(s);
	}
	world_close(&w);
}
END_TEST

START_TEST(a_server_that_does_not_answer_costs_no_more_than_the_timeout)
{
	int64_t due, start;
	struct schedules *s;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	s = world_another(&w, 1000);
	OK(&w, schedules_next_due(s, &due, &w.err));
	sql_server_pause(w.server);
	start = clock_mono_ms();
	ck_assert_int_eq(schedules_next_due(s, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_int_ge(clock_mono_ms() - start, 900);
	ck_assert_int_lt(clock_mono_ms() - start, 10000);
	sql_server_continue(w.server);
	OK(&w, schedules_next_due(s, &due, &w.err));
	schedules_close(s);
	world_close(&w);
}
END_TEST

static void
hold_lock(const struct schedule *schedule, struct schedule_verdict *verdict,
	  void *arg)
{
	struct world *w = arg;
	struct schedules *s = world_another(w, 1000);
	struct schedules_claimed claimed;
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = world_decide};
	int result;

	world_decide(schedule, verdict, NULL);
	/* SQLite has one lock for all; the others pass over what is locked. */
	result = schedules_claim(s, &claim, &claimed, &w->err);
	if (w->kind == WORLD_SQLITE) {
		ck_assert_int_eq(result, -1);
		ck_assert(schedules_transient(&w->err));
	} else {
		OK(w, result);
		ck_assert_uint_eq(claimed.n, 0);
		schedules_fires_free(claimed.fires);
	}
	schedules_close(s);
}

START_TEST(what_another_one_has_locked_is_passed_over)
{
	struct schedules_claimed claimed;
	struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = hold_lock, .arg = NULL};
	struct world w;

	world_open(&w, _i);
	claim.arg = &w;
	world_create(&w, 1, 1000);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

/* To root, no file is read-only. */
static void
make_read_only(struct world *w, bool on)
{
	char *command;
	int n;

	if (w->kind == WORLD_MARIADB) {
		world_run(w, "SET GLOBAL read_only = %d", on);
		return;
	}
	if (w->kind == WORLD_POSTGRESQL)
		n = asprintf(&command,
			     "ALTER DATABASE %s SET"
			     " default_transaction_read_only = %s",
			     w->database, on ? "on" : "off");
	else
		n = asprintf(&command, "chown -R nobody: %s", w->dir);
	ck_assert_int_gt(n, 0);
	if (w->kind == WORLD_POSTGRESQL) {
		sql_server_run(w->server, NULL, command);
	} else {
		if (geteuid() == 0) {
			ck_assert_int_eq(system(command), 0);
			ck_assert_int_eq(setuid(getpwnam("nobody")->pw_uid), 0);
		}
		ck_assert_int_eq(
		    chmod(w->url + strlen("sqlite://"), on ? 0400 : 0600), 0);
	}
	free(command);
}

START_TEST(a_read_only_database_is_told_of_and_used_when_it_is_writable)
{
	struct schedules_claimed claimed;
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = world_decide};
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	schedules_disconnect(w.schedules);
	make_read_only(&w, true);
	ck_assert_int_eq(schedules_claim(w.schedules, &claim, &claimed, &w.err),
			 -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_msg(strstr(w.err.msg, "read-only") != NULL, "%s", w.err.msg);
	make_read_only(&w, false);
	schedules_disconnect(w.schedules);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

/* --- bad data ------------------------------------------------------------ */

START_TEST(a_schedule_with_bad_data_is_set_aside_and_the_others_fire)
{
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 1000);
	world_create(&w, 4, 1000);
	world_run(&w, "UPDATE flowrra_schedules SET type = 'junk'"
		      " WHERE id = 's1'");
	world_run(&w, "UPDATE flowrra_schedules SET enabled = 7, runs = -5"
		      " WHERE id = 's2'");
	/* With which no time can be calculated. */
	world_run(&w, "UPDATE flowrra_schedules SET"
		      " end_us = 9223372036854775807 WHERE id = 's4'");
	world_claim(&w, 1000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.n, 4);
	ck_assert_uint_eq(claimed.set_aside, 3);
	ck_assert_uint_eq(claimed.fires->n, 1);
	ck_assert_str_eq(claimed.fires->items[0].schedule, "s3");
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_list(w.schedules, NULL, &list, &w.err));
	ck_assert_uint_eq(list->n, 4);
	ck_assert_str_eq(list->items[0].fault,
			 "bad data: its type in the database is not valid");
	ck_assert_str_eq(list->items[1].fault,
			 "bad data: its enabled in the database is not valid");
	ck_assert_str_eq(list->items[2].fault, "");
	ck_assert_str_eq(list->items[3].fault,
			 "bad data: its end_us in the database is not valid");
	schedules_list_free(list);
	world_claim(&w, 1000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.n, 0);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

SUITE("schedules_faults")
{
	SUITE_TIMEOUT(90);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(what_another_one_has_locked_is_passed_over, 0, N_WORLDS);
	TEST_LOOP(who_is_not_let_in_is_refused_and_a_missing_database_is_named,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(a_server_that_does_not_answer_costs_no_more_than_the_timeout,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(a_read_only_database_is_told_of_and_used_when_it_is_writable,
		  0, N_WORLDS);
	TEST_LOOP(a_schedule_with_bad_data_is_set_aside_and_the_others_fire, 0,
		  N_WORLDS);
	TEST_LOOP(a_server_that_went_away_is_used_again_when_it_is_back,
		  WORLD_POSTGRESQL, N_WORLDS);
}
