/* SPDX-License-Identifier: MIT */
/*
 * Which store a program uses, and who may: on a machine with services, users
 * of their group, others, and commands that tasks run; and what an embedded
 * store allows when its disk is full, read-only, locked, or not there.
 *
 * Most of it needs root: each test is a process, which makes a mount namespace
 * of its own and puts directories of the test over /etc and /var/lib.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/machine.h"

#define NAME "flowrra-which-store"
#define SYSTEM_CONFIG "/etc/flowrra/flowrra.conf"
#define SHARED_URL "/etc/flowrra/credentials/broker.url"
#define CREDENTIAL_URL "/etc/credstore/flowrra.broker.url"

static bool
any_database(struct world *w)
{
	return run(w, "find home var -name '*.db' | grep .")->status == 0;
}

/* Puts the broker's URL into a file that `mode` and `group` protect. */
static void
put_url(struct world *w, const char *path, const char *mode, const char *group)
{
	ck_run(run(w,
		   "mkdir -p $(dirname %s) && echo '%s' >url && "
		   "install -m %s -g %s url %s",
		   path, world_url(w), mode, group, path),
	       0, "");
}

/* --- the one place ------------------------------------------------------- */

START_TEST(users_of_the_group_and_services_share_one_url)
{
	struct world *w = machine_start(false);
	struct run *worker;

	if (w == NULL)
		return;
	put_url(w, SHARED_URL, "640", SERVICE);
	ck_run(run(w, "chmod 755 $(find . -type d -name '*redis*') && "
		      "chmod 777 $(find . -type s)"),
	       0, "");
	worker = run_start(w, "STATE_DIRECTORY=$PWD/var/flowrra exec flowrrad "
			      "-o worker.state_dir=$PWD/state "
			      "-o worker.modules=demo");
	WAIT_UNTIL(run(w, "exec flowrractl tasks info echo")->status == 0);
	ck_run(run(w, AS_MEMBER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(w, "exec flowrractl submit echo 2 --wait"), 0,
	       "{\"args\":[2],\"kwargs\":{}}\n");
	ck_assert(!any_database(w));
	kill(worker->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, worker)->status, 0);
	world_stop(w);
}
END_TEST

START_TEST(users_who_may_not_read_the_url_are_told_its_file)
{
	static const char *const verbs[] = {"submit echo 1 --force --queue io",
					    "queues", "result x", "health"};
	struct world *w = machine_start(false);
	size_t i;

	if (w == NULL)
		return;
	put_url(w, SHARED_URL, "640", SERVICE);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		ck_complains(run(w, AS_STRANGER "flowrractl %s", verbs[i]), 77,
			     SHARED_URL);
	ck_assert(!any_database(w));
	/* Who names a store on purpose has it. */
	ck_run(run(w,
		   AS_STRANGER "env FLOWRRA_BROKER_URL=sqlite://$PWD/home/a.db "
			       "flowrractl -q submit echo 1 --force --queue io "
			       ">/dev/null"),
	       0, "");
	world_stop(w);
}
END_TEST

START_TEST(a_credential_that_only_services_get_is_named)
{
	struct world *w = machine_start(false);

	if (w == NULL)
		return;
	put_url(w, CREDENTIAL_URL, "600", "0");
	ck_complains(run(w, "exec flowrractl submit echo 1 --force --queue io"),
		     78, CREDENTIAL_URL);
	ck_complains(run(w, "exec flowrrad"), 78, CREDENTIAL_URL);
	ck_assert(!any_database(w));
	/* A service that has the credential starts, and so does an instance with
	 * another. */
	ck_run(run(w, "mkdir own && cp url own/broker.url && "
		      "CREDENTIALS_DIRECTORY=$PWD/own exec flowrractl queues "
		      ">/dev/null"),
	       0, "");
	world_stop(w);
}
END_TEST

/* The schedules' URL is of no concern to those who only submit. */
START_TEST(a_missing_url_of_schedules_stops_only_schedules)
{
	struct world *w = machine_start(false);

	if (w == NULL)
		return;
	put_url(w, "/etc/credstore/flowrra.scheduler.database_url", "600", "0");
	put_url(w, SHARED_URL, "640", SERVICE);
	ck_run(run(w, "exec flowrractl queues >/dev/null"), 0, "");
	ck_complains(run(w, "exec flowrractl schedule list"), 78,
		     "/etc/credstore/flowrra.scheduler.database_url");
	ck_complains(run(w, "exec flowrra-beat"), 78,
		     "/etc/credstore/flowrra.scheduler.database_url");
	world_stop(w);
}
END_TEST

/* --- the services' embedded store ----------------------------------------- */

START_TEST(users_get_no_second_embedded_store_by_surprise)
{
	struct world *w = machine_start(true);

	if (w == NULL)
		return;
	ck_complains(run(w, AS_STRANGER "flowrractl submit echo 1 --force "
					"--queue io"),
		     77, "/var/lib/flowrra/flowrra.db");
	ck_complains(run(w, AS_MEMBER "flowrractl queues"), 77, SERVICE);
	ck_complains(run(w, AS_STRANGER "flowrrad"), 77,
		     "/var/lib/flowrra/flowrra.db");
	/* By its path, too: its directory keeps others out. */
	ck_complains(run(w, AS_STRANGER
			 "env FLOWRRA_BROKER_URL=sqlite:///var/lib/flowrra/"
			 "flowrra.db flowrractl queues"),
		     77, "/var/lib/flowrra belongs to user " SERVICE);
	ck_assert(!any_database(w));
	/* A configuration of one's own is a choice. */
	ck_run(run(w, "mkdir home/.config && touch home/.config/flowrra.conf"),
	       0, "");
	ck_run(run(w, AS_STRANGER "flowrractl -q submit echo 1 --force --queue "
				  "io >/dev/null"),
	       0, "");
	ck_run(run(w, "cd home/.local/state/flowrra && ls *.db"), 0,
	       "flowrra.db\n");
	world_stop(w);
}
END_TEST

START_TEST(the_services_user_and_root_have_the_services_store)
{
	struct world *w = machine_start(true);

	if (w == NULL)
		return;
	ck_run(run(w, "HOME=/var/lib/flowrra exec setpriv --reuid=" SERVICE
		      " --regid=" SERVICE " --clear-groups flowrractl -q "
		      "submit echo 1 --id one --force --queue io"),
	       0, "one\n");
	ck_run(run(w, "exec flowrractl submit echo 1 --id two --force --queue "
		      "io"),
	       0, "two\n");
	ck_run(run(w, "find home var -name '*.db'"), 0,
	       "var/flowrra/flowrra.db\n");
	world_stop(w);
}
END_TEST

/* --- commands ------------------------------------------------------------ */

/* A world whose worker alone knows its store: from a variable that commands do
 * not get. */
static struct world *
private_world(bool embedded, const char *tasks)
{
	const struct world_options options = {
	    .no_worker = true, .embedded = embedded, .config = tasks};
	struct world *w;

	w = world_start(&options);
	setenv("STATE_DIRECTORY", world_text(w, "%s/own", world_dir(w)), 1);
	run(w, "sed '/^url/d' flowrra.conf >worker.conf");
	setenv("URL", world_url(w), 1);
	run_start(w, "FLOWRRA_BROKER_URL=$URL exec flowrrad -c worker.conf");
	WAIT_UNTIL(ctl(w, "tasks info inner")->status == 0);
	return w;
}

START_TEST(a_command_is_not_led_to_another_store_than_its_workers)
{
	struct world *w =
	    private_world(_i == 1, "[task inner]\ncommand = flowrractl queues\n"
				   "max_retries = 0\n");

	ck_complains(ctl(w, "submit inner --wait"), 1,
		     "does not hand it to commands");
	ck_assert_int_ne(run(w, "ls own")->status, 0);
	world_stop(w);
}
END_TEST

/* Has a command submit what the words say; waits for the command. */
static struct run *
inner(struct world *w, const char *words)
{
	return ctl(w, "submit inner '\"%s\"' --wait", words);
}

START_TEST(a_command_submits_through_its_worker)
{
	struct world *w = private_world(
	    _i == 1, "[task inner]\n"
		     "command = sh -c 'exec flowrractl submit $0' {0}\n"
		     "max_retries = 0\n");
	const struct run *r = inner(w, "echo deep --priority 3");

	/* The result is the id that the command printed, in quotes. */
	ck_assert_msg(r->status == 0, "%s", r->err);
	ck_run(ctl(w, "wait %s --timeout 20", strtok(r->out, "\"\n")), 0,
	       "{\"args\":[\"deep\"],\"kwargs\":{}}\n");
	/* The worker's refusal is the command's. */
	ck_complains(inner(w, "nosuchtask 1 2"), 1,
		     "exit code 65: flowrractl: submit: no module of this "
		     "worker handles \"nosuchtask\"");
	/* An id that is taken, and a key that another task has. */
	ck_run(inner(w, "echo 1 --id taken"), 0, "\"taken\"\n");
	ck_complains(inner(w, "echo 1 --id taken"), 1, "exit code 77");
	ck_run(inner(w, "echo --unique k --id first"), 0, "\"first\"\n");
	ck_run(inner(w, "echo --unique k 2"), 0, "\"first\"\n");
	ck_run(inner(w, "echo --delay 1h --id later"), 0, "\"later\"\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "tasks pending --json"), "\"later\""));
	ck_run(inner(w, "echo --at 2099-01-01T00:00:00Z --id far"), 0,
	       "\"far\"\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "tasks pending --json"), "2099-01-01"));
	world_stop(w);
}
END_TEST

/* A folder can be opened, but not read: no task is lost unnoticed. */
START_TEST(a_command_is_told_that_its_input_cannot_be_read)
{
	struct world *w = private_world(
	    _i == 1, "[task inner]\ncommand = sh unread\nmax_retries = 0\n");
	static const char script[] =
	    "flowrractl submit --stdin </ 2>said; echo $? >>said\n";

	world_write(w, "unread", script, sizeof(script) - 1);
	ctl_ok(w, "submit inner --wait");
	ck_run(run(w, "cat said"), 0,
	       "flowrractl: submit: cannot read standard input: Is a "
	       "directory\n71\n");
	world_stop(w);
}
END_TEST

START_TEST(a_command_submits_many_and_each_is_run_once)
{
	struct world *w = private_world(
	    _i == 1, "[task inner]\ncommand = sh many\nmax_retries = 0\n");
	static const char script[] =
	    "seq 300 | sed 's/.*/{\"name\":\"echo\",\"args\":[&]}/' |\n"
	    "flowrractl submit --stdin >ids\n";

	world_write(w, "many", script, sizeof(script) - 1);
	ctl_ok(w, "submit inner --wait");
	ck_run(run(w, "sort -u ids | grep -c -"), 0, "300\n");
	ck_run(run(w, "xargs flowrractl -c flowrra.conf wait --all --timeout "
		      "60 <ids | cut -f 2 | sort -u | wc -l"),
	       0, "300\n");
	world_stop(w);
}
END_TEST

/* What a command left running, or learned, is of no use after its task. */
START_TEST(a_token_ends_with_its_task)
{
	struct world *w = private_world(
	    _i == 1, "[task inner]\ncommand = printenv FLOWRRA_TASK_SOCKET\n"
		     "max_retries = 0\n");
	const char *address = ctl_ok(w, "submit inner --wait");

	ck_complains(run(w,
			 "FLOWRRA_TASK_SOCKET=%s exec flowrractl submit "
			 "echo 1",
			 address),
		     77, "has ended");
	ck_complains(run(w, "FLOWRRA_TASK_SOCKET=flowrra-none:x exec "
			    "flowrractl submit echo 1"),
		     69, "cannot reach the worker");
	world_stop(w);
}
END_TEST

/* --- a disk that is full, read-only, locked ------------------------------- */

/* Verbs that only ask. */
static const char *const questions[] = {
    "queues",	     "stats",	       "workers",      "tasks dead",
    "tasks pending", "tasks running",  "tasks failed", "tasks completed",
    "result done",   "tasks show done"};
#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void
ask_all(struct world *w, const char *url)
{
	size_t i;

	for (i = 0; i < N_QUESTIONS; i++) {
		const struct run *r =
		    ctl(w, "-o broker.url=%s %s", url, questions[i]);

		ck_assert_msg(r->status == 0, "%s: %d: %s", questions[i],
			      r->status, r->err);
	}
}

static const char *
store_on(struct world *w, const char *dir)
{
	return world_text(w, "sqlite://%s/%s/q.db", world_dir(w), dir);
}

/* A worker on the store, and something of each kind in it. */
static struct run *
store_with_tasks(struct world *w, const char *url)
{
	struct run *worker =
	    run_start(w, "exec flowrrad -c flowrra.conf -o broker.url=%s", url);

	WAIT_UNTIL(ctl(w, "-o broker.url=%s tasks info echo", url)->status ==
		   0);
	ctl_ok(w, "-o broker.url=%s submit echo 1 --id done --wait", url);
	ctl_ok(w, "-o broker.url=%s submit echo 1 --id later --delay 1h", url);
	ctl(w,
	    "-o broker.url=%s submit fail x --id dead --max-retries 0 "
	    "--wait",
	    url);
	return worker;
}

/* Leaves not a byte. */
static void
fill(struct world *w, const char *dir)
{
	run(w,
	    "cat /dev/zero >%s/fill; for i in 1 2 3 4 5 6 7 8 9; do "
	    "head -c 4096 /dev/zero >>%s/fill; done",
	    dir, dir);
}

static struct world *
disk_start(const char *options)
{
	const struct world_options world = {.no_worker = true};
	struct world *w;

	if (!own_mounts())
		return NULL;
	w = world_start(&world);
	ck_run(run(w, "mkdir disk && mount -t tmpfs -o mode=755,%s none disk",
		   options),
	       0, "");
	return w;
}

static void
disk_stop(struct world *w)
{
	run(w, "umount -l view; umount -l disk");
	world_stop(w);
}

START_TEST(a_full_disk_can_be_read_and_emptied)
{
	struct world *w = disk_start("size=4m");
	struct run *worker;
	const char *url;

	if (w == NULL)
		return;
	worker = store_with_tasks(w, url = store_on(w, "disk"));
	fill(w, "disk");
	ck_complains(ctl(w, "-o broker.url=%s submit echo 2", url), 69,
		     "disk is full");
	ask_all(w, url);
	ck_run(ctl(w, "-o broker.url=%s cancel later", url), 0, "");
	ck_run(ctl(w, "-o broker.url=%s tasks delete dead", url), 0,
	       "1 deleted\n");
	fill(w, "disk");
	ck_run(ctl(w, "-o broker.url=%s queue purge io", url), 0, "0\n");
	ask_all(w, url);
	kill(worker->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, worker)->status, 0);
	/* Nobody has it open, and the files beside it are gone. */
	fill(w, "disk");
	ask_all(w, url);
	ck_run(run(w, "rm disk/fill"), 0, "");
	ck_run(ctl(w, "-o broker.url=%s submit echo 3 --id x", url), 0, "x\n");
	disk_stop(w);
}
END_TEST

START_TEST(a_read_only_file_system_can_be_read)
{
	struct world *w = disk_start("size=8m");
	struct run *worker;
	const char *url;

	if (w == NULL)
		return;
	worker = store_with_tasks(w, url = store_on(w, "disk"));
	/* The other way into it is read-only, while the worker writes. */
	ck_run(run(w, "mkdir view && mount --bind disk view && "
		      "mount -o remount,bind,ro view"),
	       0, "");
	ask_all(w, store_on(w, "view"));
	kill(worker->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, worker)->status, 0);
	ck_run(run(w, "mount -o remount,ro disk"), 0, "");
	ask_all(w, url);
	ask_all(w, store_on(w, "view"));
	ck_complains(ctl(w, "-o broker.url=%s submit echo 3", url), 69,
		     "read-only");
	ck_complains(run(w,
			 "exec flowrrad -c flowrra.conf -o broker.url=%s "
			 "-o broker.socket_timeout=300ms & p=$!; "
			 "sleep 1; kill $p; wait $p; exit 69",
			 url),
		     69, "read-only");
	disk_stop(w);
}
END_TEST

START_TEST(a_lock_of_another_process_keeps_nobody_from_reading)
{
	const struct world_options options = {.embedded = true};
	struct world *w = world_start(&options);
	sqlite3 *db;

	ctl_ok(w, "submit echo 1 --id done --wait");
	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/flowrra.db", world_dir(w)), &db),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	ask_all(w, world_url(w));
	ck_complains(ctl(w, "-o broker.socket_timeout=200ms submit echo 2"), 69,
		     "lock");
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	world_stop(w);
}
END_TEST

/* --- a database that is not there ----------------------------------------- */

START_TEST(who_only_asks_makes_no_database_and_is_told_so)
{
	const struct world_options options = {.no_worker = true};
	struct world *w = world_start(&options);
	const char *url = store_on(w, ".");
	size_t i;

	for (i = 0; i < N_QUESTIONS; i++)
		ck_complains(ctl(w, "-o broker.url=%s %s", url, questions[i]),
			     2, "there is no database");
	/* It looks for the task's name first: that, too, only asks. */
	ck_complains(ctl(w, "-o broker.url=%s submit add 2 3", url), 2,
		     "start flowrrad");
	ck_complains(ctl(w, "-o broker.url=%s wait x", url), 2, "no record");
	ck_complains(ctl(w, "-o broker.url=%s queue purge io", url), 2,
		     "there is no database");
	ck_complains(ctl(w, "-o scheduler.database_url=%s schedule list", url),
		     2, "there is no database");
	ck_complains(ctl(w, "-o broker.url=sqlite:///" NAME ".db queues"), 2,
		     "lies in the root directory");
	ck_assert_int_ne(access("/" NAME ".db", F_OK), 0);
	ck_assert_int_ne(run(w, "ls *.db*")->status, 0);
	/* Four slashes are one file with three. */
	ck_run(ctl(w,
		   "-o broker.url=sqlite:///%s/q.db submit echo 1 --id x "
		   "--force --queue io",
		   world_dir(w)),
	       0, "x\n");
	ck_run(ctl(w,
		   "-o broker.url=%s -o backend.url=sqlite:///%s/q.db "
		   "result x --json | grep -c pending",
		   url, world_dir(w)),
	       0, "1\n");
	world_stop(w);
}
END_TEST

SUITE("which-store")
{
	SUITE_TIMEOUT(120);
	TEST(users_of_the_group_and_services_share_one_url);
	TEST(users_who_may_not_read_the_url_are_told_its_file);
	TEST(a_credential_that_only_services_get_is_named);
	TEST(a_missing_url_of_schedules_stops_only_schedules);
	TEST(users_get_no_second_embedded_store_by_surprise);
	TEST(the_services_user_and_root_have_the_services_store);
	TEST_LOOP(a_command_is_not_led_to_another_store_than_its_workers, 0, 2);
	TEST_LOOP(a_command_submits_through_its_worker, 0, 2);
	TEST_LOOP(a_command_is_told_that_its_input_cannot_be_read, 0, 2);
	TEST_LOOP(a_command_submits_many_and_each_is_run_once, 0, 2);
	TEST_LOOP(a_token_ends_with_its_task, 0, 2);
	TEST(a_full_disk_can_be_read_and_emptied);
	TEST(a_read_only_file_system_can_be_read);
	TEST(a_lock_of_another_process_keeps_nobody_from_reading);
	TEST(who_only_asks_makes_no_database_and_is_told_so);
}
