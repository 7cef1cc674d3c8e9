/* SPDX-License-Identifier: MIT */
/* The command line's verbs that keep schedules in files. */
#include "e2e/schedule_scene.h"

START_TEST(a_file_is_applied_and_once_more_changes_nothing)
{
	struct world *w = schedule_world();

	put_file(w, "s.ini",
		 "owner = team\n[schedule sum]\ntask = add\ntype = cron\n"
		 "rule = 0 9 * * *\nargs = [2, 3]\n"
		 "[schedule often]\ntask = add\ntype = interval\nrule = 5m\n");
	ck_run(ctl(w, "schedule apply s.ini --dry-run"), 0,
	       "created sum\ncreated often\n2 created, 0 changed, 0 unchanged, "
	       "0 removed (nothing was changed: --dry-run)\n");
	ck_complains(ctl(w, "schedule list"), 2, "no database");
	ck_run(ctl(w, "schedule apply s.ini"), 0,
	       "created sum\ncreated often\n2 created, 0 changed, 0 unchanged, "
	       "0 removed\n");
	ck_run(ctl(w, "schedule apply - --prune < s.ini"), 0,
	       "0 created, 0 changed, 2 unchanged, 0 removed\n");
	put_file(w, "s.ini",
		 "owner = team\n[schedule sum]\ntask = add\ntype = cron\n"
		 "rule = 0 9 * * *\nargs = [2, 3]\nqueue = io\n");
	ck_run(ctl(w, "schedule apply s.ini --prune"), 0,
	       "changed sum: queue: null -> \"io\"\nremoved often\n"
	       "0 created, 1 changed, 0 unchanged, 1 removed\n");
	/* Somebody's edit is undone by the next file; the owner stays. */
	ck_run(ctl(w, "schedule edit sum --priority 3"), 0, "");
	ck_run(ctl(w, "schedule export --owner team | grep -c sum"), 0, "1\n");
	ck_run(ctl(w, "schedule apply s.ini --prune"), 0,
	       "changed sum: priority: 3 -> 0\n"
	       "0 created, 1 changed, 0 unchanged, 0 removed\n");
	/* A task that nobody has registered is most likely a typing error. */
	put_file(w, "bad.ini",
		 "[schedule a]\ntask = add\ntype = interval\nrule = 5m\n"
		 "[schedule b]\ntask = ad\ntype = interval\nrule = 5m\n");
	ck_complains(ctl(w, "schedule apply bad.ini"), 65, "bad.ini:6: ");
	ck_complains(ctl(w, "schedule apply bad.ini"), 65,
		     "1 mistake; nothing was changed");
	ck_complains(ctl(w, "schedule apply s.ini --owner other"), 64, "team");
	ck_complains(ctl(w, "schedule apply none.ini"), 65, "none.ini");
	ck_run(ctl(w, "schedule list | wc -l"), 0, "1\n");
	world_stop(w);
}
END_TEST

START_TEST(each_mistake_of_a_file_is_told_at_once)
{
	static const char *const told[] = {
	    "bad.ini:5: unknown schedule field \"bogus\"",
	    "bad.ini:9: cron expression: ",
	    "bad.ini:10: schedule one is in line 6, too",
	    "bad.ini:14: the name of the task is missing",
	    "bad.ini:20: a period of 0 ",
	    "bad.ini:21: \"[schedule seven\" is not a section",
	    "nothing was changed"};
	struct world *w = schedule_world();
	size_t i;

	put_file(w, "bad.ini",
		 "[schedule zero]\ntask = add\ntype = cron\n"
		 "rule = 0 9 * * *\nbogus = 1\n"
		 "[schedule one]\ntask = add\ntype = cron\nrule = 0 9 * *\n"
		 "[schedule one]\ntask = add\ntype = cron\n"
		 "rule = 0 9 * * *\n"
		 "[schedule four]\ntype = interval\nrule = 5m\n"
		 "[schedule five]\ntask = add\ntype = interval\nrule = 0s\n"
		 "[schedule seven\ntask = add\n");
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		ck_complains(ctl(w, "schedule apply bad.ini"), 65, told[i]);
	/* Of ten thousand, the first are enough. */
	ck_run(run(w, "yes '[schedule x' | head -n 10000 | "
		      "flowrractl schedule apply - 2>&1 | grep -v -c nothing"),
	       0, "21\n");
	/* As JSON, too, and where all can be read. */
	put_file(w, "bad.json",
		 "[{\"id\":\"a\",\"task\":\"add\",\"type\":\"cron\",\n"
		 "\"rule\":\"0 25 * * *\"},\n"
		 "{\"id\":\"a\",\"task\":\"add\",\"type\":\"interval\",\n"
		 "\"rule\":\"5m\"},\n{\"id\":\"c\"}]");
	ck_complains(ctl(w, "schedule apply bad.json"), 65, "bad.json:2: ");
	ck_complains(ctl(w, "schedule apply bad.json"), 65, "bad.json:3: ");
	ck_complains(ctl(w, "schedule apply bad.json"), 65, "bad.json:5: ");
	ck_complains(ctl(w, "schedule apply bad.json"), 65, "3 mistakes");
	world_stop(w);
}
END_TEST

START_TEST(what_is_exported_is_what_is_applied)
{
	struct world *w = schedule_world();

	ctl_ok(w, "schedule cron add '0 9 * * *' --id sum --args '[2,3]' "
		  "--expires 90 --tz Europe/Berlin --overlap replace");
	ctl_ok(w, "schedule once add 2096-01-01T00:00:00Z --id once "
		  "--disabled");
	ck_run(ctl(w, "schedule export --format ini"), 0,
	       "[schedule once]\ntask = add\ntype = once\n"
	       "rule = 2096-01-01T00:00:00.000000+00:00\nenabled = false\n\n"
	       "[schedule sum]\ntask = add\ntype = cron\nrule = 0 9 * * *\n"
	       "tz = Europe/Berlin\nargs = [2,3]\nexpires = 90\n"
	       "overlap = replace\n");
	ctl_ok(w, "schedule export > all.json");
	ck_run(ctl(w, "schedule apply all.json"), 0,
	       "0 created, 0 changed, 2 unchanged, 0 removed\n");
	/* That of list has more in it, which is passed over. */
	ctl_ok(w, "schedule list --json > list.json");
	ck_run(ctl(w, "schedule apply list.json"), 0,
	       "0 created, 0 changed, 2 unchanged, 0 removed\n");
	ctl_ok(w, "schedule delete sum");
	ck_run(ctl(w, "schedule apply all.json"), 0,
	       "created sum\n1 created, 0 changed, 1 unchanged, 0 removed\n");
	ck_complains(ctl(w, "schedule export --format xml"), 65, "json, ini");
	world_stop(w);
}
END_TEST

SUITE("schedule-files")
{
	SUITE_TIMEOUT(120);
	TEST(a_file_is_applied_and_once_more_changes_nothing);
	TEST(each_mistake_of_a_file_is_told_at_once);
	TEST(what_is_exported_is_what_is_applied);
}
