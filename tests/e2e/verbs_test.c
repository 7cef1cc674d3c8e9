/* SPDX-License-Identifier: MIT */
/* All verbs of flowrractl: each has a test, and the manual says what it prints.
 */
#include <jansson.h>
#include <string.h>

#include "e2e/operate_scene.h"
#include "manual.h"

/* --- the manual page ----------------------------------------------------- */

/* The section of a verb: from its heading to the end of those that share it. */
static char *
page_section(struct world *w, const char *verb)
{
	char *page = world_keep(w, manual_read(world_source(w, ".")));
	const char *head = world_text(w, "\n.Ss %s", verb);
	char *begin = strstr(page, head), *end;

	/* Not that of "tasks retrying". */
	while (begin != NULL && strchr(" \n", begin[strlen(head)]) == NULL)
		begin = strstr(begin + 1, head);

	ck_assert_msg(begin != NULL, "there is no section %s", verb);
	for (end = strchr(begin + 1, '\n'); strncmp(end, "\n.Ss", 4) == 0;
	     end = strchr(end + 1, '\n'))
		;
	end = strstr(end, "\n.Ss");
	if (end != NULL)
		*end = '\0';
	return begin;
}

/* Whether a word stands there, with something else on both sides. */
static bool
has_word(const char *text, const char *word)
{
	const size_t len = strlen(word);
	const char *p;

	for (p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
		if (strchr(" \"\n", p[-1]) != NULL &&
		    strchr(" ,.\"\n:", p[len]) != NULL)
			return true;
	return false;
}

static void
check_members(struct world *w, const char *verb, const char *arguments)
{
	json_t *json =
	    json_loads(ctl(w, "%s %s --json", verb, arguments)->out, 0, NULL);
	const json_t *object =
	    json_is_array(json) ? json_array_get(json, 0) : json;
	const char *section = page_section(w, verb), *name;
	json_t *value;

	ck_assert_msg(json_object_size(object) > 0, "%s prints nothing", verb);
	json_object_foreach ((json_t *)object, name, value)
		ck_assert_msg(has_word(section, name),
			      "the section of \"%s\" does not say \"%s\"", verb,
			      name);
	json_decref(json);
}

START_TEST(the_manual_page_names_the_members_of_what_is_printed)
{
	static const char *const asked[][2] = {
	    {"stats", ""},
	    {"top", ""},
	    {"status", ""},
	    {"health", ""},
	    {"doctor", ""},
	    {"where", ""},
	    {"queues", ""},
	    {"queue pause", "cpu"},
	    {"queue purge", "cpu"},
	    {"limit set", "cpu --task a --concurrency 2"},
	    {"limit show", "cpu"},
	    {"worker quiet", "test:1"},
	    {"tasks dead", ""},
	    {"tasks show", "a"},
	    {"tasks retry", "a"},

	    {"schedule stats", ""},
	    {"schedule show", "s"},
	    {"schedule enable", "s"},
	    {"schedule run", "s"},
	    {"cancel", "later"},

	    {"workflow list", ""},
	    {"workflow seal", "W"},
	    {"workflow retry", "W"},
	    {"workflow repair", "W"},
	};
	struct world *w = begin(_i);
	size_t i;

	worker_start(w, NULL);
	submit(w, "fail --max-retries 0 --id a");
	submit(w, "add 1 1 --delay 1h --id later");
	ctl_ok(w, "schedule interval add 1h --args '[1,2]' --id s");
	ctl_ok(w, "workflow begin --id W");
	submit(w, "add 1 1 --flow W");
	ctl_ok(w, "workflow seal W --wait");
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		check_members(w, asked[i][0], asked[i][1]);
	world_stop(w);
}
END_TEST

/* --- all verbs --------------------------------------------------------- */

/* Which test shows that a verb does what it says. */
static const struct {
	const char *verb, *file, *test;
} verbs[] = {
    {"status", "names_test.c", "the_name_alone_prints_an_overview"},
    {"run", "run_test.c", "a_command_that_is_waited_for_gives_its_exit_code"},
    {"logs", "run_test.c", "logs_show_what_is_asked_for"},
    {"submit", "cli_test.c", "exit_statuses_say_what_became_of_a_task"},
    {"result", "cli_test.c", "exit_statuses_say_what_became_of_a_task"},
    {"wait", "cli_test.c", "whoever_waits_is_woken_by_the_end"},
    {"cancel", "operate_test.c", "a_task_is_cancelled_wherever_it_is"},
    {"move", "bulk_test.c", "tasks_are_moved_to_another_queue"},
    {"progress", "own_task_test.c", "a_command_tells_its_progress"},
    {"events", "console_test.c", "events_are_told_as_they_happen"},
    {"stats", "operate_test.c", "figures_are_those_of_the_lists"},
    {"top", "console_test.c", "top_gives_the_terminal_back"},
    {"health", "operate_test.c", "health_is_waited_for"},
    {"doctor", "operate_test.c",
     "the_doctor_finds_what_is_stuck_and_says_what_to_do"},
    {"check", "check_test.c",
     "a_check_tells_all_that_is_wrong_with_40_broken_configurations"},
    {"where", "where_test.c", "commands_and_daemons_are_compared"},
    {"metrics", "metrics_test.c", "metrics_are_printed_and_replace_a_file"},
    {"export", "carry_test.c", "what_is_exported_is_imported_in_its_order"},
    {"import", "carry_test.c", "what_is_exported_is_imported_in_its_order"},
    {"queues", "operate_test.c", "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue pause", "operate_test.c",
     "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue resume", "operate_test.c",
     "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue purge", "operate_test.c",
     "a_queue_is_listed_paused_resumed_and_purged"},
    {"limit set", "held_test.c", "limits_are_set_shown_and_unset"},
    {"limit list", "held_test.c", "limits_are_set_shown_and_unset"},
    {"limit show", "held_test.c", "limits_are_set_shown_and_unset"},
    {"limit unset", "held_test.c", "limits_are_set_shown_and_unset"},
    {"workers", "operate_test.c", "a_worker_follows_its_orders"},
    {"worker quiet", "operate_test.c", "a_worker_follows_its_orders"},
    {"worker resume", "operate_test.c", "a_worker_follows_its_orders"},
    {"worker reload", "operate_test.c", "a_worker_follows_its_orders"},
    {"worker stop", "operate_test.c", "a_worker_follows_its_orders"},
    {"tasks", "names_test.c", "a_group_alone_lists_what_it_is_about"},
    {"tasks pending", "operate_test.c",
     "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks delayed", "operate_test.c",
     "tasks_are_listed_by_worker_argument_error_and_time"},
    {"tasks retrying", "operate_test.c",
     "tasks_are_listed_by_worker_argument_error_and_time"},
    {"tasks run", "operate_test.c",
     "tasks_are_listed_by_worker_argument_error_and_time"},
    {"tasks signal", "tasks_signal_test.c",
     "a_signal_reaches_the_command_in_any_worker"},
    {"tasks running", "operate_test.c",
     "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks completed", "operate_test.c",
     "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks failed", "operate_test.c",
     "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks dead", "dead_test.c", "dead_tasks_are_listed_by_what_they_died_of"},
    {"tasks show", "operate_test.c", "a_task_is_shown_with_where_it_is"},
    {"tasks retry", "dead_test.c",
     "dead_tasks_are_retried_with_all_their_attempts"},
    {"tasks delete", "dead_test.c", "dead_tasks_are_deleted"},
    {"tasks registered", "../manager/flowrractl_test.c",
     "registered_tasks_are_listed"},
    {"tasks info", "../manager/flowrractl_test.c",
     "registered_tasks_are_listed"},
    {"chain", "workflow_test.c", "a_chain_passes_results_on"},
    {"workflow begin", "workflow_test.c",
     "a_step_runs_after_those_that_it_waits_for"},
    {"workflow submit", "workflow_test.c", "a_file_runs_as_a_whole"},
    {"workflow seal", "workflow_test.c",
     "a_step_runs_after_those_that_it_waits_for"},
    {"workflow list", "workflow_test.c", "a_workflow_is_listed_and_shown"},
    {"workflow show", "workflow_test.c", "a_workflow_is_listed_and_shown"},
    {"workflow wait", "workflow_test.c", "a_file_runs_as_a_whole"},
    {"workflow cancel", "workflow_test.c",
     "a_cancelled_workflow_runs_no_more_steps"},
    {"workflow retry", "workflow_test.c",
     "a_failed_step_is_retried_with_what_was_skipped"},
    {"workflow repair", "workflow_test.c",
     "what_ended_without_a_word_is_repaired"},
    {"schedule cron", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule interval", "schedule_cli_test.c",
     "an_identical_schedule_is_made_once"},
    {"schedule once", "schedule_cli_test.c",
     "schedules_fire_and_their_tasks_run"},
    {"schedule list", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule show", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule enable", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule disable", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule delete", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule run", "schedule_cli_test.c",
     "schedules_fire_and_their_tasks_run"},
    {"schedule stats", "schedule_cli_test.c",
     "a_schedule_waits_for_its_last_task"},
    {"schedule next", "schedule_cli_test.c", "the_next_fires_need_no_server"},
    {"schedule edit", "schedule_cli_test.c",
     "an_edit_changes_what_is_given_and_nothing_else"},
    {"schedule apply", "schedule_file_test.c",
     "a_file_is_applied_and_once_more_changes_nothing"},
    {"schedule export", "schedule_file_test.c",
     "what_is_exported_is_what_is_applied"},
    {"schedule import", "schedule_import_test.c",
     "what_a_crontab_has_no_more_is_removed"},
    {"schedule history", "schedule_cli_test.c",
     "a_history_tells_what_became_of_the_tasks"},
    {"web", "web_test.c", "each_credential_gets_in_with_its_role"},
    {"web token", "web_test.c", "each_credential_gets_in_with_its_role"},
    {"completion", "console_test.c", "the_shells_complete_with_the_scripts"},
    {"complete", "console_test.c",
     "words_are_completed_from_verbs_and_servers"},
    {"version", "../manager/flowrractl_test.c",
     "what_cannot_be_printed_is_an_error"},
    {"help", "../manager/flowrractl_help_test.c",
     "the_manual_page_has_all_verbs_and_options_and_no_other"},
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* The body of a test in a source file, "" if there is none. */
static char *
test_source(struct world *w, const char *file, const char *test)
{
	char *text =
	    world_read(w, world_source(w, world_text(w, "tests/e2e/%s", file)));
	char *begin = strstr(text, world_text(w, "START_TEST(%s)", test));
	char *end = begin != NULL ? strstr(begin, "END_TEST") : NULL;

	if (end == NULL)
		return world_text(w, "%s", "");
	*end = '\0';
	return begin;
}

START_TEST(each_verb_has_its_test)
{
	struct world *w = begin(ON_SQLITE);
	const char *known =
	    ctl_ok(w, "help --json | tr '{' '\\n' | sed -n "
		      "'s/^\"name\":\"\\([a-z ]*\\)\",\"summary\".*/\\1/p'");
	size_t i, lines = 1;
	const char *p;

	for (p = known; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	for (i = 0; i < N_VERBS; i++) {
		ck_assert_msg(strstr(world_text(w, "\n%s\n", known),
				     world_text(w, "\n%s\n", verbs[i].verb)) !=
				  NULL,
			      "unknown command \"%s\"", verbs[i].verb);
		p = test_source(w, verbs[i].file, verbs[i].test);
		ck_assert_msg(strstr(p, verbs[i].verb) != NULL,
			      "%s: no test %s with \"%s\" in it", verbs[i].file,
			      verbs[i].test, verbs[i].verb);
	}
	ck_assert_msg(lines == N_VERBS,
		      "there are %zu verbs, but %zu have a test here:\n%s",
		      lines, N_VERBS, known);
	world_stop(w);
}
END_TEST

SUITE("verbs")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(the_manual_page_names_the_members_of_what_is_printed);
	TEST(each_verb_has_its_test);
}
