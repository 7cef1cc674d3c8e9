/* SPDX-License-Identifier: MIT */
/* The time zones of schedules that the command line makes: the default, the
 * machine's, and that of a single moment. */
#include "e2e/schedule_scene.h"

static void
set_default_zone(struct world *w, const char *zone)
{
	world_configure(
	    w, NULL,
	    schedule_config(w, world_text(w, "timezone = %s\n", zone)));
}

static const char *
shown_of(struct world *w, const char *id, const char *field)
{
	return json_field(w, ctl_ok(w, "schedule show %s --json", id), field);
}

START_TEST(schedules_are_made_in_the_default_zone_and_stay_there)
{
	struct world *w = schedule_world();

	ctl_ok(w, "schedule cron add '0 9 * * *' --id old --args '[1,1]'");
	set_default_zone(w, "Europe/Berlin");
	ctl_ok(w, "schedule cron add '0 9 * * *' --id cron --args '[1,2]'");
	ctl_ok(w, "schedule cron add 'CRON_TZ=Asia/Tokyo 0 9 * * *' --id own "
		  "--args '[1,3]'");
	ctl_ok(w, "schedule cron add '0 9 * * *' --tz UTC --id utc "
		  "--args '[1,4]'");
	ctl_ok(w, "schedule once add '2096-12-24 18:00' --id once");
	ctl_ok(w, "schedule interval add 1h --id often");
	ck_assert_str_eq(shown_of(w, "old", "tz"), "UTC");
	ck_assert_str_eq(shown_of(w, "cron", "tz"), "Europe/Berlin");
	ck_assert_str_eq(shown_of(w, "own", "tz"), "UTC");
	ck_assert_str_eq(shown_of(w, "utc", "tz"), "UTC");
	ck_assert_str_eq(shown_of(w, "often", "tz"), "UTC");
	ck_assert_str_eq(shown_of(w, "once", "rule"),
			 "2096-12-24T17:00:00.000000+00:00");
	ck_run(ctl(w, "schedule next '0 9 * * *' --count 1 "
		      "--after 2026-03-30T00:00:00Z"),
	       0, "2026-03-30T09:00:00+02:00\n");
	/* What is exported here means the same there. */
	ctl_ok(w, "schedule export > all.json");
	set_default_zone(w, "Asia/Tokyo");
	ck_run(ctl(w, "schedule apply all.json"), 0,
	       "0 created, 0 changed, 6 unchanged, 0 removed\n");
	ck_assert_str_eq(shown_of(w, "cron", "tz"), "Europe/Berlin");
	ctl_ok(w, "schedule delete old");
	ctl_ok(w, "schedule apply all.json");
	ck_assert_str_eq(shown_of(w, "old", "tz"), "UTC");
	world_stop(w);
}
END_TEST

START_TEST(a_file_leaves_the_zone_of_what_is_there)
{
	static const char file[] =
	    "[schedule a]\ntask = add\ntype = cron\nrule = 0 9 * * *\n";
	struct world *w = schedule_world();

	put_file(w, "s.ini", file);
	set_default_zone(w, "Europe/Berlin");
	ctl_ok(w, "schedule apply s.ini");
	ck_assert_str_eq(shown_of(w, "a", "tz"), "Europe/Berlin");
	set_default_zone(w, "Asia/Tokyo");
	ck_run(ctl(w, "schedule apply s.ini"), 0,
	       "0 created, 0 changed, 1 unchanged, 0 removed\n");
	ck_assert_str_eq(shown_of(w, "a", "tz"), "Europe/Berlin");
	put_file(w, "s.ini", world_text(w, "%stz = UTC\n", file));
	ctl_ok(w, "schedule apply s.ini");
	ck_assert_str_eq(shown_of(w, "a", "tz"), "UTC");
	world_stop(w);
}
END_TEST

START_TEST(the_zone_of_the_machine_is_stored_by_its_name)
{
	struct world *w = schedule_world();

	ck_run(run(w, "TZ=Europe/Berlin flowrractl -c flowrra.conf "
		      "schedule cron add '0 9 * * *' --tz local --id a"),
	       0, "a\n");
	ck_assert_str_eq(shown_of(w, "a", "tz"), "Europe/Berlin");
	ck_run(run(w, "TZ=:Asia/Tokyo flowrractl -c flowrra.conf "
		      "schedule edit a --tz local"),
	       0, "");
	ck_assert_str_eq(shown_of(w, "a", "tz"), "Asia/Tokyo");
	/* A clock that has no name cannot be stored. */
	ck_complains(run(w, "TZ=EST5EDT,M3.2.0,M11.1.0 flowrractl "
			    "-c flowrra.conf schedule cron add '0 9 * * *' "
			    "--tz local"),
		     65, "Europe/Berlin");
	ctl_ok(w, "schedule once add '2096-12-24 18:00' --tz Asia/Tokyo "
		  "--id once");
	ck_assert_str_eq(shown_of(w, "once", "rule"),
			 "2096-12-24T09:00:00.000000+00:00");
	ck_complains(ctl(w, "schedule once add '2096-12-24 18:00' "
			    "--tz Asia/Tokio"),
		     65, "Asia/Tokyo");
	set_default_zone(w, "Europe/Berln");
	ck_complains(ctl(w, "schedule cron add '1 9 * * *'"), 65,
		     "[scheduler] timezone");
	world_stop(w);
}
END_TEST

SUITE("schedule-zones")
{
	SUITE_TIMEOUT(120);
	TEST(schedules_are_made_in_the_default_zone_and_stay_there);
	TEST(a_file_leaves_the_zone_of_what_is_there);
	TEST(the_zone_of_the_machine_is_stored_by_its_name);
}
