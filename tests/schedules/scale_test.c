/* SPDX-License-Identifier: MIT */
/* That what a wake-up costs does not grow with the schedules there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/claim.h"
#include "schedules/db.h"
#include "schedules/handle.h"
#include "suite.h"
#include "world.h"

#define MANY "100000"

/* Rows with a number n from 1 on, in each one's words. */
static const char *const numbers[N_WORLDS] = {
    [WORLD_SQLITE] =
	"(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL"
	" SELECT n + 1 FROM c WHERE n < " MANY ") SELECT n FROM c)",
    [WORLD_POSTGRESQL] = "generate_series(1::bigint, " MANY ")",
    [WORLD_MARIADB] = "(SELECT seq AS n FROM seq_1_to_" MANY ")",
};

/* Copies of one schedule, due a second apart. */
static void
fill(struct world *w)
{
	static const char *const tables[] = {"flowrra_schedules",
					     "flowrra_fires"};
	const bool lite = w->kind == WORLD_SQLITE;
	int i;

	world_create(w, 0, 1000000);
	world_run(
	    w,
	    "INSERT INTO flowrra_schedules (identity, " SQL_COLUMNS ")"
	    " SELECT %s, %s, task, type,"
	    " rule, tz, args, kwargs, queue, description, enabled,"
	    " max_retries, retry_delay_us, retry_backoff_millionths,"
	    " retry_delay_max_us, retry_jitter_millionths, timeout_us,"
	    " expires_us, priority, misfire,"
	    " max_catchup, grace_us, overlap, jitter_us, day_match,"
	    " start_us, end_us, max_runs, created_us, updated_us,"
	    " last_run_us, next_run_us + c.n * 1000000,"
	    " due_us + c.n * 1000000, runs, tz_data, fault, rule_us, owner,"
	    " traceparent, task_group, workflow"
	    " FROM %s c%s, flowrra_schedules s WHERE s.id = 's0'",
	    lite ? "'i' || c.n" : "concat('i', c.n)",
	    lite ? "'c' || c.n" : "concat('c', c.n)", numbers[w->kind],
	    w->kind == WORLD_POSTGRESQL ? "(n)" : "");
	world_run(w,
		  "INSERT INTO flowrra_fires (schedule_id, fire_us, task_id,"
		  " queue, priority, body, created_us, marked_us, claim)"
		  " SELECT 's', c.n, 't', 'io', 0, '{}', 1, 1, 1 FROM %s c%s",
		  numbers[w->kind], w->kind == WORLD_POSTGRESQL ? "(n)" : "");
	for (i = 0; i < 2; i++)
		world_run(w, "ANALYZE %s %s",
			  w->kind == WORLD_MARIADB ? "TABLE" : "", tables[i]);
}

/* The plan of a statement, all its parameters being a number. */
static char *
explain(struct world *w, enum query query)
{
	const char *sql = w->schedules->db->sql->queries[query];
	struct buf text = BUF_INIT;
	char *plan;

	buf_adds(&text,
		 w->kind == WORLD_SQLITE ? "EXPLAIN QUERY PLAN " : "EXPLAIN ");
	for (; *sql != '\0'; sql++)
		if (*sql == '?')
			buf_adds(&text, "7000000");
		else
			buf_addc(&text, *sql);
	plan = world_ask(w, text.data);
	buf_done(&text);
	return plan;
}

START_TEST(the_queries_of_a_wake_up_use_an_index)
{
	static const struct {
		enum query query;
		const char *index;
	} cases[] = {
	    {Q_NEXT_DUE, "flowrra_schedules_due"},
	    {Q_CLAIM_DUE, "flowrra_schedules_due"},
	    {Q_UNSENT, "flowrra_fires_waiting"},
	};
	struct schedules_claimed claimed;
	int64_t period = 1, due;
	struct world w;
	char *plan;
	size_t i;

	world_open(&w, _i);
	fill(&w);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		plan = explain(&w, cases[i].query);
		ck_assert_msg(strstr(plan, cases[i].index) != NULL, "%s", plan);
		ck_assert_msg(strstr(plan, "Seq Scan") == NULL &&
				  strstr(plan, "TEMP B-TREE") == NULL &&
				  strstr(plan, "filesort") == NULL,
			      "%s", plan);
		free(plan);
	}
	period = 500000000000;
	world_claim(&w, 10000000, 100, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 10);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 11000000);
	world_close(&w);
}
END_TEST

SUITE("schedules_scale")
{
	SUITE_TIMEOUT(90);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(the_queries_of_a_wake_up_use_an_index, 0, N_WORLDS);
}
