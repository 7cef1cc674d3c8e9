/* SPDX-License-Identifier: MIT */
/* Schedules of cron and of the Python package, taken over by the command line:
 * the commands of a crontab do what they did. */
#include <sqlite3.h>
#include <string.h>

#include "e2e/exec_scene.h"
#include "e2e/schedule_scene.h"

static const char crontab[] =
    "SHELL=/bin/bash\n"
    "GREETING=\"it's; fine ;\"\n"
    "@hourly echo \"one $GREETING $0\" {a} ; [[ a == a ]] && echo $PATH\n"
    "0 9 * * * echo two; cat\n"
    "0 9 * * * cat; echo 'th'\"r\"ee \\% \\\\%first \\t line%%last\n"
    "@reboot echo never\n";

static struct world *
start_world(void)
{
	struct world *w = start("[task greet]\ncommand = echo one\n");

	reload(w, schedule_config(w, "[task greet]\ncommand = echo one\n"));
	return w;
}

/* The task that runs now of the schedule with this text. */
static const char *
result_of(struct world *w, const char *text)
{
	const char *id = ctl_ok(w, "schedule list --text '%s' | cut -f1", text);

	id = ctl_ok(w, "schedule run %s", id);
	end_of(w, id);
	return told(w, id, "result");
}

START_TEST(commands_of_a_crontab_do_what_they_did)
{
	struct world *w = start_world();
	struct run *r;

	put_file(w, "mine", crontab);
	r = ctl(w, "schedule import --from-crontab mine --tasks tasks.conf");
	ck_assert_int_eq(r->status, 65);
	ck_assert_ptr_nonnull(strstr(r->err, "mine:6: \"@reboot\""));
	ck_assert_msg(strstr(r->out, "\n3 created, ") != NULL, "%s", r->out);
	ck_complains(ctl(w, "schedule import --from-crontab mine "
			    "--tasks tasks.conf"),
		     65, "@reboot");
	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "schedule import --from-crontab mine --quiet")->out,
		   "\n# 0 created, 0 changed, 3 unchanged, 0 removed\n"));
	reload(w,
	       schedule_config(w, world_read(w, world_text(w, "%s/tasks.conf",
							   world_dir(w)))));
	ck_assert_str_eq(result_of(w, "GREETING"),
			 "one it's; fine ; /bin/bash {a}\n/usr/bin:/bin");
	/* Nothing comes from standard input. */
	ck_assert_str_eq(result_of(w, "two"), "two");
	ck_assert_str_eq(result_of(w, "ee %"),
			 "first \\t line\n\nlast\nthree % \\");
	world_stop(w);
}
END_TEST

START_TEST(what_a_crontab_has_no_more_is_removed)
{
	struct world *w = start_world();

	ctl_ok(w, "schedule interval greet 1h --id mine");
	put_file(w, "a", "0 9 * * * one\n0 10 * * * two\n");
	ctl_ok(w, "schedule import --from-crontab a --prune");
	put_file(w, "b", "0 9 * * * three\n");
	ctl_ok(w, "schedule import --from-crontab b --prune");
	put_file(w, "a", "0 9 * * * one\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule import --from-crontab a --prune"),
		   "\n# 0 created, 0 changed, 1 unchanged, 1 removed"));
	ck_run(ctl(w, "schedule list | wc -l"), 0, "3\n");
	ck_run(ctl(w, "schedule show mine --json | grep -c greet"), 0, "1\n");
	/* What is there and cannot be taken now is not gone. */
	put_file(w, "a", "CRON_TZ=Nowhere/City\n0 9 * * * one\n");
	ck_complains(ctl(w, "schedule import --from-crontab a --prune"), 65,
		     "nothing is removed");
	put_file(w, "a", "");
	ck_complains(ctl(w, "schedule import --from-crontab a --prune"), 65,
		     "no schedule is in it");
	ck_run(ctl(w, "schedule list | wc -l"), 0, "3\n");
	/* A system's crontab names the user, and its path tells. */
	put_file(w, "c", "0 9 * * * nobody id -un\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule import --from-crontab c --system "
			     "--dry-run"),
		   "user = nobody\n"));
	ck_complains(ctl(w, "schedule import --from-crontab c --system "
			    "--user root"),
		     64, "--user");
	ck_complains(ctl(w, "schedule import"), 64, "--from-python");
	world_stop(w);
}
END_TEST

static void
make_table(struct world *w)
{
	sqlite3 *db;

	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/py.db", world_dir(w)), &db), 0);
	ck_assert_int_eq(
	    sqlite3_exec(
		db,
		"CREATE TABLE scheduled_tasks (id TEXT PRIMARY KEY, task_name"
		" TEXT NOT NULL, schedule_type TEXT NOT NULL, schedule TEXT NOT"
		" NULL, args TEXT NOT NULL, kwargs TEXT NOT NULL, enabled"
		" INTEGER NOT NULL DEFAULT 1, last_run_at TEXT, next_run_at"
		" TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,"
		" description TEXT, max_retries INTEGER NOT NULL DEFAULT 3,"
		" retry_delay REAL NOT NULL DEFAULT 1.0, priority INTEGER NOT"
		" NULL DEFAULT 0);"
		"INSERT INTO scheduled_tasks VALUES ('p', 'greet', 'cron',"
		" '0 9 1 * 1', '[1]', '{}', 1, NULL, NULL,"
		" '2026-01-01T00:00:00', '2026-01-01T00:00:00', NULL, 3, 1.0,"
		" 5)",
		NULL, NULL, NULL),
	    0);
	sqlite3_close(db);
}

START_TEST(schedules_of_the_package_are_taken)
{
	struct world *w = start_world();

	make_table(w);
	ck_run(ctl(w,
		   "schedule import --from-python sqlite://%s/py.db --tz "
		   "Europe/Berlin",
		   world_dir(w)),
	       0, "created p\n1 created, 0 changed, 0 unchanged, 0 removed\n");
	ck_run(ctl(w, "schedule export --owner python"), 0,
	       "[{\"id\":\"p\",\"task\":\"greet\",\"type\":\"cron\","
	       "\"rule\":\"0 9 1 * 1\",\"tz\":\"Europe/Berlin\","
	       "\"day_match\":\"and\",\"args\":[1],\"priority\":-5,"
	       "\"max_retries\":3,\"retry_delay\":1,\"owner\":\"python\"}]\n");
	put_file(w, "url", world_text(w, "sqlite://%s/py.db\n", world_dir(w)));
	ck_run(
	    ctl(w, "schedule import --from-python - --tz Europe/Berlin < url"),
	    0, "0 created, 0 changed, 1 unchanged, 0 removed\n");
	ck_complains(ctl(w, "schedule import --from-python "
			    "postgresql://u:secret@127.0.0.1:1/x"),
		     64, "standard input");
	ck_complains(ctl(w, "schedule import --from-python sqlite:///none.db"),
		     2, "none.db");
	world_stop(w);
}
END_TEST

SUITE("schedule-import")
{
	SUITE_TIMEOUT(120);
	TEST(commands_of_a_crontab_do_what_they_did);
	TEST(what_a_crontab_has_no_more_is_removed);
	TEST(schedules_of_the_package_are_taken);
}
