/* SPDX-License-Identifier: MIT */
/* Tasks and records that are carried from one store to another. */
#include <signal.h>
#include <string.h>

#include "e2e/operate_scene.h"

#define CTL "flowrractl --config flowrra.conf "

/* From the broker of the world to one of the other kind; in the last case with
 * the records in a file of their own. */
enum { TO_SQLITE, TO_REDIS, TO_REDIS_AND_FILE, N_WAYS };

static struct world *
begin_way(int way)
{
	return begin(way == TO_SQLITE ? ON_REDIS : ON_SQLITE);
}

/* A program of the target. */
static const char *
there(struct world *w, int way, const char *program)
{
	const char *file = world_text(w, "sqlite://%s/to.db", world_dir(w));
	const char *broker =
	    way == TO_SQLITE ? file : redis_server_unix_url(world_redis(w));

	return world_text(w,
			  "FLOWRRA_BROKER_URL=%s FLOWRRA_BACKEND_URL='%s' %s "
			  "--config flowrra.conf",
			  broker, way == TO_REDIS ? "" : file, program);
}

static const char *
other(struct world *w, int way)
{
	return there(w, way, "flowrractl");
}

static void
ck_same(struct world *w, const char *a, const char *b)
{
	const struct run *r = run(w, "diff %s %s", a, b);

	ck_assert_msg(r->status == 0, "%.2000s", r->out);
}

START_TEST(what_is_exported_is_imported_in_its_order)
{
	struct world *w = begin_way(_i);
	const char *to = other(w, _i);
	struct run *r;

	worker_start(w, NULL);
	submit(w, "add 1 2 --id good");
	submit(w, "fail x --max-retries 0 --id bad");
	ctl(w, "wait good bad");
	worker_stop(worker_of(w));
	submit(w, "add 3 1 --priority 3 --id late");
	submit(w, "add 1 1 --priority -1 --id first");
	submit(w, "echo 'ü\x01\\\"' --id odd");
	submit(w, "add 2 1 --id then");
	submit(w, "add 4 1 --queue cpu --id other");
	submit(w, "add 5 1 --delay 2h --id second");
	submit(w, "add 6 1 --delay 1h --id sooner");
	run(w, CTL "export >a");
	ck_run(run(w, "%s import <a", to), 0,
	       "9 imported, 0 were there, 1 skipped, 0 refused\n");
	run(w, "%s export >b; grep -v '\"kind\":\"dead\"' a >c", to);
	ck_same(w, "c", "b");
	ck_run(run(w, "sed -n 's/.*{.\"id.\":.\"\\([a-z]*\\).*/\\1/p' b | "
		      "tr '\\n' ' '"),
	       0, "other first odd then late sooner second ");
	/* Not twice. */
	ck_run(run(w, "%s import <a", to), 0,
	       "0 imported, 9 were there, 1 skipped, 0 refused\n");
	ck_run(run(w, "%s result good", to), 0, "3\n");
	r = run(w, "%s import --requeue-dead --json --dry-run <a", to);
	ck_assert_str_eq(json_field(w, r->out, "imported"), "10");
	/* A part, into another queue. */
	run(w, CTL "export --queue cpu --state waiting >d");
	ck_run(run(w, "wc -l <d"), 0, "1\n");
	ck_complains(run(w, CTL "export --state running"), 65, "unknown state");
	/* They run there. */
	worker_start(w, world_text(w, "exec env %s", there(w, _i, "flowrrad")));
	ck_run(run(w, "%s wait first then late other", to), 0,
	       "first\t2\nthen\t3\nlate\t4\nother\t5\n");
	world_stop(w);
}
END_TEST

/* Killed wherever it is, and called once more: all are there, each once. */
START_TEST(an_import_that_is_killed_is_repeated)
{
	struct world *w = begin_way(_i);
	const char *to = other(w, _i);
	struct run *r;
	int i, cut = 0;

	run(w,
	    "seq 1 3000 | sed 's/.*/{\"name\":\"add\",\"args\":[&,1],\"queue\":"
	    "\"io\",\"force\":true}/' | " CTL "submit --stdin >ids");
	run(w, CTL "export >a");
	for (i = 0; i < 35; i++) {
		r = run_start(w, "exec env %s import <a", to);
		run(w, "sleep 0.0%02d", 10 + 2 * i);
		kill(r->pid, SIGKILL);
		cut += run_end(w, r)->status == 128 + SIGKILL;
	}
	ck_assert_int_gt(cut, 0);
	r = run(w, "%s import <a", to);
	ck_assert_int_eq(r->status, 0);
	run(w, "%s export >b", to);
	run(w, "sort a >c; sort b >d");
	ck_same(w, "c", "d");
	world_stop(w);
}
END_TEST

START_TEST(bad_lines_are_told_and_the_others_imported)
{
	static const char lines[] =
	    "no JSON\n"
	    "[]\n"
	    "{\"kind\":\"strange\",\"queue\":\"io\",\"bytes\":\"{}\"}\n"
	    "\n"
	    "{\"kind\":\"waiting\",\"queue\":\"a b\",\"bytes\":\"{}\"}\n"
	    "{\"kind\":\"waiting\",\"queue\":\"io\"}\n"
	    "{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes\":\"{}\"}\n"
	    "{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes_base64\":\"%%\"}\n"
	    "{\"kind\":\"delayed\",\"queue\":\"io\",\"due_at\":\"soon\","
	    "\"bytes\":\"{}\"}\n"
	    "{\"kind\":\"record\",\"bytes\":\"{}\"}\n"
	    "{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes_base64\":"
	    "\"eyJpZCI6ImkiLCJuYW1lIjoibiIsImFyZ3MiOltdLCJrd2FyZ3MiOnt9fQ==\""
	    "}\n"
	    "{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes\":\"{\\\"id\\\":"
	    "\\\"j\\\",\\\"name\\\":\\\"n\\\",\\\"args\\\":[],\\\"kwargs\\\":"
	    "{}}\"}";
	static const int bad[] = {1, 2, 3, 5, 6, 7, 8, 9, 10};
	struct world *w = begin_way(_i);
	struct run *r;
	size_t i;

	world_write(w, "lines", lines, strlen(lines));
	r = run(w, CTL "import <lines");
	ck_assert_int_eq(r->status, 65);
	ck_assert_str_eq(r->out,
			 "2 imported, 0 were there, 0 skipped, 9 refused\n");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    strstr(r->err, world_text(w, "line %d: ", bad[i])) != NULL,
		    "line %d: %s", bad[i], r->err);
	ck_run(run(w, CTL "export | grep -c '\"kind\":\"waiting\"'"), 0, "2\n");
	world_stop(w);
}
END_TEST

/* What no program understands is carried out all the same. */
START_TEST(bytes_that_are_no_text_are_exported)
{
	struct world *w = begin(ON_REDIS);
	struct run *r;

	push_bytes(w, "\xff\x00z", 3);
	r = run(w, CTL "export --state waiting");
	ck_run(r, 0,
	       "{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes_base64\":"
	       "\"/wB6\"}\n");
	world_write(w, "x", r->out, strlen(r->out));
	ck_complains(run(w, CTL "import <x"), 65, "line 1: ");
	world_stop(w);
}
END_TEST

/* Whether they wait for others, in a queue, or are dead. */
START_TEST(workflows_stay_in_their_store)
{
	struct world *w = begin(_i);
	const struct run *r;

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "fail --max-retries 0 --flow W --id dead");
	ck_complains(ctl(w, "wait dead"), 1, "dead");
	worker_stop(worker_of(w));
	submit(w, "add 1 1 --flow W --id queued");
	submit(w, "add 1 1 --flow W --id later --delay 1h");
	submit(w, "add 1 1 --flow W --id held --after queued");
	submit(w, "echo '\"flow\"' --id plain");
	r = run(w, CTL "export --state waiting,delayed,dead >a");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(
	    r->err, world_text(w,
			       "workflows are not exported: 1 have not ended, "
			       "and %d of their tasks are in queues",
			       _i == ON_SQLITE ? 4 : 3)));
	ck_run(run(w, "grep -c . a; grep -c plain a"), 0, "1\n1\n");
	/* As an older version has exported it. */
	run(w, "echo '{\"kind\":\"waiting\",\"queue\":\"io\",\"bytes\":"
	       "\"{\\\"id\\\":\\\"x\\\",\\\"name\\\":\\\"add\\\","
	       "\\\"flow\\\":\\\"W\\\"}\"}' >b");
	r = run(w, CTL "import <b");
	ck_assert_int_eq(r->status, 77);
	ck_assert_ptr_nonnull(strstr(r->err, "x is a step of workflow W"));
	ck_complains(ctl(w, "result x"), 2, "x");
	/* The workflow is as it was. */
	ck_run(ctl(w, "workflow show W --json | grep -o '\"steps\":[0-9]*'"), 0,
	       "\"steps\":4\n");
	world_stop(w);
}
END_TEST

SUITE("carry")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(what_is_exported_is_imported_in_its_order, 0, N_WAYS);
	TEST_LOOP(an_import_that_is_killed_is_repeated, 0, N_WAYS);
	TEST_LOOP(bad_lines_are_told_and_the_others_imported, 0, N_WAYS);
	TEST(bytes_that_are_no_text_are_exported);
	TEST_BOTH(workflows_stay_in_their_store);
}
