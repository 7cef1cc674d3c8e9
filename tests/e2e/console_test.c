/* SPDX-License-Identifier: MIT */
/* What flowrractl does for people at a terminal: events, top, progress,
 * completion. */
#include <hiredis.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/operate_scene.h"
#include "redis_server.h"

/* --- events ------------------------------------------------------------ */

static int
take_number(void *ret, int n, char **columns, char **names)
{
	*(long long *)ret = atoll(columns[0]);
	return 0;
}

/* Programs that listen to events now, by what the store knows. */
static long long
n_listeners(struct world *w, int broker)
{
	struct redisReply *reply;
	struct sqlite3 *db;
	long long n = 0;

	if (broker == ON_REDIS) {
		reply = redis_server_command(
		    world_redis(w), "PUBSUB NUMSUB flowrra:events:brief");
		n = reply->element[1]->integer;
		freeReplyObject(reply);
		return n;
	}
	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/flowrra.db", world_dir(w)), &db),
	    SQLITE_OK);
	sqlite3_busy_timeout(db, PATIENCE_MS);
	ck_assert_int_eq(sqlite3_exec(db, "SELECT count(*) FROM listeners",
				      take_number, &n, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	return n;
}

START_TEST(events_are_told_as_they_happen)
{
	struct world *w = begin(_i);
	struct run *all, *one;
	int64_t deadline = now_ms() + PATIENCE_MS;
	int i;

	worker_start(w, NULL);
	all = run_start(w, "flowrractl --config flowrra.conf events --count 2 "
			   ">all; touch ended");
	one = run_start(w, "flowrractl --config flowrra.conf events --follow "
			   "--id last --count 1 --task add --queue io");
	WAIT_UNTIL(n_listeners(w, _i) == 2);
	/* The worker learns of them later. */
	for (i = 0; world_read(w, "all")[0] == '\0' && now_ms() < deadline; i++)
		submit(w, "add %d 1 --wait", i);
	submit(w, "add 3 4 --id last");
	ck_assert_int_eq(run_end(w, one)->status, 0);
	ck_assert_str_eq(json_field(w, one->out, "type"), "task.update");
	ck_assert_str_eq(json_field(w, one->out, "task.task_id"), "last");
	ck_assert_int_eq(run_end(w, all)->status, 0);
	ck_run(run(w, "wc -l <all"), 0, "2\n");
	all = run_start(w, "flowrractl --config flowrra.conf events --task "
			   "sleep --count 2");
	deadline = now_ms() + PATIENCE_MS;
	for (i = 0; !is_gone(all->pid) && now_ms() < deadline; i++)
		ck_assert_str_eq(submit(w, "sleep 0.4 --wait"), "0.4");
	ck_assert_int_eq(run_end(w, all)->status, 0);
	/* They may have begun to listen while it ran. */
	ck_assert_ptr_nonnull(strstr(all->out, "\"status\":\"running\""));
	world_stop(w);
}
END_TEST

/* A task that begins as soon as the listener has said that it follows, and ends
 * at once: a worker that looked for listeners each second would tell of it too
 * late, most of the time. */
#define FOLLOWED 100
START_TEST(nothing_is_missed_once_it_is_said_that_it_follows)
{
	struct world *w = begin(_i);
	struct run *events;
	int64_t deadline;
	int i, heard = 0;

	worker_start(w, NULL);
	for (i = 0; i < FOLLOWED; i++) {
		world_write(w, "said", "", 0);
		events = run_start(w,
				   "flowrractl --config flowrra.conf events "
				   "--count 1 --id t%d 2>said",
				   i);
		deadline = now_ms() + PATIENCE_MS;
		while (strstr(world_read(w, "said"), "following") == NULL)
			ck_assert_int_lt(now_ms(), deadline);
		submit(w, "add 1 2 --wait --id t%d", i);
		heard += run_end(w, events)->status == 0 &&
			 strstr(events->out, "\"success\"") != NULL;
	}
	ck_assert_int_eq(heard, FOLLOWED);
	world_stop(w);
}
END_TEST

START_TEST(events_have_the_record_where_that_is_asked_for)
{
	struct world *w = begin(_i);
	struct run *brief, *full;

	worker_start(w, NULL);
	brief = run_start(w, "flowrractl --config flowrra.conf events "
			     "--count 1 2>said");
	full = run_start(w, "flowrractl --config flowrra.conf events --full "
			    "--count 1 2>said.full");
	WAIT_UNTIL(strstr(world_read(w, "said"), "following") != NULL &&
		   strstr(world_read(w, "said.full"), "following") != NULL);
	submit(w, "add 3 4 --wait");
	ck_assert_int_eq(run_end(w, full)->status, 0);
	ck_assert_str_eq(json_field(w, full->out, "task.result"), "7");
	ck_assert_int_eq(run_end(w, brief)->status, 0);
	ck_assert_str_eq(json_field(w, brief->out, "task.status"), "success");
	ck_assert_ptr_null(strstr(brief->out, "result"));
	ck_assert_ptr_null(strstr(brief->out, "args"));
	world_stop(w);
}
END_TEST

/* Listeners begin to listen at some time: until then, again. */
static void
ck_told_of_cancelling(struct world *w, bool purge)
{
	const int64_t deadline = now_ms() + PATIENCE_MS;
	struct run *events;
	const char *id;
	int i;

	events = run_start(w, "flowrractl --config flowrra.conf events "
			      "--count 1");
	for (i = 0; !is_gone(events->pid) && now_ms() < deadline; i++) {
		id = world_text(w, "%d.%d", purge, i);
		put(w, id, "");
		if (purge)
			ctl_ok(w, "queue purge io");
		else
			ctl_ok(w, "cancel %s", id);
	}
	ck_assert_int_eq(run_end(w, events)->status, 0);
	ck_assert_str_eq(json_field(w, events->out, "task.status"), "failed");
	ck_assert_str_eq(json_field(w, events->out, "task.reason"),
			 "cancelled");
}

START_TEST(events_tell_of_tasks_that_are_cancelled_before_they_run)
{
	struct world *w = begin(_i);

	ck_told_of_cancelling(w, false);
	ck_told_of_cancelling(w, true);
	world_stop(w);
}
END_TEST

START_TEST(events_end_when_nobody_reads_them)
{
	struct world *w = begin(_i);
	struct run *events;
	const int64_t deadline = now_ms() + PATIENCE_MS;

	worker_start(w, NULL);
	events = run_start(w, "flowrractl --config flowrra.conf events | "
			      "head -n 1; touch ended");
	while (access(world_text(w, "%s/ended", world_dir(w)), F_OK) != 0 &&
	       now_ms() < deadline)
		submit(w, "add 1 1 --wait");
	ck_assert_int_eq(run_end(w, events)->status, 0);
	ck_assert_str_eq(events->err, "flowrractl: events: following\n");
	world_stop(w);
}
END_TEST

/* --- the terminal ------------------------------------------------------ */

/* script(1) may lose what is written just before its command ends: so the command
 * waits, for ten seconds at most, until the end is in the typescript. */
#define SEEN(file)                                                             \
	"for i in $(seq 500); do grep -q 1049l " file                          \
	" && break; sleep 0.02; done"

START_TEST(top_gives_the_terminal_back)
{
	struct world *w = begin(_i);
	const struct run *r;

	put(w, "a", "");
	r = run(
	    w, "(until grep -q '1 waiting' screen; do sleep 0.02; done; "
	       "printf q) 2>&- | script -qfec 'flowrractl --config "
	       "flowrra.conf top --interval 0.1 && " SEEN("screen") "' screen");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049h"));
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049l"));
	/* Also when it is killed. */
	r = run(
	    w, "script -qfec 'flowrractl --config flowrra.conf top "
	       "</dev/tty & until grep -q 1049h killed; do sleep 0.02; "
	       "done; kill $!; wait $!; " SEEN("killed") "' killed </dev/null");
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049l"));
	world_stop(w);
}
END_TEST

START_TEST(a_stream_shows_its_progress_on_a_terminal)
{
	struct world *w = begin(_i);
	const struct run *r;

	world_write(w, "tasks", "{}\n{}\n", 6);
	r = run(w, "script -qec 'flowrractl --config flowrra.conf submit add "
		   "--force --queue io --stdin <tasks >ids' /dev/null");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->out, "2 submitted"));
	r = run(w, "flowrractl --config flowrra.conf submit add --force "
		   "--queue io --stdin <tasks >ids");
	ck_run(r, 0, "");
	ck_assert_ptr_null(strstr(r->err, "submitted"));
	world_stop(w);
}
END_TEST

/* As any program that may write to the store can: ESC in a member's name, and in a
 * text what turns the rest of its line round. */
static void
poison_record(struct world *w, int broker, const char *id)
{
	static const char record[] =
	    "{\"task_id\":\"%s\",\"status\":\"success\",\"task_name\":"
	    "\"a\xe2\x80\xae=\xe2\x81\xa6z\",\"result\":null,"
	    "\"\\u001b[31mred\xe2\x80\xad\":1}";
	const char *text = world_text(w, record, id);
	sqlite3 *db;

	if (broker != ON_SQLITE) {
		redis_server_run(world_redis(w), "SET flowrra:task:%s %s", id,
				 text);
		return;
	}
	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/flowrra.db", world_dir(w)), &db), 0);
	text = world_text(w,
			  "UPDATE results SET record = CAST('%s' AS BLOB) "
			  "WHERE id = '%s'",
			  text, id);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), 0);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

START_TEST(what_a_record_says_does_not_steer_the_terminal)
{
	struct world *w = begin(_i);
	const char *out;

	worker_start(w, NULL);
	submit(w, "add 1 2 --id t1 --wait");
	poison_record(w, _i, "t1");
	out = ctl_ok(w, "tasks show t1");
	ck_assert_ptr_nonnull(strstr(out, "a\?\?\?=\?\?\?z"));
	ck_assert_ptr_nonnull(strstr(out, "?[31mred???"));
	ck_assert_ptr_null(strchr(out, '\033'));
	ck_assert_ptr_null(strchr(out, '\xe2'));
	out = ctl_ok(w, "tasks completed");
	ck_assert_ptr_nonnull(strstr(out, "a\?\?\?=\?\?\?z"));
	world_stop(w);
}
END_TEST

/* --- completion -------------------------------------------------------- */

static bool
has_shell(struct world *w, const char *shell)
{
	return run(w, "command -v %s", shell)->status == 0;
}

START_TEST(words_are_completed_from_verbs_and_servers)
{
	struct world *w = begin(_i);

	put(w, "some-task", "");
	worker_start(w, NULL);
	ck_run(ctl(w, "complete -- tasks ret"), 0,
	       "retrying\tList failed tasks that will be retried\n"
	       "retry\tRequeue dead tasks\n");
	ck_run(ctl(w, "complete -- queue pause i"), 0, "io\t\n");
	ck_run(ctl(w, "complete -- submit ad"), 0, "add\ttask\n");
	ck_run(ctl(w, "complete -- tasks pending --task ad"), 0, "add\ttask\n");
	ck_run(ctl(w, "complete -- worker quiet test:"), 0,
	       "test:1\trunning\n");
	ck_run(ctl(w, "complete -- result some"), 0, "some-task\tadd\n");
	ck_run(ctl(w, "complete -- completion f"), 0, "fish\t\n");
	ck_run(ctl(w, "complete -- help queue pa"), 0,
	       "pause\tPause a queue: workers start no more tasks from it\n");
	ck_run(ctl(w, "complete -- --json help ver"), 0,
	       "version\tPrint the version\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "complete -- submit --un"), "--unique-ttl\t"));
	ck_run(run(w, "FLOWRRA_BROKER_URL=redis://127.0.0.1:1 timeout 5 "
		      "flowrractl complete -- queue pause ''"),
	       0, "");
	world_stop(w);
}
END_TEST

START_TEST(what_a_shell_would_run_is_not_offered)
{
	struct world *w = begin(_i);

	put(w, "'$(reboot)'", "");
	put(w, "good", "");
	ck_run(ctl(w, "complete -- cancel ''"), 0, "good\tadd\n");
	ck_run(ctl(w, "complete -- cancel '$'"), 0, "");
	world_stop(w);
}
END_TEST

START_TEST(the_shells_complete_with_the_scripts)
{
	struct world *w = begin(_i);
	const struct run *r;

	worker_start(w, NULL);
	setenv("FLOWRRA_BROKER_URL",
	       json_field(w,
			  ctl_ok(w, "--dump-config | sed -n 's/^url = "
				    "\\(.*\\)/{\"u\":\"\\1\"}/p' | head -n 1"),
			  "u"),
	       1);
	r = run(w, "bash -c '. <(flowrractl completion bash); "
		   "COMP_LINE=\"flowrractl worker quiet test:\"; "
		   "COMP_POINT=${#COMP_LINE}; _flowrractl; "
		   "echo \"${COMPREPLY[@]}\"'");
	ck_run(r, 0, "1\n");
	if (has_shell(w, "fish"))
		ck_run(run(w, "fish -c 'flowrractl completion fish | source; "
			      "complete -C \"flowrractl queue pau\"'"),
		       0,
		       "pause\tPause a queue: workers start no more tasks from "
		       "it\n");
	if (has_shell(w, "zsh"))
		ck_run(run(w, "zsh -fc 'compdef() {}; "
			      ". <(flowrractl completion zsh); "
			      "_describe() { print -l -- $candidates }; "
			      "words=(flowrractl worker quiet test:); "
			      "CURRENT=4; _flowrractl'"),
		       0, "test\\:1:running\n");
	world_stop(w);
}
END_TEST

/* --- texts of others ------------------------------------------------------ */

/* CSI as U+009B, an override, an isolate, a mark, a space without width. */
#define STRANGE                                                                \
	"\xc2\x9b"                                                             \
	"2J\xe2\x80\xae"                                                       \
	"a\xe2\x81\xa6\xe2\x80\x8f\xe2\x80\x8b"
#define STRANGE_JSON "\\u009b2J\\u202ea\\u2066\\u200f\\u200b"

/* Whether a text has none of the characters as they are. */
static bool
is_clean(const char *text)
{
	return strstr(text, "\xc2\x9b") == NULL &&
	       strstr(text, "\xe2\x80") == NULL &&
	       strstr(text, "\xe2\x81") == NULL;
}

START_TEST(what_tasks_say_does_not_steer_a_terminal)
{
	static const char task[] =
	    "{\"name\":\"echo\",\"args\":[\"" STRANGE "\"],\"kwargs\":{}}\n";
	static const struct {
		const char *verb;
		bool has_id, has_text;
		const char *option;
	} shown[] = {
	    {"tasks completed", false, false, ""},
	    {"tasks show", true, false, ""},
	    {"tasks show", true, true, "--json"},
	    {"result", true, true, ""},
	    {"result", true, true, "--json"},
	    {"wait", true, true, ""},
	    {"top --json", false, false, ""},
	};
	struct world *w = begin(_i);
	const char *id;
	struct run *r;
	size_t i;

	worker_start(w, NULL);
	world_write(w, "task", task, strlen(task));
	id = ctl_ok(w, "submit --stdin <task");
	/* In a pipe a result is the very bytes. */
	ck_assert_str_eq(ctl_ok(w, "wait %s", id),
			 "{\"args\":[\"" STRANGE "\"],\"kwargs\":{}}");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "wait %s --json", id), STRANGE_JSON));
	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		r = run(w,
			"exec script -qfec 'stty cols 400; flowrractl --config "
			"flowrra.conf %s %s %s' /dev/null </dev/null",
			shown[i].verb, shown[i].has_id ? id : "",
			shown[i].option);
		ck_assert_int_eq(r->status, 0);
		ck_assert_msg(is_clean(r->out), "%s: %s", shown[i].verb,
			      r->out);
		ck_assert_msg(!shown[i].has_text ||
				  strstr(r->out, STRANGE_JSON) != NULL,
			      "%s: %s", shown[i].verb, r->out);
	}
	world_stop(w);
}
END_TEST

SUITE("console")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(events_are_told_as_they_happen);
	TEST_BOTH(nothing_is_missed_once_it_is_said_that_it_follows);
	TEST_BOTH(events_have_the_record_where_that_is_asked_for);
	TEST_BOTH(events_tell_of_tasks_that_are_cancelled_before_they_run);
	TEST_BOTH(events_end_when_nobody_reads_them);
	TEST_BOTH(top_gives_the_terminal_back);
	TEST_BOTH(a_stream_shows_its_progress_on_a_terminal);
	TEST_BOTH(what_a_record_says_does_not_steer_the_terminal);
	TEST_BOTH(words_are_completed_from_verbs_and_servers);
	TEST_BOTH(what_a_shell_would_run_is_not_offered);
	TEST_BOTH(the_shells_complete_with_the_scripts);
	TEST_BOTH(what_tasks_say_does_not_steer_a_terminal);
}
