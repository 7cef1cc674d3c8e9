/* SPDX-License-Identifier: MIT */
/*
 * The gateway: users who may not open the store of the services submit through
 * flowrra-web's Unix socket, and have only what is their own; none of them can keep
 * others out of it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/machine.h"

#define SOCKET "/run/flowrra/web.sock"
#define EVERYBODY "peers = root:operator *:submitter"

struct services {
	struct world *w;
	struct run *worker, *web;
};

static void
web_start(struct services *s)
{
	s->web = run_start(s->w, AS_SERVICE "flowrra-web");
	WAIT_UNTIL(run(s->w, "curl -sf --unix-socket " SOCKET
			     " http://localhost/healthz")
		       ->status == 0);
	/* As the unit of the socket may have it. */
	ck_run(run(s->w, "chmod 666 " SOCKET), 0, "");
}

/* The services of a machine, with these lines in [web]. NULL where there cannot be
 * one. */
static struct services *
services_start(bool embedded, const char *lines)
{
	static struct services s;

	if ((s.w = machine_start(embedded)) == NULL)
		return NULL;
	unsetenv("FLOWRRA_WORKER_MODULES");
	ck_run(run(s.w,
		   "echo flowrra:x:" SERVICE ": >>/etc/group && "
		   "printf '[worker]\\nmodules = demo\\n[web]\\nlisten = "
		   "unix:" SOCKET "\\n%s\\n' >/etc/flowrra/flowrra.conf",
		   lines),
	       0, "");
	if (!embedded)
		ck_run(run(s.w,
			   "echo '%s' >url && install -m 640 -g " SERVICE
			   " url /etc/flowrra/credentials/broker.url && chmod "
			   "755 $(find . -type d -name '*redis*') && chmod 777 "
			   "$(find . -type s)",
			   world_url(s.w)),
		       0, "");
	s.worker = run_start(s.w, AS_SERVICE "flowrrad");
	web_start(&s);
	WAIT_UNTIL(run(s.w, AS_SERVICE "flowrractl tasks info echo")->status ==
		   0);
	return &s;
}

static void
services_stop(struct services *s)
{
	kill(s->web->pid, SIGTERM);
	kill(s->worker->pid, SIGTERM);
	ck_assert_int_eq(run_end(s->w, s->web)->status, 0);
	ck_assert_int_eq(run_end(s->w, s->worker)->status, 0);
	world_stop(s->w);
}

/* --- what a user has -------------------------------------------------------- */

START_TEST(a_user_submits_waits_sees_and_cancels_its_own)
{
	struct services *s = services_start(_i == 0, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w, AS_STRANGER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(w, AS_STRANGER "flowrractl submit add 2 3 --id mine"), 0,
	       "uid" USER ":mine\n");
	ck_run(run(w, AS_STRANGER "flowrractl wait mine uid" USER ":mine"), 0,
	       "mine\t5\nuid" USER ":mine\t5\n");
	ck_run(run(w, AS_STRANGER "flowrractl result mine"), 0, "5\n");
	ck_run(run(w, AS_STRANGER "flowrractl submit fail oh --max-retries 0 "
				  "--wait"),
	       1, "");
	ck_run(run(w, AS_STRANGER "flowrractl submit echo x --delay 1h --id "
				  "later"),
	       0, "uid" USER ":later\n");
	ck_run(run(w, AS_STRANGER "flowrractl result later"), 3, "");
	ck_run(run(w, AS_STRANGER "flowrractl wait later --timeout 0"), 3, "");
	ck_run(run(w, AS_STRANGER "flowrractl tasks | cut -f 1-4"), 0,
	       "uid" USER ":later\techo\tio\tdelayed\n");
	ck_run(run(w, AS_STRANGER "flowrractl tasks failed | cut -f 2"), 0,
	       "fail\n");
	ck_run(run(w, AS_STRANGER "flowrractl tasks show mine | head -1"), 0,
	       "task_id          uid" USER ":mine\n");
	ck_run(run(w, AS_STRANGER "flowrractl queues | cut -f 1,3"), 0,
	       "cpu\t0\nio\t1\n");
	WAIT_UNTIL(run(w, AS_STRANGER "flowrractl health --json | grep -q "
				      "'\"component\":\"workers\",\"healthy\":"
				      "true'")
		       ->status == 0);
	/* Another user has nothing of it. */
	ck_run(run(w, AS_OTHER "flowrractl tasks"), 0, "");
	ck_run(run(w, AS_OTHER "flowrractl tasks completed"), 0, "");
	ck_complains(run(w, AS_OTHER "flowrractl result uid" USER ":mine"), 2,
		     "no record of task");
	ck_complains(run(w, AS_OTHER "flowrractl cancel uid" USER ":later"), 2,
		     "no record of task");
	ck_run(run(w, AS_STRANGER "flowrractl cancel later"), 0, "");
	ck_complains(run(w, AS_STRANGER "flowrractl result later"), 1,
		     "cancelled");
	ck_assert_ptr_nonnull(
	    strstr(run(w, AS_STRANGER "flowrractl where")->out, SOCKET));
	ck_run(run(w, "find home -name '*.db'"), 0, "");
	services_stop(s);
}
END_TEST

START_TEST(many_tasks_are_submitted_in_the_order_of_their_lines)
{
	struct services *s = services_start(true, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w,
		   "for i in $(seq 600); do echo \"{\\\"name\\\":\\\"echo\\\","
		   "\\\"args\\\":[$i]}\"; done >lines && "
		   "sed -i -e '300s/.*/bad/' -e "
		   "'500s/echo/nosuch/' lines"),
	       0, "");
	ck_run(run(w, AS_STRANGER "flowrractl -q submit --stdin --wait <lines "
				  ">out"),
	       65, "");
	ck_run(run(w, "wc -l <out; sed -n '300p;500p' out; sed -n 299p out | "
		      "cut -f 2; sed -n 600p out | cut -f 2"),
	       0,
	       "600\n\n\n{\"args\":[299],\"kwargs\":{}}\n"
	       "{\"args\":[600],\"kwargs\":{}}\n");
	ck_complains(run(w, AS_STRANGER "flowrractl submit --stdin <lines "
					">ids"),
		     65, "line 300: not JSON");
	ck_run(run(w, "grep -c '^uid" USER ":' ids"), 0, "598\n");
	services_stop(s);
}
END_TEST

START_TEST(what_the_gateway_does_not_do_is_told)
{
	static const struct {
		const char *words;
		int status;
		const char *says;
	} asked[] = {
	    {"queue purge io", 77, "does not have this command"},
	    {"tasks retry x", 77, "does not have this command"},
	    {"schedule list", 77, "/var/lib/flowrra"},
	    {"wait --any a b", 64, "not possible through flowrra-web"},
	    {"cancel --all --yes", 64, "not possible through flowrra-web"},
	    {"tasks failed --error x", 64, "not possible through"},
	    {"submit nosuch 1", 65, "unknown task \"nosuch\""},
	    {"submit echo 1 --priority 99999999999", 64, "priority"},
	    {"result ../../queues", 65, "encoded slash"}};
	struct services *s = services_start(true, EVERYBODY);
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_complains(
		    run(s->w, AS_STRANGER "flowrractl %s", asked[i].words),
		    asked[i].status, asked[i].says);
	/* A command line is run for who owns the store, not for these. */
	ck_run(
	    run(s->w, AS_STRANGER
		"curl -s -o /dev/null -w '%%{http_code}' --unix-socket " SOCKET
		" -H 'Content-Type: application/json' -d "
		"'{\"name\":\"exec.run\",\"queue\":\"run\"}' "
		"http://localhost/api/v1/tasks"),
	    0, "409");
	services_stop(s);
}
END_TEST

/* What a command prints is its worker's file, and for its user alone. */
START_TEST(a_user_reads_what_its_command_has_printed)
{
	struct services *s = services_start(
	    true, EVERYBODY
	    "\\n[exec]\\noutput_max = 1m\\n[task speak]\\ncommand = sh -c "
	    "\"echo out $1; echo err >&2; printf end; exit 3\" sh {0}\\n"
	    "max_retries = 1\\nretry_delay = 0\\n[task flood]\\ncommand = seq "
	    "200000\\noutput = none\\n[task slow]\\ncommand = sh -c \"echo "
	    "one; "
	    "sleep 2; echo two\"");
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(
	    run(w, AS_STRANGER "flowrractl -q submit speak hi --id a --wait"),
	    1, "");
	/* Two pipes have no order between them. */
	ck_run(run(w, AS_STRANGER "flowrractl logs a --stdout"), 0,
	       "out hi\nend\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs a --stderr"), 0, "err\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs a --all --stdout -n 3"), 0,
	       "end\nout hi\nend\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs a --attempt 1 | wc -l"), 0,
	       "3\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs a -f --stdout | tail -1"), 0,
	       "end\n");
	/* More than an answer has, and more than is kept. */
	ck_run(run(w, AS_STRANGER "flowrractl -q submit flood --id b --wait "
				  ">/dev/null"),
	       0, "");
	ck_run(run(w, "(" AS_STRANGER "flowrractl logs b) >logs; head -1 logs; "
		      "tail -1 logs; grep -c 'bytes left out' logs"),
	       0, "1\n200000\n1\n");
	ck_run(run(w, AS_STRANGER "flowrractl -q submit slow --id c"), 0,
	       "uid" USER ":c\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs c -f"), 0, "one\ntwo\n");
	/* Nobody else. */
	ck_complains(run(w, AS_OTHER "flowrractl logs uid" USER ":a"), 2,
		     "uid" OTHER_USER ":uid" USER ":a");
	services_stop(s);
}
END_TEST

/* --- who may ------------------------------------------------------------------ */

START_TEST(the_group_of_the_services_submits_by_default_and_others_do_not)
{
	struct services *s = services_start(true, "");

	if (s == NULL)
		return;
	ck_run(run(s->w, AS_MEMBER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	ck_complains(run(s->w, AS_STRANGER "flowrractl submit echo 1"), 77,
		     "[web] peers");
	/* As the socket is by default. */
	ck_run(run(s->w, "chmod 660 " SOCKET), 0, "");
	ck_complains(run(s->w, AS_STRANGER "flowrractl submit echo 1"), 77,
		     "SocketMode=0666");
	services_stop(s);
}
END_TEST

/* A configuration that its user cannot read is no reason to stop. */
START_TEST(an_unreadable_configuration_leads_to_the_gateway)
{
	struct services *s = services_start(true, EVERYBODY);

	if (s == NULL)
		return;
	ck_run(run(s->w, "chgrp " SERVICE " /etc/flowrra/flowrra.conf && chmod "
			 "640 /etc/flowrra/flowrra.conf"),
	       0, "");
	ck_run(run(s->w, AS_STRANGER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

/* All may read where the store is, and only its owner may open it. */
START_TEST(a_store_of_others_leads_to_the_gateway)
{
	struct services *s = services_start(true, EVERYBODY);

	if (s == NULL)
		return;
	ck_run(run(s->w,
		   "echo 'broker.url = sqlite:///var/lib/flowrra/flowrra.db"
		   "' | sed 's/broker./[broker]\\n/' >named.conf"),
	       0, "");
	ck_run(run(s->w, AS_STRANGER "flowrractl -c named.conf submit echo 1 "
				     "--at now --wait"),
	       0, "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(s->w, AS_STRANGER
		   "flowrractl -c named.conf where | grep -c ^through"),
	       0, "1\n");
	ck_complains(
	    run(s->w, AS_STRANGER "flowrractl -c named.conf queue pause io"),
	    77, "does not have this command");
	services_stop(s);
}
END_TEST

/* --- when it is away ------------------------------------------------------------ */

START_TEST(a_gateway_that_is_away_says_what_helps)
{
	struct services *s = services_start(true, EVERYBODY);

	if (s == NULL)
		return;
	kill(s->web->pid, SIGKILL);
	run_end(s->w, s->web);
	ck_complains(run(s->w, AS_STRANGER "flowrractl submit echo 1"), 69,
		     "systemctl start flowrra-web.socket");
	ck_run(run(s->w, "rm " SOCKET), 0, "");
	ck_complains(run(s->w, AS_STRANGER "flowrractl submit echo 1"), 77,
		     "flowrra-web.socket started");
	/* A file in its place. */
	ck_run(run(s->w, "touch " SOCKET " && chmod 666 " SOCKET), 0, "");
	ck_complains(run(s->w, AS_STRANGER "flowrractl submit echo 1"), 69,
		     "cannot reach flowrra-web");
	ck_run(run(s->w, "rm " SOCKET), 0, "");
	web_start(s);
	ck_run(run(s->w, AS_STRANGER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

/* What was said to be queued is, and once; of the rest nothing is said. */
START_TEST(kills_of_the_gateway_lose_and_double_nothing)
{
	struct services *s = services_start(true, EVERYBODY);
	struct run *client;
	int i;

	if (s == NULL)
		return;
	client = run_start(
	    s->w, "for i in $(seq 100); do (" AS_STRANGER
		  "flowrractl -q submit echo $i) >>ids; done; touch over");
	for (i = 0; run(s->w, "test -e over")->status != 0; i++) {
		kill(s->web->pid, SIGKILL);
		run_end(s->w, s->web);
		run(s->w, "rm -f " SOCKET);
		web_start(s);
	}
	ck_assert_int_gt(i, 0);
	ck_assert_int_eq(run_end(s->w, client)->status, 0);
	ck_run(run(s->w, "test $(sort ids | uniq -d | wc -l) = 0"), 0, "");
	ck_run(run(s->w, "for id in $(cat ids); do (" AS_STRANGER
			 "flowrractl wait $id --timeout 60 >/dev/null) || echo "
			 "$id; done"),
	       0, "");
	services_stop(s);
}
END_TEST

/* --- hostile users --------------------------------------------------------------- */

/* A process of another user that has so many connections, each with a part of a
 * request; -1 tells by the pipe that they are there. */
static pid_t
flood(uid_t uid, int n, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX,
				      .sun_path = SOCKET};
	static const char part[] = "POST /api/v1/tasks HTTP/1.1\r\nHost: l";
	int said[2], i, fd;
	pid_t pid;

	ck_assert_int_eq(pipe(said), 0);
	if ((pid = fork()) != 0) {
		close(said[1]);
		*ret_fd = said[0];
		return pid;
	}
	if (setgid(uid) != 0 || setuid(uid) != 0)
		_exit(1);
	for (i = 0; i < n; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)&address,
				      sizeof(address)) != 0)
			break;
		/* One that is closed on us says so; that is no reason to end. */
		send(fd, part, sizeof(part) - 1, MSG_NOSIGNAL);
	}
	if (write(said[1], "x", 1) == 1)
		pause();
	_exit(0);
}

START_TEST(one_user_s_connections_keep_no_other_out)
{
	struct services *s = services_start(true, EVERYBODY);
	int fd, status;
	pid_t pid;
	char c;

	if (s == NULL)
		return;
	pid = flood((uid_t)atoi(USER), 900, &fd);
	ck_assert_int_eq(read(fd, &c, 1), 1);
	ck_run(run(s->w, AS_OTHER "flowrractl submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_run(run(s->w, AS_STRANGER "flowrractl submit echo 2 --wait"), 0,
	       "{\"args\":[2],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

START_TEST(one_user_s_waits_leave_threads_to_others)
{
	struct services *s = services_start(true, EVERYBODY);
	struct run *waits[24];
	size_t i;

	if (s == NULL)
		return;
	ck_run(run(s->w, AS_STRANGER "flowrractl submit echo --delay 1h --id "
				     "later"),
	       0, "uid" USER ":later\n");
	for (i = 0; i < 24; i++)
		waits[i] = run_start(s->w, AS_STRANGER "flowrractl wait later");
	for (i = 0; i < 5; i++)
		ck_run(run(s->w, AS_OTHER "flowrractl submit echo 1 --wait"), 0,
		       "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(s->w, AS_STRANGER "flowrractl cancel later"), 0, "");
	for (i = 0; i < 24; i++)
		ck_assert_int_eq(run_end(s->w, waits[i])->status, 1);
	services_stop(s);
}
END_TEST

START_TEST(more_than_the_rate_is_put_off_or_refused)
{
	struct services *s =
	    services_start(true, EVERYBODY "\\nsubmit_rate = 20");
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w, "yes '{\"name\":\"echo\"}' | head -250 >lines"), 0, "");
	/* At once they would be refused, by batches they take some seconds. */
	ck_run(
	    run(w, AS_STRANGER
		"curl -s -o /dev/null -w '%%{http_code}' --unix-socket " SOCKET
		" -H 'Content-Type: application/x-ndjson' --data-binary "
		"@lines http://localhost/api/v1/tasks/batch"),
	    0, "413");
	ck_run(run(w, "head -200 lines | (" AS_STRANGER
		      "flowrractl submit --stdin) | grep -c uid"),
	       0, "200\n");
	ck_run(run(w, "head -40 lines | (" AS_STRANGER
		      "flowrractl submit --stdin) | grep -c uid"),
	       0, "40\n");
	/* It is of each user. */
	ck_run(run(w, "head -200 lines | (" AS_OTHER
		      "flowrractl submit --stdin) | grep -c uid"),
	       0, "200\n");
	services_stop(s);
}
END_TEST

SUITE("gateway")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(a_user_submits_waits_sees_and_cancels_its_own, 0, 2);
	TEST(many_tasks_are_submitted_in_the_order_of_their_lines);
	TEST(what_the_gateway_does_not_do_is_told);
	TEST(a_user_reads_what_its_command_has_printed);
	TEST(the_group_of_the_services_submits_by_default_and_others_do_not);
	TEST(an_unreadable_configuration_leads_to_the_gateway);
	TEST(a_store_of_others_leads_to_the_gateway);
	TEST(a_gateway_that_is_away_says_what_helps);
	TEST(kills_of_the_gateway_lose_and_double_nothing);
	TEST(one_user_s_connections_keep_no_other_out);
	TEST(one_user_s_waits_leave_threads_to_others);
	TEST(more_than_the_rate_is_put_off_or_refused);
}
