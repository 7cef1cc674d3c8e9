/* SPDX-License-Identifier: MIT */
/*
 * Root among the files of others: what a service's user can make root do. The
 * user is 65534, whom every system has; only root can play both.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/worker.h"

#define AS_SERVICE "exec setpriv --reuid=65534 --regid=65534 --clear-groups "

static const char *url;

/* A directory of the service's, in which its database will lie. */
static struct world *
service_start(void)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);

	ck_run(run(w, "chmod 755 . && mkdir -m 700 service && chown "
		      "65534:65534 service"),
	       0, "");
	url = world_text(w, "sqlite://%s/service/q.db", world_dir(w));
	return w;
}

static struct worker *
service_worker(struct world *w)
{
	struct worker *worker =
	    worker_spawn(w, world_text(w,
				       AS_SERVICE "flowrrad -c flowrra.conf -o "
						  "broker.url=%s -o "
						  "worker.state_dir=%s/service",
				       url, world_dir(w)));

	/* It may not write to the socket that is told. */
	WAIT_UNTIL(worker_logged(worker, "is ready"));
	return worker;
}

/* All that lies in the directory is the service's: it could not open the rest,
 * its database's log among it. */
static void
nothing_is_roots(struct world *w)
{
	ck_run(run(w, "find service ! -uid 65534 -o ! -gid 65534"), 0, "");
}

START_TEST(a_check_tells_what_the_services_user_may_not_make)
{
	struct world *w = service_start();

	ck_complains(run(w,
			 AS_SERVICE "flowrrad --check=quiet -c flowrra.conf "
				    "-o broker.url=%s -o worker.state_dir=%s/x",
			 url, world_dir(w)),
		     78, "run it as that user, or set [worker] state_dir");
	world_stop(w);
}
END_TEST

START_TEST(roots_commands_leave_nothing_that_is_roots)
{
	struct world *w = service_start();
	struct worker *worker = service_worker(w);

	/* From now on only root can read it, and what comes as input. */
	run(w, "chmod 600 flowrra.conf; "
	       "echo '{\"name\":\"add\",\"args\":[4,5]}' >tasks; "
	       "chmod 600 tasks");
	ck_assert_str_eq(
	    ctl_ok(w, "-o broker.url=%s submit add 2 3 --wait", url), "5");
	ck_run(run(w,
		   "flowrractl -c flowrra.conf -o broker.url=%s submit --stdin "
		   "<tasks >id && xargs flowrractl -c flowrra.conf -o "
		   "broker.url=%s wait <id",
		   url, url),
	       0, "9\n");
	nothing_is_roots(w);
	ctl_ok(
	    w,
	    "-o broker.url=%s -o scheduler.database_url=%s schedule interval "
	    "add 1h --args [1,2]",
	    url, url);
	/* It is not healthy, without a scheduler. */
	ck_assert_ptr_nonnull(strstr(
	    ctl(w, "-o broker.url=%s -o scheduler.database_url=%s health", url,
		url)
		->out,
	    "1 schedules"));
	ctl(w, "-o broker.url=%s -o scheduler.database_url=%s doctor", url,
	    url);
	nothing_is_roots(w);
	/* The files beside it, which the last of its users takes away. */
	worker_stop(worker);
	ctl_ok(w, "-o broker.url=%s submit add 6 7 --id later", url);
	nothing_is_roots(w);
	run(w, "chmod 644 flowrra.conf");
	service_worker(w);
	ck_assert_str_eq(ctl_ok(w, "-o broker.url=%s wait later", url), "13");
	world_stop(w);
}
END_TEST

/* What is there, of root's: links and files whose names the service chose. */
START_TEST(no_database_is_reached_over_a_way_of_others)
{
	struct world *w = service_start();
	const char *own = world_text(w, "sqlite://%s/own/q.db", world_dir(w));

	ck_run(run(w, "mkdir -m 700 own"), 0, "");
	ctl_ok(w, "-o broker.url=%s submit x --force --queue io --id x", own);
	ck_run(run(w, "ln -s ../own/q.db service/q.db"), 0, "");
	ck_complains(ctl(w, "-o broker.url=%s queues", url), 77,
		     "belongs to user 65534");
	/* As a file of root's that was moved there, or linked. */
	ck_run(run(w, "rm service/q.db && cp own/q.db service/q.db"), 0, "");
	ck_complains(ctl(w, "-o broker.url=%s queues", url), 77,
		     "belongs to user 65534");
	/* Where everybody may put the files that go with it. */
	ck_run(run(w, "chmod 1777 own"), 0, "");
	ck_complains(ctl(w, "-o broker.url=%s queues", own), 77,
		     "is writable by every user; move it");
	ck_run(run(w, "chmod 700 own"), 0, "");
	ctl_ok(w, "-o broker.url=%s queues", own);
	world_stop(w);
}
END_TEST

/* The spool of a worker that is gone would be read, and removed. */
START_TEST(roots_worker_writes_to_no_directory_of_others)
{
	struct world *w = service_start();

	ck_run(run(w, "ln -s $PWD/flowrra.conf service/worker-test:1.spool && "
		      "chown -h 65534 service/worker-test:1.spool"),
	       0, "");
	ck_complains(run(w, "flowrrad -c flowrra.conf -o "
			    "worker.state_dir=service"),
		     77, "belongs to user 65534");
	ck_run(run(w, "ls service"), 0, "worker-test:1.spool\n");
	world_stop(w);
}
END_TEST

/* They do not become somebody else: they say how to. */
START_TEST(roots_daemons_refuse_a_database_of_others)
{
	static const char *const daemons[] = {
	    "flowrrad -c flowrra.conf -o broker.url",
	    "flowrra-beat -c flowrra.conf -o scheduler.database_url"};
	struct world *w = service_start();
	struct run *daemon;
	size_t i;

	worker_stop(service_worker(w));
	for (i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++) {
		daemon = run_start(w, "exec %s=%s >log 2>&1", daemons[i], url);
		WAIT_UNTIL(strstr(world_read(w, "log"),
				  "runuser -u nobody -- COMMAND") != NULL);
		kill(daemon->pid, SIGKILL);
		run_end(w, daemon);
		nothing_is_roots(w);
	}
	world_stop(w);
}
END_TEST

/* --- secrets --------------------------------------------------------------- */

/* Before it has started there is no environment, or that of the shell, which has
 * no URL yet; then it has one until the program has read it. */
static bool
hides_urls(struct world *w, pid_t pid)
{
	const char *shown = run(w,
				"cat /proc/%d/comm; tr '\\0' '\\n' "
				"</proc/%d/environ",
				(int)pid, (int)pid)
				->out;

	return strncmp(shown, "flowrra", 7) == 0 &&
	       strstr(shown, "PATH=") != NULL && strstr(shown, "q.db") == NULL;
}

/* What a handler could look at, which runs as the same user. */
static void
nobody_sees(struct world *w, pid_t pid)
{
	WAIT_UNTIL(hides_urls(w, pid));
	ck_complains(run(w, AS_SERVICE "cat /proc/%d/environ", (int)pid), 1,
		     "Permission denied");
	ck_complains(run(w, AS_SERVICE "ls /proc/%d/fd", (int)pid), 2,
		     "Permission denied");
	ck_complains(run(w,
			 AS_SERVICE "dd bs=1 count=1 if=/proc/%d/mem "
				    "of=/dev/null",
			 (int)pid),
		     1, "Permission denied");
}

START_TEST(no_process_of_the_same_user_sees_a_url)
{
	struct world *w = service_start();
	struct worker *worker;
	struct run *other;
	pid_t executor;
	size_t i;
	static const char *const others[] = {
	    "flowrractl -c flowrra.conf -o broker.socket_timeout=60 events",
	    "flowrra-beat -c flowrra.conf"};

	ck_run(run(w, "sed -i /^url/d flowrra.conf"), 0, "");
	worker = worker_spawn(
	    w,
	    world_text(w,
		       "ulimit -c unlimited; FLOWRRA_BROKER_URL=%s " AS_SERVICE
		       "flowrrad -c flowrra.conf "
		       "-o worker.state_dir=%s/service",
		       url, world_dir(w)));
	WAIT_UNTIL(worker_logged(worker, "is ready"));
	nobody_sees(w, worker_pid(worker));
	/* It still knows the URL, and so does what it reads again. */
	worker_signal(worker, SIGHUP);
	WAIT_UNTIL(worker_logged(worker, "reloaded"));
	ck_assert(!worker_logged(worker, "need a restart"));
	ck_assert_str_eq(
	    ctl_ok(w, "-o broker.url=%s submit add 2 3 --wait", url), "5");
	/* Executors are never told; of them, a core file may be wanted. */
	executor = worker_executor(worker);
	ck_run(
	    run(w, AS_SERVICE "grep -c q.db /proc/%d/environ", (int)executor),
	    1, "0\n");
	/* A sanitizer forbids core files by itself. */
	if (!SANITIZED)
		ck_assert_ptr_nonnull(strstr(
		    run(w, "grep core /proc/%d/limits", (int)executor)->out,
		    "unlimited            unlimited"));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = run_start(
		    w,
		    "FLOWRRA_BROKER_URL=%s "
		    "FLOWRRA_SCHEDULER_DATABASE_URL=%s " AS_SERVICE "%s",
		    url, url, others[i]);
		nobody_sees(w, other->pid);
		kill(other->pid, SIGKILL);
		run_end(w, other);
	}
	world_stop(w);
}
END_TEST

SUITE("root")
{
	SUITE_TIMEOUT(120);
	if (geteuid() != 0)
		return;
	TEST(a_check_tells_what_the_services_user_may_not_make);
	TEST(roots_commands_leave_nothing_that_is_roots);
	TEST(no_database_is_reached_over_a_way_of_others);
	TEST(roots_worker_writes_to_no_directory_of_others);
	TEST(roots_daemons_refuse_a_database_of_others);
	TEST(no_process_of_the_same_user_sees_a_url);
}
