/* SPDX-License-Identifier: MIT */
/*
 * The gateway: users who may not open the store of the services submit through
 * flowrra-web's Unix socket, and have only what is their own.
 */
#include <signal.h>
#include <string.h>

#include "e2e/gateway_scene.h"

#define OWN_SCHEDULES                                                          \
	"flowrractl -o scheduler.database_url=sqlite://$PWD/home/own.db "      \
	"schedule "

/* --- what a user has -------------------------------------------------------- */

static void
submits_and_waits(struct world *w)
{
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
}

static void
sees_its_own(struct world *w)
{
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
	ck_assert_ptr_nonnull(
	    strstr(run(w, AS_STRANGER "flowrractl where")->out, SOCKET));
}

static void
another_user_has_nothing_of_it(struct world *w)
{
	ck_run(run(w, AS_OTHER "flowrractl tasks"), 0, "");
	ck_run(run(w, AS_OTHER "flowrractl tasks completed"), 0, "");
	ck_complains(run(w, AS_OTHER "flowrractl result uid" USER ":mine"), 2,
		     "no record of task");
	ck_complains(run(w, AS_OTHER "flowrractl cancel uid" USER ":later"), 2,
		     "no record of task");
}

START_TEST(a_user_submits_waits_sees_and_cancels_its_own)
{
	struct services *s = services_start(_i == 0, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	submits_and_waits(w);
	sees_its_own(w);
	another_user_has_nothing_of_it(w);
	ck_run(run(w, AS_STRANGER "flowrractl cancel later"), 0, "");
	ck_complains(run(w, AS_STRANGER "flowrractl result later"), 1,
		     "cancelled");
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
	    {"schedule export", 77, "/var/lib/flowrra"},
	    {"schedule show nope", 2, "uid" USER ":nope"},
	    {"schedule history nope", 2, "uid" USER ":nope"},
	    {"schedule history x --no-status", 64, "not possible through"},
	    {"schedule edit nope --rule 2h", 2, "uid" USER ":nope"},
	    {"schedule show ..", 65, "cannot ask flowrra-web"},
	    {"schedule delete a/b", 65, "encoded slash"},
	    {"schedule cron echo '0 25 * * *'", 65, "0 to 23"},
	    {"schedule interval nosuch 1h", 65, "nosuch"},
	    {"schedule interval exec.run 1h", 65, "exec.run"},
	    {"schedule interval echo 1h --args '[1'", 65, "not JSON"},
	    {"schedule interval echo 1h --force", 77, "registered"},
	    {"tasks show --tree a", 64, "not possible through flowrra-web"},
	    {"cancel --all --yes", 64, "not possible through flowrra-web"},
	    {"tasks failed --error x", 64, "not possible through"},
	    {"submit nosuch 1", 65, "unknown task \"nosuch\""},
	    {"submit echo 1 --priority 99999999999", 64, "priority"},
	    {"result ../../queues", 65, "encoded slash"},
	    {"result ''", 65, "cannot ask flowrra-web for \"\""},
	    {"wait .", 65, "cannot ask flowrra-web for \".\""},
	    {"cancel ..", 65, "cannot ask flowrra-web for \"..\""},
	    {"queues ..", 65, "cannot ask flowrra-web for \"..\""},
	    {"logs \"$(printf 'a\\r\\nX-Evil: 1')\"", 65, "control character"},
	    {"result 'é?x#y'", 65, "others than printable ones"},
	    /* It is not cut, which would make another path of it. */
	    {"cancel $(printf %05000d 0)", 65, "longer than 200 characters"}};
	struct services *s = services_start(true, EVERYBODY);
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_complains(
		    run(s->w, AS_STRANGER "flowrractl %s", asked[i].words),
		    asked[i].status, asked[i].says);
	/* A command line is run for who owns the store, not for these. */
	ck_run(run(s->w, AS_STRANGER CURL_STATUS
		   "-H 'Content-Type: application/json' -d "
		   "'{\"name\":\"exec.run\",\"queue\":\"run\"}' "
		   "http://localhost/api/v1/tasks"),
	       0, "409");
	services_stop(s);
}
END_TEST

static void
makes_schedules(struct world *w)
{
	ck_run(run(w, AS_STRANGER "flowrractl schedule list"), 0, "");
	ck_run(run(w, AS_STRANGER "flowrractl schedule interval echo 1 --id "
				  "often --args '[12345678901234567]' "
				  "--max-runs 1"),
	       0, "uid" USER ":often\n");
	ck_run(run(w, AS_STRANGER
		   "flowrractl schedule cron echo '0 9 * * "
		   "MON-FRI' --tz Europe/Berlin --id c "
		   "--timeout 5 --disabled --json | cut -d , -f 1,2"),
	       0, "{\"id\":\"uid" USER ":c\",\"existing\":false\n");
	ck_complains(run(w, AS_STRANGER "flowrractl schedule cron echo '0 9 * "
					"* MON-FRI' --tz Europe/Berlin --id c "
					"--timeout 5 --disabled"),
		     0, "an identical schedule exists");
	ck_run(run(w, AS_STRANGER "flowrractl schedule once echo 'in 1h' --id "
				  "o"),
	       0, "uid" USER ":o\n");
	/* With no ID the same words find it again. */
	ck_run(run(w, "a=$(" AS_STRANGER "flowrractl -q schedule interval "
		      "echo 5h); b=$(" AS_STRANGER "flowrractl -q schedule "
		      "interval echo 5h); test $a = $b && " AS_STRANGER
		      "flowrractl schedule delete $a"),
	       0, "");
}

static void
sees_and_runs_its_schedules(struct world *w)
{
	ck_run(run(w, AS_STRANGER "flowrractl schedule list --order next | "
				  "cut -f 1-3"),
	       0,
	       "uid" USER ":often\techo\tinterval\nuid" USER
	       ":o\techo\tonce\nuid" USER ":c\techo\tcron\n");
	ck_run(run(w, AS_STRANGER "flowrractl schedule show c --json | grep "
				  "-o '\"timeout\":5.0,'"),
	       0, "\"timeout\":5.0,\n");
	ck_run(run(w, AS_OTHER "flowrractl schedule list"), 0, "");
	ck_complains(
	    run(w, AS_OTHER "flowrractl schedule delete uid" USER ":o"), 2,
	    "uid");
	ck_run(run(w, AS_STRANGER "flowrractl schedule edit often "
				  "--description 'à la carte' --priority -3 "
				  "--json | jq -r '.description,.priority'"),
	       0, "à la carte\n-3\n");
	/* What is not given stays: that it is disabled, too. */
	ck_run(run(w, AS_STRANGER "flowrractl schedule edit c --rule '5 9 * * "
				  "*' --timeout 9"),
	       0, "");
	ck_run(run(w,
		   AS_STRANGER "flowrractl schedule show c --json | jq -c "
			       "'[.id,.rule,.tz,.timeout,.enabled,.overlap]'"),
	       0,
	       "[\"uid" USER ":c\",\"5 9 * * *\",\"Europe/Berlin\",9,false,"
	       "\"skip\"]\n");
	ck_complains(run(w, AS_STRANGER "flowrractl schedule edit c --rule "
					"'61 9 * * *'"),
		     65, "61");
	ck_complains(run(w, AS_OTHER "flowrractl schedule edit uid" USER
				     ":c --rule '5 9 * * *'"),
		     2, "uid" OTHER_USER);
	ck_run(run(w, AS_STRANGER "flowrractl schedule enable c o"), 0,
	       "enabled c\nenabled o\n");
	ck_run(run(w, AS_STRANGER "flowrractl schedule run o --wait"), 0,
	       "{\"args\":[],\"kwargs\":{}}\n");
}

static void
its_fires_are_its_own(struct world *w)
{
	struct run *beat = run_start(w, AS_SERVICE "flowrra-beat");

	WAIT_UNTIL(run(w, AS_STRANGER "flowrractl tasks completed | grep -q "
				      "uid" USER ":often:")
		       ->status == 0);
	ck_run(run(w, AS_STRANGER "flowrractl result $(" AS_STRANGER
				  "flowrractl tasks completed | grep often: | "
				  "cut -f 1)"),
	       0, "{\"args\":[12345678901234567],\"kwargs\":{}}\n");
	ck_run(run(w, AS_OTHER "flowrractl tasks completed"), 0, "");
	ck_run(run(w, AS_STRANGER "flowrractl schedule history often --before "
				  "0s --limit 3 | cut -f 3,5"),
	       0, "sent\tsuccess\n");
	ck_run(run(w, AS_STRANGER "flowrractl schedule history often --before "
				  "1h"),
	       0, "");
	ck_complains(
	    run(w, AS_OTHER "flowrractl schedule history uid" USER ":often"), 2,
	    "uid" OTHER_USER ":uid" USER ":often");
	kill(beat->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, beat)->status, 0);
}

START_TEST(a_user_has_schedules_of_its_own)
{
	struct services *s = services_start(_i == 0, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	makes_schedules(w);
	sees_and_runs_its_schedules(w);
	its_fires_are_its_own(w);
	ck_run(run(w, AS_STRANGER "flowrractl schedule delete c often o"), 0,
	       "deleted c\ndeleted often\ndeleted o\n");
	/* The services see whose it was. */
	ck_run(run(w, AS_SERVICE "flowrractl schedule list"), 0, "");
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
	    "sleep 2; echo two\"\\n[task bytes]\\ncommand = printf "
	    "\\047a\\\\0b\\\\n\\\\377c\\\\n\\047\\n[task wide]\\ncommand = sh "
	    "-c \"echo x$(yes é | head -n 100000 | tr -d \\047\\\\n\\047)\"\\n"
	    "output = none");
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
	ck_run(run(w, AS_STRANGER "flowrractl logs a --all --stdout -n 1"), 0,
	       "==> attempt 1\nend\n==> attempt 2\nend\n");
	ck_run(run(w, AS_STRANGER "flowrractl logs a --all --stdout -f | head "
				  "-4"),
	       0, "==> attempt 1\nout hi\nend\n==> attempt 2\n");
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
	/* Bytes that JSON cannot have are replaced, not what is around them. */
	ck_run(run(w, AS_STRANGER "flowrractl -q submit bytes --id d --wait "
				  ">/dev/null"),
	       0, "");
	ck_run(run(w, AS_STRANGER "flowrractl logs d"), 0,
	       "a\uFFFDb\n\uFFFDc\n");
	/* A line in parts, none of which ends within a character. */
	ck_run(run(w, AS_STRANGER "flowrractl -q submit wide --id e --wait "
				  ">/dev/null"),
	       0, "");
	ck_run(run(w, "(" AS_STRANGER "flowrractl logs e) >wide; wc -l <wide; "
		      "tr -d '\\n' <wide | cksum >got; (printf x; yes é | "
		      "head -n 100000 | tr -d '\\n') | cksum | cmp - got"),
	       0, "4\n");
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
	ck_submits(s, AS_MEMBER);
	ck_submits_not(s, AS_STRANGER, 77, "[web] peers");
	/* As the socket is by default. */
	ck_run(run(s->w, "chmod 660 " SOCKET), 0, "");
	ck_submits_not(s, AS_STRANGER, 77, "SocketMode=0666");
	services_stop(s);
}
END_TEST

/* A store that may be known, or not even that, and only its owner may open. */
START_TEST(what_a_user_may_not_read_or_open_leads_to_the_gateway)
{
	struct services *s = services_start(true, EVERYBODY);

	if (s == NULL)
		return;
	ck_run(run(s->w, "printf '[broker]\nurl = "
			 "sqlite:///var/lib/flowrra/flowrra.db\n' >named.conf"),
	       0, "");
	ck_run(run(s->w, AS_STRANGER "flowrractl -c named.conf submit echo 1 "
				     "--at now --wait"),
	       0, "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(s->w, AS_STRANGER
		   "flowrractl -c named.conf where | grep -c ^through"),
	       0, "1\n");
	/* A database of one's own is of no use without the broker. */
	ck_run(run(s->w,
		   AS_STRANGER OWN_SCHEDULES "interval echo 1h --id x --force"),
	       0, "x\n");
	ck_complains(run(s->w, AS_STRANGER OWN_SCHEDULES "run x"), 2,
		     "uid" USER ":x");
	ck_complains(run(s->w, AS_STRANGER OWN_SCHEDULES "history x"), 2,
		     "uid" USER ":x");
	ck_complains(run(s->w, AS_STRANGER OWN_SCHEDULES "interval nosuch 1h"),
		     65, "nosuch");
	ck_complains(
	    run(s->w, AS_STRANGER "flowrractl -c named.conf queue pause io"),
	    77, "does not have this command");
	ck_run(run(s->w, "chgrp " SERVICE " /etc/flowrra/flowrra.conf && chmod "
			 "640 /etc/flowrra/flowrra.conf"),
	       0, "");
	ck_submits(s, AS_STRANGER);
	services_stop(s);
}
END_TEST

/* --- when it is away ------------------------------------------------------------ */

/* Also those from before flowrra-web started again. */
START_TEST(unfinished_tasks_of_a_user_are_limited)
{
	struct services *s = services_start(true, EVERYBODY "\nsubmit_max = 3");
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w, "exec flowrractl queue pause io"), 0, "");
	ck_run(run(w, "for i in 1 2 3; do (" AS_STRANGER
		      "flowrractl submit echo $i --id w$i); done | wc -l"),
	       0, "3\n");
	ck_submits_not(s, AS_STRANGER, 75, "submit_max");
	ck_complains(run(w, "echo '{\"name\":\"echo\"}' | " AS_STRANGER
			    "flowrractl submit --stdin"),
		     75, "submit_max");
	kill(s->web->pid, SIGKILL);
	run_end(w, s->web);
	services_start_web(s);
	ck_submits_not(s, AS_STRANGER, 75, "submit_max");
	ck_run(run(w, AS_STRANGER "flowrractl cancel w2"), 0, "");
	WAIT_UNTIL(
	    run(w, AS_STRANGER "flowrractl submit echo 4 --id w4")->status ==
	    0);
	ck_submits_not(s, AS_STRANGER, 75, "submit_max");
	/* Root has no quota. */
	ck_run(run(w, "exec flowrractl submit echo 5 --id r"), 0, "r\n");
	ck_run(run(w, AS_STRANGER "flowrractl wait --queue io --timeout 0.1"),
	       3, "");
	ck_run(run(w, AS_STRANGER "flowrractl wait --any w1 w4 --timeout 0.1"),
	       3, "");
	ck_run(run(w, "exec flowrractl queue resume io"), 0, "");
	ck_run(run(w, AS_STRANGER "flowrractl wait --any w1 w4 --timeout 20 "
				  "| wc -l"),
	       0, "1\n");
	ck_run(run(w, AS_STRANGER "flowrractl wait --queue io --timeout 20"), 0,
	       "");
	ck_run(run(w, "printf 'w1\\nw4\\n' | " AS_STRANGER
		      "flowrractl wait --stdin | cut -f 2"),
	       0,
	       "{\"args\":[1],\"kwargs\":{}}\n{\"args\":[4],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

START_TEST(a_gateway_that_is_away_says_what_helps)
{
	/* In the place of its socket. */
	static const char *const others[] = {
	    "touch " SOCKET " && chmod 666 " SOCKET, "mkfifo -m 666 " SOCKET,
	    "mkdir -m 777 " SOCKET};
	struct services *s = services_start(true, EVERYBODY);
	size_t i;

	if (s == NULL)
		return;
	kill(s->web->pid, SIGKILL);
	run_end(s->w, s->web);
	ck_submits_not(s, AS_STRANGER, 69,
		       "systemctl start flowrra-web.socket");
	ck_run(run(s->w, "rm " SOCKET), 0, "");
	ck_submits_not(s, AS_STRANGER, 77, "flowrra-web.socket started");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_run(run(s->w, "%s", others[i]), 0, "");
		ck_submits_not(s, AS_STRANGER, 69, "cannot reach flowrra-web");
		ck_run(run(s->w, "rm -r " SOCKET), 0, "");
	}
	ck_run(run(s->w, "ln -s /nowhere " SOCKET), 0, "");
	ck_submits_not(s, AS_STRANGER, 77, "flowrra-web.socket started");
	ck_run(run(s->w, "rm " SOCKET), 0, "");
	services_start_web(s);
	ck_submits(s, AS_STRANGER);
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
		services_start_web(s);
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

SUITE("gateway")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(a_user_submits_waits_sees_and_cancels_its_own, 0, 2);
	TEST(many_tasks_are_submitted_in_the_order_of_their_lines);
	TEST(what_the_gateway_does_not_do_is_told);
	TEST_LOOP(a_user_has_schedules_of_its_own, 0, 2);
	TEST(a_user_reads_what_its_command_has_printed);
	TEST(the_group_of_the_services_submits_by_default_and_others_do_not);
	TEST(what_a_user_may_not_read_or_open_leads_to_the_gateway);
	TEST(a_gateway_that_is_away_says_what_helps);
	TEST(kills_of_the_gateway_lose_and_double_nothing);
	TEST(unfinished_tasks_of_a_user_are_limited);
}
