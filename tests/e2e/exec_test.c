/* SPDX-License-Identifier: MIT */
/* Tasks that the configuration declares: results, failures, arguments; on the
 * embedded default. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/exec_scene.h"

/* --- results ------------------------------------------------------------- */

static const char of_results[] =
    "[executor]\nmax_result_size = 64k\n"
    "[task json]\ncommand = echo '{ \"a\": [1, 0.1] }'\n"
    "[task number]\ncommand = printf 42\n"
    "[task same]\ncommand = printf %s {0}\n"
    "[task same_cpu]\ncommand = printf %s {0}\ncpu_bound = yes\n"
    "[task twice]\ncommand = echo '{\"a\":1.10,\"a\":2.50}'\n"
    "[task two]\ncommand = echo '1 2'\n"
    "[task text]\ncommand = printf 'one\\n\\ntwo\\n\\n'\n"
    "[task nothing]\ncommand = true\n"
    "[task binary]\ncommand = printf 'a\\000\\377\\303\\251'\n"
    "[task deep]\ncommand = sh -c 'for i in $(seq 600); do printf [; done; "
    "for i in $(seq 600); do printf ]; done'\n"
    "[task largest]\ncommand = sh -c 'head -c 65534 /dev/zero | tr \"\\0\" x'\n"
    "[task huge]\ncommand = sh -c 'head -c 9000000 /dev/zero; echo >&2 done'\n"
    "max_retries = 5\n"
    "[task escaped]\ncommand = sh -c 'head -c 40000 /dev/zero | tr \"\\0\" "
    "\"\\001\"'\n"
    "max_retries = 5\n";

START_TEST(standard_output_is_the_result)
{
	struct world *w = start(of_results);
	const char *id;

	ck_assert_str_eq(submit(w, "json --wait"), "{\"a\":[1,0.1]}");
	ck_assert_str_eq(submit(w, "number --wait"), "42");
	/* A value arrives as it was printed. */
	ck_assert_str_eq(submit(w, "same 1.10 --wait"), "1.10");
	ck_assert_str_eq(submit(w, "same_cpu 1.10 --wait"), "1.10");
	ck_assert_str_eq(submit(w, "same --wait -- -0"), "-0");
	ck_assert_str_eq(submit(w, "same '{ \"a b\" : [1E2, -0.0] }' --wait"),
			 "{\"a b\":[1E2,-0.0]}");
	ck_assert_str_eq(submit(w, "twice --wait"), "{\"a\":2.5}");
	ck_assert_str_eq(submit(w, "two --wait"), "\"1 2\"");
	ck_assert_str_eq(submit(w, "text --wait"), "\"one\\n\\ntwo\\n\"");
	ck_assert_str_eq(submit(w, "nothing --wait"), "null");
	ck_assert_str_eq(submit(w, "binary --wait"),
			 "\"a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\"");
	ck_assert_uint_eq(strlen(submit(w, "deep --wait")), 1202);
	ck_assert_uint_eq(strlen(submit(w, "largest --wait")), 65536);
	id = end_of(w, submit(w, "huge"));
	/* Too long a text is cut, and the record says by how much. */
	ck_told(w, id, "status", "success");
	ck_assert_int_gt(atoll(told(w, id, "truncated")), 0);
	ck_assert_uint_le(strlen(told(w, id, "result")), 65536);
	/* It was left to do its work. */
	WAIT_UNTIL(worker_logged(worker_of(w), "(huge): done"));
	id = end_of(w, submit(w, "escaped"));
	ck_told(w, id, "status", "success");
	ck_assert_int_gt(atoll(told(w, id, "truncated")), 0);
	world_stop(w);
}
END_TEST

/* --- failures ------------------------------------------------------------ */

static const char of_failures[] =
    "[executor]\nmax_retries = 1\nretry_delay = 0\n"
    "[task bad]\ncommand = sh -c 'seq 50 >&2; printf last >&2; exit 3'\n"
    "[task told]\ncommand = sh -c 'echo so far; echo oh >&2; exit 64'\n"
    "[task nul]\ncommand = sh -c 'printf \"a\\000b\" >&2; exit 3'\n"
    "[task usage]\ncommand = sh -c 'exit 64'\n"
    "[task own]\ncommand = sh -c 'exit 9'\nfinal_exit_codes = 9\n"
    "[task killed]\ncommand = sh -c 'kill -SEGV $$'\n"
    /* These go missing when the worker has looked for them. */
    "[task missing]\ncommand = %s/program\n"
    "[task no_place]\ncommand = true\ndirectory = %s\n"
    "[task wants]\ncommand = echo {0} {path}\n"
    "[task flaky]\ncommand = sh -c 'test $FLOWRRA_TASK_ATTEMPT = 2'\n";

static void
ck_failed(struct world *w, const char *command, const char *attempts,
	  const char *error)
{
	const char *id = end_of(w, submit(w, "%s", command));

	ck_told(w, id, "status", "failed");
	ck_told(w, id, "attempts", attempts);
	ck_told_part(w, id, "error", error);
}

START_TEST(a_failure_tells_code_and_last_lines)
{
	char place[] = "/tmp/flowrra-place-XXXXXX", conf[4096], program[64];
	struct world *w;

	ck_assert_ptr_nonnull(mkdtemp(place));
	snprintf(program, sizeof(program), "%s/program", place);
	ck_assert_int_eq(symlink("/bin/true", program), 0);
	snprintf(conf, sizeof(conf), of_failures, place, place);
	w = start(conf);
	ck_assert_int_eq(unlink(program), 0);
	ck_assert_int_eq(rmdir(place), 0);
	ck_failed(w, "bad", "2",
		  "exit code 3: 42\n43\n44\n45\n46\n47\n48\n49\n50\nlast");
	WAIT_UNTIL(worker_logged(worker_of(w), "(bad): 17"));
	ck_failed(w, "nul", "2",
		  "exit code 3: a\xef\xbf\xbd"
		  "b");
	ck_failed(w, "usage", "1", "exit code 64");
	/* Standard output is not the result then, but tells how far it came. */
	ck_failed(w, "told", "1", "exit code 64: oh");
	ck_told_part(w, end_of(w, submit(w, "told")), "output", "so far\n");
	ck_failed(w, "own", "1", "exit code 9");
	ck_failed(w, "killed", "2", "killed by SIGSEGV");
	ck_failed(w, "missing", "2",
		  "/program: could not execute it: No such file or directory");
	ck_failed(w, "no_place", "2", "could not enter its working directory");
	ck_failed(w, "wants", "1", "lacks the argument {0}");
	ck_failed(w, "wants 1", "1", "lacks the keyword argument \"path\"");
	ck_complains(
	    ctl(w, "submit wants --args '[\"a\\u0000b\"]' --kw path=x --wait"),
	    65, "args: a string holds");
	ck_assert_str_eq(submit(w, "wants null --kw path=[1,2.5] --wait"),
			 "\"null [1,2.5]\"");
	ck_assert_str_eq(submit(w, "flaky --wait"), "null");
	world_stop(w);
}
END_TEST

/* --- arguments ----------------------------------------------------------- */

static const char of_arguments[] =
    "[task args]\ncommand = sh -c 'printf \"%s|\" $# \"$@\"' sh {0} "
    "--x={name}\n"
    "environment = FROM=\"a {0}\"\n"
    "[task env]\ncommand = sh -c 'printf \"%s|\" \"$A\" \"$B\" \"$FROM\" "
    "\"$FLOWRRA_TASK_NAME\" \"$FLOWRRA_TASK_ATTEMPT\" \"$PWD\"'\n"
    "environment = A=1 \"B=2 3\"\nenvironment = FROM={0}\ndirectory = /usr\n"
    "[task input]\ncommand = cat\n"
    "[task rawinput]\ncommand = sh -c 'cat; echo x'\n"
    "[task texts]\ncommand = sh -c 'printf \"%s|\" $# \"$@\"' sh {0} "
    "--x={name}\narguments = text\n"
    "[task largest]\ncommand = sh -c 'wc -c' sh\n"
    "[task long]\ncommand = echo {0}\nmax_retries = 5\n";

static const struct {
	const char *name;
	const char *json; /* the argument */
	const char *shown;
} hostile[] = {
    {"a semicolon", "\"; touch pwned\"", "; touch pwned"},
    {"a substitution", "\"$(touch pwned)\"", "$(touch pwned)"},
    {"backquotes", "\"`touch pwned`\"", "`touch pwned`"},
    {"a line break", "\"a\\ntouch pwned\"", "a\\ntouch pwned"},
    {"a dash", "\"-rf\"", "-rf"},
    {"quotes", "\"' \\\" \\\\\"", "' \\\" \\\\"},
    {"a place", "\"{name} {{\"", "{name} {{"},
    {"nothing", "\"\"", ""},
    {"blanks", "\"  a  b \"", "  a  b "},
    {"a pipe", "\"| cat & > pwned\"", "| cat & > pwned"},
};

START_TEST(an_argument_is_one_word_whatever_it_holds)
{
	struct world *w = start(of_arguments);
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *task =
		    world_text(w,
			       "{\"name\":\"args\",\"args\":[%s],"
			       "\"kwargs\":{\"name\":%s}}\n",
			       hostile[i].json, hostile[i].json);
		const char *id, *want;

		world_write(w, "task", task, strlen(task));
		id = ctl_ok(w, "submit --stdin < task");
		want = world_text(w, "\"2|%s|--x=%s|\"", hostile[i].shown,
				  hostile[i].shown);
		ck_assert_msg(strcmp(ctl_ok(w, "wait %s", id), want) == 0,
			      "%s: %s", hostile[i].name,
			      ctl_ok(w, "wait %s", id));
	}
	ck_assert_int_ne(access(world_text(w, "%s/pwned", world_dir(w)), F_OK),
			 0);
	world_stop(w);
}
END_TEST

/* The program writes a file if it takes an argument for its option. */
static const char of_options[] =
    "[task bare]\ncommand = sh tool -q {0}\nmax_retries = 3\n"
    "[task named]\ncommand = sh tool {path}\narguments = text\n"
    "[task guarded]\ncommand = sh tool -q -- {0}\n"
    "[task code]\ncommand = awk \"/{0}/\" /dev/null\n"
    "[task plain]\ncommand = true\n";

static const char tool[] = "while getopts qo: o; do"
			   " test $o = o && eval \"${OPTARG#|}\"; done\n"
			   "shift $((OPTIND - 1)); printf '<%s>' \"$@\"\n";

START_TEST(an_argument_is_no_option)
{
	static const char evil[] = "-o'|touch pwned'";
	struct world *w = world_start(
	    &(struct world_options){.no_worker = true, .config = of_options});
	const char *error = "an argument begins with \"-\", so that sh could";

	world_write(w, "tool", tool, strlen(tool));
	worker_start(w, NULL);
	ck_failed(w, world_text(w, "bare --string -- %s", evil), "1", error);
	ck_failed(w, world_text(w, "named --kw path=%s", evil), "1", error);
	ck_assert_str_eq(submit(w, "guarded --string --wait -- %s", evil),
			 "\"<-o|touch pwned>\"");
	ck_assert_str_eq(submit(w, "bare --wait -- -"), "\"<->\"");
	ck_assert_int_ne(access(world_text(w, "%s/pwned", world_dir(w)), F_OK),
			 0);
	/* A negative number reaches the program, which makes of it what it
	 * wants. */
	ck_assert_str_eq(submit(w, "bare --wait -- -1.5"), "\"<>\"");
	ck_assert(worker_logged(worker_of(w),
				"[task bare] command: word 4 could be an "
				"option of sh"));
	ck_assert(worker_logged(worker_of(w),
				"[task code] command: awk runs what word 2"));
	ck_assert(!worker_logged(worker_of(w), "[task guarded] command"));
	ck_assert(!worker_logged(worker_of(w), "[task plain] command"));
	world_stop(w);
}
END_TEST

/* What no JSON library prints as it was written. */
static const char *const numbers[] = {"1.10",
				      "1e5",
				      "1E+5",
				      "-0",
				      "-0.0",
				      "9223372036854775807",
				      "0.1000000000000000055511151231257827",
				      "1673626980.005889",
				      "5e-324"};

START_TEST(a_command_gets_numbers_as_they_were_written)
{
	struct world *w = start(of_arguments);
	const char *want, *id;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		want =
		    world_text(w, "\"2|%s|--x=[%s]|\"", numbers[i], numbers[i]);
		ck_assert_str_eq(ctl_ok(w,
					"submit args --wait --kw 'name=[%s]' "
					"-- %s",
					numbers[i], numbers[i]),
				 want);
		id = submit(w, "rawinput -- %s", numbers[i]);
		want = world_text(w, "\\\"args\\\":[%s],", numbers[i]);
		ck_assert_ptr_nonnull(strstr(ctl_ok(w, "wait %s", id), want));
	}
	world_stop(w);
}
END_TEST

START_TEST(a_task_may_take_words_as_text)
{
	struct world *w = start(of_arguments);

	ck_run(ctl(w, "submit texts --wait --kw 'name=[1, 2]' 12e4567"), 0,
	       "\"2|12e4567|--x=[1, 2]|\"\n");
	ck_run(ctl(w, "submit texts --wait --kw name=null '\"a\"'"), 0,
	       "\"2|\\\"a\\\"|--x=null|\"\n");
	ck_run(ctl(w, "submit args --string --wait --kw 'name=\"x\"' 1.0"), 0,
	       "\"2|1.0|--x=\\\"x\\\"|\"\n");
	ck_assert_str_eq(
	    json_field(w, ctl_ok(w, "tasks info texts --json"), "arguments"),
	    "text");
	ck_complains(ctl(w, "submit args --kw name=1 1e400"), 65,
		     "argument 1: the number 1e400 is beyond the range of a "
		     "double; pass it as a string (--string)");
	ck_complains(ctl(w, "submit args --kw name=99999999999999999999 1"), 65,
		     "--kw: name: the number 99999999999999999999 does not");
	ck_complains(ctl(w, "submit args --args '[\"\\u0000\"]'"), 65,
		     "args: a string holds \\u0000");
	ck_complains(ctl(w, "submit args --kwargs '{\"a\":[-1e999]}'"), 65,
		     "kwargs: the number -1e999");
	ck_complains(run(w, "echo '{\"name\":\"args\",\"args\":[1e999]}' | "
			    "flowrractl -c flowrra.conf submit --stdin"),
		     65, "line 1: args: the number 1e999");
	ck_complains(ctl(w, "schedule once args 'in 1h' --args '[1e999]'"), 65,
		     "args: the number 1e999");
	world_stop(w);
}
END_TEST

START_TEST(a_command_finds_environment_directory_and_input)
{
	struct world *w = start(of_arguments);
	const char *id, *line;

	ck_assert_str_eq(submit(w, "env 'x;y' --wait"),
			 "\"1|2 3|x;y|env|1|/usr|\"");
	id =
	    submit(w, "input 1 two --kw k=[0.1] --timeout 100 --max-retries 2");
	line = ctl_ok(w, "wait %s", id);
	ck_assert_str_eq(json_field(w, line, "id"), id);
	ck_assert_str_eq(json_field(w, line, "name"), "input");
	ck_assert_str_eq(json_field(w, line, "args"), "[1,\"two\"]");
	ck_assert_str_eq(json_field(w, line, "kwargs"), "{\"k\":[0.1]}");
	ck_assert_str_eq(json_field(w, line, "attempt"), "1");
	ck_assert_str_eq(json_field(w, line, "max_attempts"), "3");
	ck_assert_double_gt(atof(json_field(w, line, "time_left")), 90);
	/* Much more than a pipe would take. */
	run(w, "printf '{\"name\":\"largest\",\"args\":[\"%%0900000d\"]}' 1 "
	       ">task");
	id = ctl_ok(w, "submit --stdin < task");
	ck_assert_int_gt(atoi(ctl_ok(w, "wait %s", id)), 900000);
	run(w, "sed -i s/largest/long/ task");
	id = end_of(w, ctl_ok(w, "submit --stdin < task"));
	ck_told_part(w, id, "error",
		     "Argument list too long (the kernel takes 128 KiB in one "
		     "argument or variable");
	ck_told_part(w, id, "error", "standard input, which has the task");
	ck_told(w, id, "attempts", "1");
	world_stop(w);
}
END_TEST

START_TEST(urls_with_passwords_do_not_reach_commands)
{
	const struct world_options o = {.embedded = true,
					.modules = "",
					.no_worker = true,
					.config =
					    "[task env]\ncommand = env\n"
					    "[task up]\ncommand = sh -c 'tr "
					    "\"\\0\" \"\\n\" "
					    "</proc/$PPID/environ'\n"};
	struct world *w = world_start(&o);

	worker_start(w, world_text(w,
				   "FLOWRRA_BROKER_URL=%s "
				   "FLOWRRA_SCHEDULER_DATABASE_URL=sqlite:///"
				   "geheim CREDENTIALS_DIRECTORY=/geheim "
				   "MINE=1 " WORLD_COMMAND,
				   world_url(w)));
	ck_assert_ptr_nonnull(strstr(submit(w, "env --wait"), "MINE=1"));
	ck_assert_ptr_null(strstr(submit(w, "env --wait"), "BROKER_URL"));
	ck_assert_ptr_null(strstr(submit(w, "env --wait"), "geheim"));
	/* Nor those who start them. */
	ck_assert_ptr_nonnull(strstr(submit(w, "up --wait"), "MINE=1"));
	ck_assert_ptr_null(strstr(submit(w, "up --wait"), "geheim"));
	world_stop(w);
}
END_TEST

/* --- many ---------------------------------------------------------------- */

#define MANY 1000

START_TEST(a_thousand_commands_wait_at_the_same_time)
{
	struct world *w = start("[executor]\nio_workers = 4\n"
				"[task sleep]\ncommand = sleep 1\n");
	int64_t begin = now_ms(), took;

	run(w,
	    "yes '{\"name\":\"sleep\"}' | head -n %d | flowrractl -c "
	    "flowrra.conf submit --stdin >ids",
	    MANY);
	ck_run(run(w,
		   "xargs flowrractl -c flowrra.conf wait --timeout 60 <ids | "
		   "grep -c null"),
	       0, world_text(w, "%d\n", MANY));
	took = now_ms() - begin;
	/* One after the other in four threads, they would take 250 s. */
	ck_assert_int_lt(took, 50000);
	world_stop(w);
}
END_TEST

SUITE("exec")
{
	SUITE_TIMEOUT(120);
	TEST(standard_output_is_the_result);
	TEST(a_failure_tells_code_and_last_lines);
	TEST(an_argument_is_one_word_whatever_it_holds);
	TEST(an_argument_is_no_option);
	TEST(a_command_gets_numbers_as_they_were_written);
	TEST(a_task_may_take_words_as_text);
	TEST(a_command_finds_environment_directory_and_input);
	TEST(urls_with_passwords_do_not_reach_commands);
	TEST(a_thousand_commands_wait_at_the_same_time);
}
