/* SPDX-License-Identifier: MIT */
/* What flowrractl looks like on a terminal, and what it is for programs. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/operate_scene.h"
#include "e2e/run_scene.h"

/* A text that is long, and in which bytes, characters and columns differ. */
#define LONG_TEXT                                                              \
	"es sind \xc3\xbc"                                                     \
	"berlange S\xc3\xa4tze, \xe6\xbc\xa2\xe5\xad\x97"                      \
	" und mehr davon, bis zum Rand und weit dar\xc3\xbc"                   \
	"ber hinaus"

/* What a command prints on a terminal of that width. */
static const char *
on_terminal(struct world *w, const char *environment, int columns,
	    const char *arguments)
{
	const struct run *r =
	    run(w,
		"env -u NO_COLOR -u CLICOLOR_FORCE -u LC_ALL -u LC_CTYPE "
		"TERM=xterm %s script -qec 'stty cols %d; flowrractl --config "
		"flowrra.conf %s' /dev/null </dev/null | tr -d '\\r'",
		environment, columns, arguments);

	ck_assert_msg(r->out[0] != '\0', "%s prints nothing: %s", arguments,
		      r->err);
	return r->out;
}

/* Columns of a line on a terminal, without its colours; of what the tests have in
 * their texts, only ideographs are two columns wide. */
static int
columns_of(const char *line)
{
	int n = 0;

	for (; *line != '\n' && *line != '\0'; line++) {
		if (*line == '\033')
			line += strcspn(line, "m");
		else if (((unsigned char)*line & 0xc0) != 0x80)
			n += (unsigned char)*line >= 0xe4 ? 2 : 1;
	}
	return n;
}

/* A world with something in each list, and long texts in it. */
static struct world *
furnished(int broker)
{
	struct world *w = begin(broker);

	worker_start(w, NULL);
	submit(w, "fail '" LONG_TEXT "' --max-retries 0");
	submit(w, "fail '" LONG_TEXT "' --max-retries 3 --retry-delay 2h");
	submit(w, "echo '" LONG_TEXT "' --wait");
	submit(w, "echo x --delay 2h");
	submit(w, "sleep 60 --id runs");
	ctl_ok(w, "schedule cron echo '*/5 1,2,3,4,5,6,7,8 1,2,3,4,5,6,7,8 * "
		  "MON-FRI' --tz Europe/Berlin");
	WAIT_UNTIL(says(w, "stats", "dead", "1") &&
		   strlen(ctl_ok(w, "tasks retrying")) > 0 &&
		   strlen(ctl_ok(w, "tasks running")) > 0);
	return w;
}

static const char *const lists[] = {
    "tasks",
    "tasks pending",
    "tasks delayed",
    "tasks retrying",
    "tasks running",
    "tasks completed",
    "tasks failed",
    "tasks dead",
    "workers",
    "queues",
    "health",
    "schedule list",
    "tasks registered",
};
#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

START_TEST(nothing_is_wider_than_the_terminal)
{
	static const int widths[] = {60, 80, 200};
	static const char *const locales[] = {"LANG=C", "LANG=C.UTF-8"};
	struct world *w = furnished(_i);
	const char *out, *line;
	size_t i, k, n;

	for (i = 0; i < N_LISTS; i++)
		for (k = 0; k < 3; k++)
			for (n = 0; n < 2; n++) {
				out = on_terminal(w, locales[n], widths[k],
						  lists[i]);
				for (line = out; *line != '\0';
				     line += strcspn(line, "\n"),
				    line += *line == '\n')
					ck_assert_msg(
					    columns_of(line) <= widths[k],
					    "%s, %s, %d columns:\n%s", lists[i],
					    locales[n], widths[k], out);
				for (line = out; n == 0 && *line != '\0';
				     line++)
					ck_assert_msg((unsigned char)*line <
							  0x80,
						      "not ASCII: %s", out);
			}
	ctl_ok(w, "cancel runs");
	world_stop(w);
}
END_TEST

START_TEST(what_does_not_fit_is_cut_and_marked_and_wide_shows_all)
{
	struct world *w = furnished(_i);
	const char *id = ctl_ok(w, "tasks dead --format '{key}'");
	const char *out = on_terminal(w, "LANG=C.UTF-8", 80, "tasks dead");

	/* The ID is whole, and the text ends in a mark. */
	ck_assert_ptr_nonnull(strstr(out, id));
	ck_assert_ptr_nonnull(strstr(out, "es sind \xc3\xbc"));
	ck_assert_ptr_nonnull(strstr(out, "\xe2\x80\xa6\n"));
	ck_assert_ptr_null(strstr(out, "hinaus"));
	out = on_terminal(w, "LANG=C", 80, "tasks dead");
	ck_assert_ptr_nonnull(strstr(out, "es sind ?"));
	ck_assert_ptr_nonnull(strstr(out, "+\n"));
	/* The least important columns go first. */
	out = on_terminal(w, "LANG=C", 60, "tasks dead");
	ck_assert_ptr_nonnull(strstr(out, "ERROR"));
	ck_assert_ptr_null(strstr(out, "REASON"));
	out = on_terminal(w, "LANG=C.UTF-8", 60, "tasks dead -w");
	ck_assert_ptr_nonnull(strstr(out, LONG_TEXT "\n"));
	ck_assert_ptr_nonnull(strstr(out, "REASON"));
	out = on_terminal(w, "", 80, "tasks dead --no-headers");
	ck_assert_ptr_null(strstr(out, "ERROR"));
	ctl_ok(w, "cancel runs");
	world_stop(w);
}
END_TEST

START_TEST(colour_is_for_terminals_that_have_it)
{
	struct world *w = begin(_i);
	const struct run *r;

	put(w, "a", "--queue io");
	ctl_ok(w, "queue pause io");
	ck_assert_ptr_nonnull(
	    strstr(on_terminal(w, "", 80, "queues"), "\033[33mpaused\033[0m"));
	ck_assert_ptr_nonnull(strstr(on_terminal(w, "", 80, "health"),
				     "\033[31munhealthy\033[0m"));
	ck_assert_ptr_nonnull(strstr(on_terminal(w, "", 80, "tasks show no"),
				     "\033[31mflowrractl: tasks show:\033[0m"));
	ck_assert_ptr_null(
	    strchr(on_terminal(w, "NO_COLOR=1", 80, "queues"), '\033'));
	ck_assert_ptr_null(
	    strchr(on_terminal(w, "NO_COLOR=1", 80, "frob"), '\033'));
	ck_assert_ptr_null(
	    strchr(on_terminal(w, "TERM=dumb", 80, "queues"), '\033'));
	ck_assert_ptr_null(
	    strchr(on_terminal(w, "", 80, "queues --color never"), '\033'));
	ck_assert_ptr_nonnull(strchr(
	    on_terminal(w, "NO_COLOR=1", 80, "queues --color always"), '\033'));
	ck_assert_ptr_nonnull(
	    strchr(on_terminal(w, "TERM=dumb CLICOLOR_FORCE=1", 80, "queues"),
		   '\033'));
	/* Programs get what they always got. */
	r = run(w, "CLICOLOR_FORCE=1 TERM=xterm flowrractl --config "
		   "flowrra.conf queues io --color always");
	ck_assert_ptr_null(strchr(r->out, '\033'));
	ck_assert_ptr_nonnull(strstr(r->out, "\tpaused\n"));
	world_stop(w);
}
END_TEST

START_TEST(times_are_told_from_now_to_people)
{
	struct world *w = begin(_i);
	const char *out;

	put(w, "late", "--delay 2h");
	out = on_terminal(w, "", 80, "tasks pending");
	ck_assert_ptr_nonnull(strstr(out, "in 1h59m"));
	ck_assert_ptr_null(strstr(out, "20"));
	out = on_terminal(w, "", 120, "tasks pending --absolute");
	ck_assert_ptr_null(strstr(out, "in 1h"));
	ck_assert_ptr_nonnull(strstr(out, "T"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "tasks pending"), "Z\t20"));
	world_stop(w);
}
END_TEST

START_TEST(columns_are_chosen_and_lists_sorted)
{
	struct world *w = begin(_i);

	put(w, "a", "--queue io --priority 2");
	put(w, "b", "--queue io --priority 10");
	put(w, "c", "--queue cpu --priority 1");
	ck_run(ctl(w, "tasks pending --columns priority,ID --sort priority"), 0,
	       "1\tc\n2\ta\n10\tb\n");
	ck_run(ctl(w, "tasks pending --columns task_id --sort -priority"), 0,
	       "b\na\nc\n");
	ck_run(ctl(w, "tasks pending --sort id --format '{task_id} "
		      "{priority}\\t{nothing}\\{'"),
	       0, "a 2\t-{\nb 10\t-{\nc 1\t-{\n");
	ck_run(ctl(w, "tasks pending --sort id --json=task_id,a.b -n 3"), 0,
	       "[{\"task_id\":\"a\",\"a.b\":null},{\"task_id\":\"b\",\"a.b\":"
	       "null},{\"task_id\":\"c\",\"a.b\":null}]\n");
	ck_run(ctl(w, "tasks show a --format '{record.status} {queue}'"), 0,
	       "pending io\n");
	ck_run(ctl(w, "tasks running --format '{task_id}'"), 0, "");
	ck_run(ctl(w, "submit add --force --queue io -q --id d --format "
		      "'<{id}>'"),
	       0, "<d>\n");
	world_stop(w);
}
END_TEST

START_TEST(a_list_is_watched_until_it_is_interrupted)
{
	struct world *w = begin(_i);
	struct run *watching;

	put(w, "a", "--queue io");
	watching = run_start(w, "exec flowrractl --config flowrra.conf queues "
				"io --watch=100ms >seen");
	WAIT_UNTIL(strstr(world_read(w, "seen"), "active\nio\t1") != NULL);
	ctl_ok(w, "queue pause io");
	WAIT_UNTIL(strstr(world_read(w, "seen"), "paused\nio\t1") != NULL);
	kill(watching->pid, SIGINT);
	ck_assert_int_eq(run_end(w, watching)->status, 128 + SIGINT);
	/* Nobody reads any more. */
	ck_run(run(w, "flowrractl --config flowrra.conf queues io "
		      "--watch=100ms | head -n 2 | wc -l"),
	       0, "2\n");
	world_stop(w);
}
END_TEST

/* Two tasks that were submitted one after the other differ in their last digits. */
START_TEST(the_beginning_of_an_id_is_enough)
{
	struct world *w = begin(_i);
	const char *one, *two, *dead;
	struct run *r;
	int n;

	one = submit(w, "add 1 2 --force --queue other");
	two = submit(w, "add 1 2 --force --queue other");
	put(w, "01beef", "--queue other");
	put(w, "01beefed", "--queue other");
	for (n = 0; one[n] == two[n]; n++)
		;
	ck_run(ctl(w, "tasks show %.*s --format '{task_id}'", n + 1, one), 0,
	       world_text(w, "%s\n", one));
	ck_run(ctl(w, "tasks show %.*s --format '{task_id}'", n + 1, two), 0,
	       world_text(w, "%s\n", two));
	/* Of several, none is taken. */
	r = ctl(w, "cancel %.8s", one);
	ck_complains(r, 65, "ambiguous");
	ck_assert_ptr_nonnull(strstr(r->err, one));
	ck_assert_ptr_nonnull(strstr(r->err, two));
	ck_complains(ctl(w, "cancel %.5s", one), 2, "no record");
	ck_complains(ctl(w, "cancel 01abcdef"), 2, "no record");
	/* A whole one goes first. */
	ck_run(ctl(w, "cancel 01beef --json"), 0,
	       "{\"id\":\"01beef\",\"outcome\":\"cancelled\"}\n");
	ck_run(
	    ctl(w, "cancel %.*s --json", n + 1, two), 0,
	    world_text(w, "{\"id\":\"%s\",\"outcome\":\"cancelled\"}\n", two));
	ck_complains(ctl(w, "result %.*s", n + 1, two), 1, "cancelled");
	worker_start(w, NULL);
	dead = submit(w, "fail x --max-retries 0");
	ck_complains(ctl(w, "wait %.35s", dead), 1, dead);
	ck_assert_int_eq(ctl(w, "tasks retry %.35s", dead)->status, 0);
	world_stop(w);
}
END_TEST

/* That of Flowrra goes first, and an empty one means none. */
START_TEST(help_goes_through_the_pager_of_a_terminal)
{
	static const struct {
		const char *environment;
		bool paged;
	} cases[] = {
	    {"PAGER='sed s/^/:/'", true},
	    {"FLOWRRA_PAGER='sed s/^/:/' PAGER=cat", true},
	    {"FLOWRRA_PAGER= PAGER='sed s/^/:/'", false},
	    {"FLOWRRA_PAGER=cat PAGER='sed s/^/:/'", false},
	    {"PAGER='sed s/^/:/' TERM=dumb", false},
	    {"PAGER='test \"$LESS\" = FRX && sed s/^/:/'", true},
	    {"LESS=R PAGER='test \"$LESS\" = R && sed s/^/:/'", true},
	};
	struct world *w = own_world();
	const char *out;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = on_terminal(w, cases[i].environment, 80, "result --help");
		ck_assert_msg(
		    strncmp(out, cases[i].paged ? ":Usage" : "Usage", 5) == 0,
		    "%s: %s", cases[i].environment, out);
		ck_assert_ptr_nonnull(strstr(out, "More: man flowrractl\n"));
	}
	ck_assert_str_eq(
	    run(w, "PAGER='sed s/^/:/' flowrractl help result")->out,
	    run(w, "flowrractl result --help")->out);
	/* One that ends before it has read all. */
	ck_assert_str_eq(on_terminal(w, "PAGER='head -n 1'", 80, "--help"),
			 "Usage: flowrractl [OPTION...] COMMAND "
			 "[ARGUMENT...]\n");
	own_stop(w);
}
END_TEST

/* A diamond, which has run: one of its steps failed. */
static struct world *
diamond(int broker)
{
	struct world *w = begin(broker);

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W --whole");
	submit(w, "echo x --flow W --id W.top");
	submit(w, "fail no --max-retries 0 --flow W --id W.left --after W.top");
	submit(w, "echo x --flow W --id W.right --after W.top");
	submit(w, "echo x --flow W --id W.join --after W.left:complete "
		  "--after W.right");
	ctl_ok(w, "workflow seal W");
	ck_assert_str_eq(ctl(w, "workflow wait W")->out, "failed\n");
	return w;
}

START_TEST(a_workflow_is_drawn_as_a_tree)
{
	static const char *const rows[][2] = {
	    {"\ntop ", "\ntop "},
	    {"\n\xe2\x94\x9c\xe2\x94\x80 left ", "\n|- left "},
	    {"\n\xe2\x94\x82  \xe2\x94\x94\xe2\x94\x80 join ", "\n|  `- join "},
	    {"\n\xe2\x94\x94\xe2\x94\x80 right ", "\n`- right "},
	    {"\n   \xe2\x94\x94\xe2\x94\x80 join (see above) ",
	     "\n   `- join (see above) "},
	};
	struct world *w = diamond(_i);
	const char *out, *at;
	size_t i, k;

	for (k = 0; k < 2; k++) {
		out = on_terminal(
		    w, k == 0 ? "NO_COLOR=1 LANG=C.UTF-8" : "NO_COLOR=1 LANG=C",
		    120, "workflow show W");
		for (at = out, i = 0; i < 5; i++) {
			at = strstr(at, rows[i][k]);
			ck_assert_msg(at != NULL, "%s in:\n%s", rows[i][k],
				      out);
		}
		/* When each began, and for how long it ran. */
		ck_assert(strstr(out, "ago ") != NULL ||
			  strstr(out, " now ") != NULL);
		ck_assert_ptr_nonnull(strstr(out, "TOOK"));
		ck_assert_ptr_nonnull(strstr(out, " 0."));
		ck_assert_ptr_null(strstr(out, "not drawn"));
	}
	out = on_terminal(w, "LANG=C", 120, "workflow show W");
	ck_assert_ptr_nonnull(strstr(out, "\033[31mfailed"));
	out = on_terminal(w, "LANG=C", 40, "workflow show W");
	for (at = strstr(out, "STEP"); *at != '\0'; at += *at == '\n') {
		ck_assert_msg(columns_of(at) <= 40, "too wide:\n%s", out);
		at += strcspn(at, "\n");
	}
	ck_assert_ptr_nonnull(strstr(out, "STATE"));
	ck_assert_ptr_null(strstr(out, "TASK-ID"));
	world_stop(w);
}
END_TEST

/* How many are left out is told; what is sorted or for a program stays a table. */
START_TEST(a_tree_of_steps_has_an_end_and_programs_get_a_table)
{
	struct world *w = diamond(_i);
	const char *out;

	out = on_terminal(w, "LANG=C NO_COLOR=1", 120,
			  "workflow show W --steps 2");
	ck_assert_ptr_nonnull(
	    strstr(out, "2 steps are not drawn; see --steps"));
	ck_assert_ptr_null(strstr(out, "there are more"));
	out = on_terminal(w, "LANG=C NO_COLOR=1", 120,
			  "workflow show W --steps 4");
	ck_assert_ptr_nonnull(strstr(out, "the tree goes on; see --steps"));
	/* A callback is no step, but it is in the tree. */
	ctl_ok(w, "workflow begin --id V");
	submit(w, "echo x --flow V --id V.a --force --queue other");
	submit(w, "echo x --flow V --id V.done --on success");
	out = on_terminal(w, "LANG=C", 120, "workflow show V --steps 1");
	ck_assert_ptr_nonnull(strstr(out, "; see --steps"));
	out = on_terminal(w, "LANG=C NO_COLOR=1", 120,
			  "workflow show W --sort step");
	ck_assert_ptr_null(strstr(out, "see above"));
	ck_assert_ptr_nonnull(strstr(out, "\njoin "));
	ck_run(ctl(w, "workflow show W | tail -n 4 | cut -f 1-4"), 0,
	       "top\techo\tsuccess\t-\nleft\tfail\tfailed\ttop\n"
	       "right\techo\tsuccess\ttop\n"
	       "join\techo\tsuccess\tleft:complete,right\n");
	ck_assert_ptr_null(
	    strstr(on_terminal(w, "", 120, "workflow show W --json"), "took"));
	world_stop(w);
}
END_TEST

SUITE("terminal")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(nothing_is_wider_than_the_terminal);
	TEST_BOTH(what_does_not_fit_is_cut_and_marked_and_wide_shows_all);
	TEST_BOTH(colour_is_for_terminals_that_have_it);
	TEST_BOTH(times_are_told_from_now_to_people);
	TEST_BOTH(a_workflow_is_drawn_as_a_tree);
	TEST_BOTH(a_tree_of_steps_has_an_end_and_programs_get_a_table);
	TEST_BOTH(columns_are_chosen_and_lists_sorted);
	TEST_BOTH(the_beginning_of_an_id_is_enough);
	TEST(help_goes_through_the_pager_of_a_terminal);
	TEST_BOTH(a_list_is_watched_until_it_is_interrupted);
}
