/* SPDX-License-Identifier: MIT */
/*
 * flowrractl run, from nothing: what the command gets, how it ends, what is seen of
 * it, and the worker that comes when it is needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/run_scene.h"

/* --- what it gets ------------------------------------------------------------- */

START_TEST(a_command_runs_with_what_is_here_and_nothing_set_up)
{
	struct world *w = own_world();

	ck_run(own(w, "run -- sh -c 'pwd; echo \"$A,$B,$TERM\"; umask'"), 0,
	       "1\n");
	ck_run(run(w,
		   "mkdir sub; cd sub; umask 027; A='x y' TERM=xterm " OWN
		   "XDG_STATE_HOME=$PWD/../own flowrractl run -e B=5 -- sh -c "
		   "'pwd; echo \"$A,$B,$TERM\"; umask'"),
	       0, "2\n");
	ck_run(own(w, "logs -f"), 0,
	       world_text(w, "%s/sub\nx y,5,\n0027\n", world_dir(w)));
	ck_run(own(w, "logs 1"), 0,
	       world_text(w, "%s\n,,\n0022\n", world_dir(w)));
	/* No shell reads the words, and their bytes stay. */
	ck_run(run(w,
		   OWN "flowrractl run --wait -- printf '<%%s>' '$HOME' '*' '' "
		       "\"$(printf 'a\\377b\\nc')\" '{0}' -- -x"),
	       0, "<$HOME><*><><a\377b\nc><{0}><--><-x>");
	ck_run(own(w, "run --wait --shell 'echo a | tr a b'"), 0, "b\n");
	ck_run(run(w, "echo hello | " OWN "flowrractl run --wait --stdin cat"),
	       0, "hello\n");
	ck_run(run(w, "echo file >in; " OWN
		      "flowrractl run --wait --stdin-file in cat"),
	       0, "file\n");
	ck_run(run(w, "echo lost | " OWN "flowrractl run --wait cat"), 0, "");
	ck_run(own(w, "run --wait -C / pwd"), 0, "/\n");
	/* A variable of any bytes, and one that a session has. */
	ck_run(run(w,
		   "A=$(printf 'x\\377y') DISPLAY=:7 " OWN
		   "flowrractl run --wait -- sh -c 'printf \"$A,$DISPLAY\"'"),
	       0, "x\377y,");
	ck_run(run(w, "DISPLAY=:7 " OWN "flowrractl run --wait -e DISPLAY -e "
		      "NOT_SET -- sh -c 'echo \"$DISPLAY,${NOT_SET-no}\"'"),
	       0, ":7,no\n");
	/* With all descriptors closed. */
	ck_run(run(w, OWN "flowrractl run -- touch closed <&- >&- 2>&-; "
			  "while ! test -e closed; do sleep 0.01; done"),
	       0, "");
	own_stop(w);
}
END_TEST

START_TEST(what_cannot_be_run_is_said_before_it_is_queued)
{
	static const struct {
		const char *words;
		int status;
		const char *part;
	} wrong[] = {
	    {"run", 64, "missing command"},
	    {"run --wait", 125, "missing command"},
	    {"run --shell ls ls", 64, "cannot use --shell with a COMMAND"},
	    {"run -C /nowhere/at/all ls", 65, "directory /nowhere/at/all"},
	    {"run --wait -C /nowhere ls", 125, "directory /nowhere"},
	    {"run --stdin-file /nowhere ls", 65, "--stdin-file /nowhere"},
	    {"run --stdin --stdin-file /dev/null ls", 64, "cannot use --stdin"},
	    {"run --delay 1 --at 'in 1h' ls", 64, "cannot use --delay with"},
	    {"run --queue other ls", 65, "does not serve the queue other"},
	    {"run --nonsense ls", 64, "--nonsense"},
	    {"run -o broker.url=redis://localhost:1 ls", 78,
	     "from an embedded database only"},
	    {"run --stdin cat </dev/zero", 65, "--stdin-file"},
	    {"run --stdin cat <$PWD/nul", 65, "NUL bytes"},
	    {"run true \"$(yes | head -c 120000)\" \"$(yes | head -c 120000)\" "
	     "\"$(yes | head -c 120000)\" \"$(yes | head -c 120000)\" \"$(yes "
	     "| "
	     "head -c 120000)\" \"$(yes | head -c 120000)\" \"$(yes | head -c "
	     "120000)\" \"$(yes | head -c 120000)\" \"$(yes | head -c "
	     "120000)\"",
	     65, "max_task_size"},
	};
	struct world *w = own_world();
	size_t i;

	world_write(w, "nul", "a\0b", 3);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_complains(own(w, "%s", wrong[i].words), wrong[i].status,
			     wrong[i].part);
	ck_run(own(w, "tasks pending"), 0, "");
	ck_assert_int_eq(own_worker(w), 0);
	own_stop(w);
}
END_TEST

/* --- how it ends --------------------------------------------------------------- */

START_TEST(a_command_that_is_waited_for_gives_its_exit_code)
{
	static const struct {
		const char *words;
		int status;
		const char *out, *err;
	} ends[] = {
	    {"true", 0, "", ""},
	    {"sh -c 'echo out; echo err >&2; exit 7'", 7, "out\n", "err\n"},
	    {"sh -c 'kill -TERM $$'", 143, "", "killed by SIGTERM"},
	    {"no-such-program", 127, "", "no-such-program"},
	    {"/etc/passwd", 126, "", "Permission denied"},
	};
	struct world *w = own_world();
	const struct run *r;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		r = own(w, "run --wait -- %s", ends[i].words);
		ck_assert_int_eq(r->status, ends[i].status);
		ck_assert_str_eq(r->out, ends[i].out);
		ck_assert_msg(strstr(r->err, ends[i].err) != NULL, "%s: %s",
			      ends[i].words, r->err);
	}
	ck_complains(own(w, "run --wait --timeout 0.2 -- sleep 60"), 124,
		     "timeout");
	/* What other verbs and scripts see. */
	r = own(w, "tasks show 2 --json");
	ck_assert_str_eq(json_field(w, r->out, "record.exit_code"), "7");
	r = own(w, "tasks show 3 --json");
	ck_assert_str_eq(json_field(w, r->out, "record.signal"), "15");
	ck_assert_str_eq(json_field(w, r->out, "record.exit_code"), "");
	r = own(w, "tasks dead --exit-code 7 --json");
	ck_assert_ptr_nonnull(strstr(r->out, "\"task_id\":\"2\""));
	ck_assert_int_eq(own(w, "wait 2")->status, 1);
	ck_assert_int_eq(own(w, "wait 2 --exit-code")->status, 7);
	ck_assert_int_eq(own(w, "wait 1 2 3 --exit-code")->status, 143);
	ck_assert_int_eq(own(w, "wait 99 --exit-code")->status, 125);
	own_stop(w);
}
END_TEST

START_TEST(a_command_is_retried_if_that_is_asked_for)
{
	struct world *w = own_world();

	ck_run(own(w,
		   "run --wait --max-retries 2 --retry-delay 0.1 -- sh -c "
		   "'echo try $FLOWRRA_TASK_ATTEMPT; test -e third && exit 0; "
		   "test -e second && touch third; touch second; exit 3'"),
	       0, "try 1\ntry 2\ntry 3\n");
	ck_run(own(w, "logs"), 0, "try 3\n");
	ck_run(own(w, "logs --all"), 0,
	       "==> attempt 1\ntry 1\n==> attempt 2\ntry 2\n==> attempt 3\ntry "
	       "3\n");
	ck_run(own(w, "logs --attempt 2"), 0, "try 2\n");
	/* And not otherwise. */
	ck_run(own(w, "run --wait -- sh -c 'echo once; exit 3'"), 3, "once\n");
	own_stop(w);
}
END_TEST

/* --- what is seen ---------------------------------------------------------------- */

START_TEST(output_is_shown_while_the_command_runs)
{
	struct world *w = own_world();
	struct run *waiting, *logs;

	run(w, "mkfifo go");
	waiting = run_start(w, OWN "flowrractl run --wait -- sh -c 'echo one; "
				   "read x <go; echo two; exit 5'");
	WAIT_UNTIL(strcmp(world_read(w, waiting->files[0]), "one\n") == 0);
	logs = run_start(w, OWN "flowrractl logs -f 1");
	WAIT_UNTIL(strcmp(world_read(w, logs->files[0]), "one\n") == 0);
	run(w, "echo >go");
	ck_run(run_end(w, waiting), 5, "one\ntwo\n");
	ck_run(run_end(w, logs), 5, "one\ntwo\n");
	/* Of one that has not begun. */
	own(w, "run -- sh -c 'read x <go'");
	own(w, "run -- echo later");
	logs = run_start(w, OWN "flowrractl logs -f");
	run(w, "echo >go");
	ck_run(run_end(w, logs), 0, "later\n");
	own_stop(w);
}
END_TEST

START_TEST(logs_show_what_is_asked_for)
{
	struct world *w = own_world();
	const struct run *r;

	ck_complains(own(w, "logs"), 2, "there is no database");
	ck_run(own(w, "run --wait -- sh -c 'for i in 1 2 3; do echo o$i; sleep "
		      "0.05; echo e$i >&2; sleep 0.05; done' 2>/dev/null"),
	       0, "o1\no2\no3\n");
	ck_run(own(w, "logs"), 0, "o1\ne1\no2\ne2\no3\ne3\n");
	ck_run(own(w, "logs -n 2"), 0, "o3\ne3\n");
	ck_run(own(w, "logs -n 0"), 0, "");
	ck_run(own(w, "logs 1 --stdout"), 0, "o1\no2\no3\n");
	ck_run(own(w, "logs 1 --stderr -n 1"), 0, "e3\n");
	ck_run(own(w,
		   "logs --time | sed 's/^20..-..-..T..:..:..\\.......+00:00 "
		   "/T /'"),
	       0, "T o1\nT e1\nT o2\nT e2\nT o3\nT e3\n");
	r = own(w, "logs --json --stderr -n 1");
	ck_assert_str_eq(json_field(w, r->out, "text"), "e3\n");
	ck_assert_str_eq(json_field(w, r->out, "stream"), "stderr");
	ck_assert_str_eq(json_field(w, r->out, "attempt"), "1");
	ck_complains(own(w, "logs 99"), 2, "no record of task 99");
	ck_complains(own(w, "logs --all --attempt 1"), 64, "--all");
	ck_complains(own(w, "logs --stdout --stderr"), 64, "--stderr");
	ck_complains(own(w, "logs -f -n 1"), 64, "--follow");
	/* A command that prints nothing has no log, and that is no fault. */
	ck_run(own(w, "run --wait true"), 0, "");
	ck_run(own(w, "logs"), 0, "");
	own_stop(w);
}
END_TEST

/* A terminal gets no escapes; a file gets all bytes. */
START_TEST(hostile_output_steers_no_terminal)
{
	struct world *w = own_world();
	const char *bytes = "\\033]0;title\\007a\\000b\\377\\302\\233c\\r\\n";

	own(w, "run --wait -- printf '%s' >bytes", bytes);
	ck_run(run(w, "printf '%s' | cmp - bytes", bytes), 0, "");
	ck_run(own(w, "logs | cmp - bytes"), 0, "");
	run(w, OWN
	    "PAGER= script -qec 'flowrractl --user logs' /dev/null >terminal "
	    "</dev/null");
	ck_run(run(w, "tr -d '\\r' <terminal"), 0, "?]0;title?a?b??c?\n");
	/* Nor does it through a pager. */
	run(w, OWN "PAGER='sed s/^/:/' TERM=xterm script -qec 'flowrractl "
		   "--user logs' /dev/null >terminal </dev/null");
	ck_run(run(w, "tr -d '\\r' <terminal"), 0, ":?]0;title?a?b??c?\n");
	own_stop(w);
}
END_TEST

START_TEST(a_long_output_is_bounded_and_the_command_is_not_held_up)
{
	struct world *w = own_world();

	ck_run(
	    own(w,
		"-o exec.output_max=256k run -- sh -c 'seq 1000000; echo the "
		"end'"),
	    0, "1\n");
	ck_assert_int_eq(own(w, "wait 1")->status, 0);
	ck_run(run(w, "test $(du -sk own/flowrra/output | cut -f 1) -lt 400"),
	       0, "");
	ck_run(own(w, "logs | head -n 3"), 0, "1\n2\n3\n");
	ck_run(own(w, "logs | tail -n 1"), 0, "the end\n");
	/* What is said to be missing and what is there is all. */
	ck_run(
	    own(w,
		"logs | tee all | sed -n 's/^.*\\[\\([0-9]*\\) bytes left "
		"out\\]$/\\1/p' >missing; "
		"echo $(($(sed 's/\\[[0-9]* bytes left out\\]$//' all | tr -d "
		"'\\n' | wc -c) > 100000 && $(cat missing) > 6000000))"),
	    0, "1\n");
	own_stop(w);
}
END_TEST

/* As of a pipe: nothing is left out for one that is slow, and one that is gone keeps
 * nobody waiting. */
START_TEST(who_waits_gets_all_of_the_output)
{
	struct world *w = own_world();
	struct run *r;

	/* A quarter of what all may take is spooled for one that is slow. */
	run(w, "mkdir config; printf '[exec]\noutput_max = 256k\n"
	       "output_total = 4m\n' >config/flowrra.conf");
	ck_run(run(w, "seq 1000000 | cksum >expected"), 0, "");
	ck_run(run(w,
		   OWN "flowrractl run --wait seq 1000000 | (sleep 0.5; cksum) "
		       "| cmp - expected"),
	       0, "");
	r = run_start(w,
		      OWN "exec flowrractl run --wait -- sh -c 'seq 1000000; "
			  "touch ended' | (sleep 1; head -c 5)");
	WAIT_UNTIL(own(w, "logs 2 -n 1")->out[0] != '\0');
	ck_assert(!own_is(w, "2", "success"));
	run_end(w, r);
	WAIT_UNTIL(own_is(w, "2", "success"));
	own_stop(w);
}
END_TEST

/* Its command goes on, and so do those behind it. */
START_TEST(one_who_reads_slowly_does_not_hold_up_the_queue)
{
	struct world *w = own_world();
	struct run *r;

	run(w, "mkdir config; printf '[exec]\noutput_max = 256k\n' "
	       ">config/flowrra.conf; seq 2000000 | cksum >expected");
	r = run_start(w, OWN "flowrractl run --wait seq 2000000 | (while ! "
			     "test -e gate; do sleep 0.01; done; cksum)");
	WAIT_UNTIL(own_is(w, "1", "success"));
	ck_run(own(w, "run --wait echo next"), 0, "next\n");
	run(w, "touch gate");
	run_end(w, r);
	ck_assert_str_eq(r->out, world_read(w, "expected"));
	own_stop(w);
}
END_TEST

START_TEST(each_line_is_a_command)
{
	struct world *w = own_world();
	const struct run *r;
	size_t i, n = 0;

	ck_run(run(w, "printf 'a\nb c\n\n$HOME' | " OWN
		      "flowrractl run --each -- printf '<%%s>' x{}{} {}"),
	       0, "1\n2\n3\n4\n");
	ck_assert_int_eq(own(w, "wait 1 2 3 4")->status, 0);
	ck_run(own(w, "logs 1"), 0, "<xaa><a>");
	ck_run(own(w, "logs 2"), 0, "<xb cb c><b c>");
	ck_run(own(w, "logs 3"), 0, "<x><>");
	ck_run(own(w, "logs 4"), 0, "<x$HOME$HOME><$HOME>");
	/* Their outputs come in the order of the lines. */
	ck_run(
	    run(w,
		"seq 250 | " OWN "flowrractl run --each --wait echo n | tr "
		"'\n' ' ' | cksum >got; seq 250 | sed 's/^/n /' | tr '\n' ' ' "
		"| cksum | cmp - got"),
	    0, "");
	ck_run(run(w, "printf 'a\\nb\\0c' | " OWN
		      "flowrractl run --each -0 --wait printf '<%%s>'"),
	       0, "<a\nb><c>");
	/* No shell reads what was read. */
	ck_run(run(w, "echo '; touch bad; \"`touch bad`' | " OWN
		      "flowrractl run --each --wait --shell 'echo \"$1\"'"),
	       0, "; touch bad; \"`touch bad`\n");
	ck_assert_int_ne(run(w, "test -e bad")->status, 0);
	ck_run(run(w, "printf '0\n1\n0\n' | " OWN
		      "flowrractl run --each --wait -- sh -c 'exit {}'"),
	       1, "");
	/* As they come. */
	run(w, "mkfifo lines");
	r = run_start(w, OWN "flowrractl run --each echo <lines");
	run(w,
	    "exec 5>lines; echo one >&5; sleep 0.3; cp %s seen; echo two >&5",
	    r->files[0]);
	run_end(w, (struct run *)r);
	ck_assert_uint_eq(lines_of(w, "seen"), 1);
	for (i = 0; r->out[i] != '\0'; i++)
		n += r->out[i] == '\n';
	ck_assert_uint_eq(n, 2);
	/* What is wrong with one line is told of that. */
	r = run(
	    w,
	    "(echo a; yes | tr -d '\\n' | head -c 2000000; echo; echo b) | " OWN
	    "flowrractl run --each true");
	ck_assert_int_eq(r->status, 65);
	ck_assert_ptr_nonnull(strstr(r->err, "line 2: "));
	ck_assert_ptr_nonnull(strstr(r->out, "\n\n"));
	ck_complains(
	    run(w, "printf 'a\\0b\\n' | " OWN "flowrractl run --each true"), 65,
	    "line 1 has a NUL in it");
	ck_complains(own(w, "run --each --stdin true"), 64, "--each");
	ck_complains(own(w, "run -0 true"), 64, "--null needs --each");
	own_stop(w);
}
END_TEST

SUITE("run")
{
	SUITE_TIMEOUT(120);
	TEST(a_command_runs_with_what_is_here_and_nothing_set_up);
	TEST(what_cannot_be_run_is_said_before_it_is_queued);
	TEST(a_command_that_is_waited_for_gives_its_exit_code);
	TEST(a_command_is_retried_if_that_is_asked_for);
	TEST(output_is_shown_while_the_command_runs);
	TEST(logs_show_what_is_asked_for);
	TEST(hostile_output_steers_no_terminal);
	TEST(a_long_output_is_bounded_and_the_command_is_not_held_up);
	TEST(who_waits_gets_all_of_the_output);
	TEST(one_who_reads_slowly_does_not_hold_up_the_queue);
	TEST(each_line_is_a_command);
}
