/* SPDX-License-Identifier: MIT */
/* The dead list: showing, retrying and deleting, on Redis and on SQLite. */
#include <string.h>

#include "e2e/operate_scene.h"

/* A world with three of them: "a" and "b" of task fail, "c" of task flaky. */
static struct world *
with_dead(int broker)
{
	struct world *w = begin(broker);

	worker_start(w, NULL);
	submit(w, "fail 'no luck' --max-retries 0 --id a");
	submit(w, "fail 'disk full' --max-retries 0 --id b");
	submit(w, "flaky 99 --max-retries 0 --id c");
	ck_complains(ctl(w, "wait a b c --timeout 30"), 1, "no luck");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks dead | wc -l"), "3") == 0);
	return w;
}

START_TEST(dead_tasks_are_listed_by_what_they_died_of)
{
	struct world *w = with_dead(_i);

	ck_run(ctl(w, "tasks dead --task fail | wc -l"), 0, "2\n");
	ck_only(w, "tasks dead --error luck", "key", "a");
	ck_only(w, "tasks dead --error luck", "reason", "failed");
	ck_only(w, "tasks dead --task fail --error disk", "task_id", "b");
	ck_run(ctl(w, "tasks dead --reason crashed --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --older-than 1h --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --queue cpu --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --limit 2 | wc -l"), 0, "2\n");
	world_stop(w);
}
END_TEST

START_TEST(dead_tasks_are_retried_with_all_their_attempts)
{
	struct world *w = with_dead(_i);
	struct worker *k = worker_of(w);
	struct run *r;

	r = ctl(w, "tasks retry --task fail --dry-run | sort");
	ck_assert_str_eq(r->out, "a\tfail\tio\nb\tfail\tio\n");
	ck_run(ctl(w, "tasks dead | wc -l"), 0, "3\n");
	worker_stop(k);
	ck_run(ctl(w, "tasks retry c"), 0, "1 retried\n");
	ck_complains(ctl(w, "result c"), 3, "pending");
	ck_only(w, "tasks pending", "retries", "0");
	ck_run(ctl(w, "tasks retry --error full"), 0, "1 retried\n");
	ck_only(w, "tasks dead", "key", "a");
	worker_restart(k);
	ck_complains(ctl(w, "wait b c --timeout 30"), 1, "disk full");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks dead | wc -l"), "3") == 0);
	/* They die again, and are not put back again by the same order. */
	ck_answer(w, "tasks retry --all", "done", "3");
	ck_complains(ctl(w, "wait a b c --timeout 30"), 1, "no luck");
	ck_complains(ctl(w, "tasks retry nope"), 2,
		     "no dead task with ID nope");
	world_stop(w);
}
END_TEST

START_TEST(dead_tasks_are_deleted)
{
	struct world *w = with_dead(_i);

	ck_run(ctl(w, "tasks delete c"), 0, "1 deleted\n");
	ck_complains(ctl(w, "tasks delete c"), 2, "no dead task with ID c");
	ck_complains(ctl(w, "result c"), 1, "task c");
	ck_answer(w, "tasks delete --all --dry-run", "matched", "2");
	ck_run(ctl(w, "tasks delete --all"), 0, "2 deleted\n");
	ck_run(ctl(w, "tasks dead"), 0, "");
	ck_answer(w, "stats", "dead", "0");
	world_stop(w);
}
END_TEST

START_TEST(dead_tasks_are_moved_to_another_queue)
{
	struct world *w = with_dead(_i);
	const char *was = world_text(w, "%s", ctl(w, "result a --json")->out);

	/* --all are those that wait. */
	ck_run(ctl(w, "move --all --to q --yes"), 0, "0 moved\n");
	ck_complains(ctl(w, "move --state dead --queue io --to q --dry-run"), 0,
		     "3 would be moved");
	ck_run(ctl(w, "move --state dead --error luck --to q --yes"), 0,
	       "1 moved\n");
	ck_only(w, "tasks dead --queue q", "key", "a");
	ck_only(w, "tasks dead --queue q", "reason", "failed");
	ck_run(ctl(w, "move --to q c --json"), 0,
	       "{\"task_id\":\"c\",\"outcome\":\"moved\",\"queue\":\"q\"}\n");
	ck_complains(ctl(w, "move --to q c"), 77, "dead list of queue q al");
	ck_complains(ctl(w, "move --to q nope"), 2, "nope");
	ck_run(ctl(w, "move --state dead,waiting --to q --yes"), 0,
	       "1 moved\n");
	ck_run(ctl(w, "tasks dead --queue q | wc -l"), 0, "3\n");
	ck_run(ctl(w, "tasks dead --queue io"), 0, "");
	/* As it was, until it runs again. */
	ck_assert_str_eq(ctl(w, "result a --json")->out, was);
	ck_run(ctl(w, "tasks retry a"), 0, "1 retried\n");
	ck_answer(w, "tasks show a", "queue", "q");
	ck_answer(w, "tasks show a", "record.queue", "q");
	ck_only(w, "tasks pending", "retries", "0");
	world_stop(w);
}
END_TEST

/* A variable of a script that is not set, or holds anything. */
START_TEST(words_that_say_nothing_change_nothing)
{
	struct world *w = with_dead(_i);

	ck_complains(ctl(w, "tasks delete --error ''"), 64,
		     "missing selection");
	ck_complains(ctl(w, "tasks retry \"$(printf '\\377')\""), 2,
		     "no dead task with ID ?");
	ck_run(ctl(w, "cancel \"$(printf '\\377')\" --json | cut -d, -f1-2"), 0,
	       "{\"id\":\"?\",\"code\":65\n");
	ck_run(ctl(w, "tasks dead | wc -l"), 0, "3\n");
	world_stop(w);
}
END_TEST

START_TEST(many_dead_tasks_are_put_back_once_each)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ck_run(run(w, "seq 1200 | sed 's/.*/{\"name\":\"fail\",\"id\":\"t&\","
		      "\"max_retries\":0}/' | flowrractl --config "
		      "flowrra.conf submit --stdin >ids"),
	       0, "");
	WAIT_UNTIL(says(w, "stats", "dead", "1200"));
	worker_stop(worker_of(w));
	ck_run(ctl(w, "tasks retry --all"), 0, "1200 retried\n");
	ck_answer(w, "stats", "waiting", "1200");
	ck_answer(w, "stats", "dead", "0");
	ck_run(ctl(w, "queue purge io"), 0, "1200\n");
	ck_complains(ctl(w, "result t77"), 1, "cancelled");
	world_stop(w);
}
END_TEST

START_TEST(what_cannot_be_read_can_be_shown_and_deleted_but_not_retried)
{
	struct world *w = begin(ON_REDIS);
	const char *key, *shown;

	push(w, "{\"id\": \"bro");
	worker_start(w, NULL);
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	ck_only(w, "tasks dead", "task_id", "null");
	key = json_field(w, only(w, "tasks dead"), "key");
	shown = ctl_ok(w, "tasks show %s --json", key);
	ck_assert_str_eq(json_field(w, shown, "entry.bytes"), "{\"id\": \"bro");
	ck_assert_str_eq(json_field(w, shown, "entry.task"), "null");
	ck_complains(ctl(w, "tasks retry %s", key), 65, "not JSON");
	ck_run(ctl(w, "tasks delete %s", key), 0, "1 deleted\n");
	push_bytes(w, "\xff\xfe", 2);
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	key = json_field(w, only(w, "tasks dead"), "key");
	shown = ctl_ok(w, "tasks show %s --json", key);
	ck_assert_str_eq(json_field(w, shown, "entry.bytes_base64"), "//4=");
	world_stop(w);
}
END_TEST

SUITE("dead")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(dead_tasks_are_listed_by_what_they_died_of);
	TEST_BOTH(dead_tasks_are_retried_with_all_their_attempts);
	TEST_BOTH(dead_tasks_are_deleted);
	TEST_BOTH(dead_tasks_are_moved_to_another_queue);
	TEST_BOTH(words_that_say_nothing_change_nothing);
	TEST_BOTH(many_dead_tasks_are_put_back_once_each);
	TEST(what_cannot_be_read_can_be_shown_and_deleted_but_not_retried);
}
