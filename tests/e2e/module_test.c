/* SPDX-License-Identifier: MIT */
/* Modules and configurations that are refused, and what goes on without. */
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

/* What must stand in one line of the log. */
static bool
logged_line(struct world *w, const char *file, const char *why)
{
	char *log = world_text(w, "%s", worker_log(worker_of(w))), *save, *line;

	for (line = strtok_r(log, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, file) != NULL && strstr(line, why) != NULL)
			return true;
	return false;
}

START_TEST(refused_modules_are_named_and_the_rest_goes_on)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	const char *dir = world_dir(w);

	run(w,
	    "cp %s group.so; chmod 0664 group.so; cp %s others.so; "
	    "chmod 0646 others.so; mkdir open; chmod 0777 open; "
	    "echo text > text.so",
	    world_built(w, "tests/modules/noop.so"),
	    world_built(w, "tests/modules/noop.so"));
	world_configure(
	    w,
	    world_text(w,
		       "old_abi %s/group.so %s/others.so bad_name plain twin "
		       "%s/missing.so no_entry bad_init %s/text.so demo",
		       dir, dir, dir, dir),
	    NULL);
	worker_start(w, NULL);
	WAIT_UNTIL(logged_line(w, "old_abi.so", "interface 0"));
	WAIT_UNTIL(logged_line(w, "group.so", "writable by its group"));
	WAIT_UNTIL(logged_line(w, "others.so", "writable by every user"));
	WAIT_UNTIL(logged_line(w, "bad_name.so", "\"bad name\""));
	WAIT_UNTIL(logged_line(w, "twin.so", "plain"));
	WAIT_UNTIL(logged_line(w, "missing.so", "No such file"));
	WAIT_UNTIL(logged_line(w, "no_entry.so", "flowrra_module"));
	WAIT_UNTIL(logged_line(w, "bad_init.so", "no licence for the moon"));
	WAIT_UNTIL(logged_line(w, "text.so", "text.so"));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	ck_assert_str_eq(submit(w, "plain --wait"), "null");
	ck_complains(ctl(w, "submit noop"), 65, "noop");
	world_stop(w);
}
END_TEST

START_TEST(a_module_is_found_by_bare_name_by_path_and_by_relative_path)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	world_configure(
	    w,
	    world_text(w, "demo %s", world_built(w, "tests/modules/plain.so")),
	    NULL);
	run(w,
	    "cp %s here.so; sed -i 's|^modules = |&./here.so, |' flowrra.conf",
	    world_built(w, "tests/modules/noop.so"));
	worker_start(w, NULL);
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	ck_assert_str_eq(submit(w, "plain --wait"), "null");
	ck_assert_str_eq(submit(w, "noop --wait"), "null");
	world_stop(w);
}
END_TEST

START_TEST(a_worker_without_modules_says_so)
{
	const struct world_options o = {.modules = ""};
	struct world *w = world_start(&o);

	WAIT_UNTIL(worker_logged(worker_of(w), "no module is loaded"));
	WAIT_UNTIL(worker_logged(worker_of(w), "[worker] modules"));
	world_stop(w);
}
END_TEST

/* --- configuration ------------------------------------------------------- */

static const struct {
	const char *command;
	int status;
	const char *says[3];
} bad_starts[] = {
    {"flowrrad --bogus", 64, {"bogus", "--help"}},
    {"flowrrad -c flowrra.conf extra", 64, {"extra"}},
    {"flowrrad -c", 64, {"-h"}},
    {"flowrrad -c nowhere.conf", 78, {"no such file: nowhere.conf"}},
    {"flowrrad -c .", 78, {"directory"}},
    {"echo '[executor]\nio_workers = many' >x; flowrrad -c x",
     78,
     {"x:2", "io_workers", "1024"}},
    {"echo '[executor]\nio_workers = 9999' >x; flowrrad -c x",
     78,
     {"x:2", "io_workers", "1024"}},
    {"echo '[executer]\nio_workers = 4' >x; flowrrad -c x",
     78,
     {"x:1", "executer", "executor"}},
    {"echo '[executor]\nio_worker = 4' >x; flowrrad -c x",
     78,
     {"x:2", "io_worker", "io_workers"}},
    {"echo '[worker]\nmax_task_size = 1x' >x; flowrrad -c x",
     78,
     {"x:2", "max_task_size", "32m"}},
    {"echo 'io_workers = 4' >x; flowrrad -c x", 78, {"x:1", "section"}},
    {"FLOWRRA_BACKEND_TTL=soon flowrrad -c flowrra.conf",
     78,
     {"FLOWRRA_BACKEND_TTL", "3650d"}},
    {"flowrrad -c flowrra.conf -o worker.log_level=loud",
     78,
     {"worker.log_level", "debug"}},
    {"flowrrad -c flowrra.conf -o nonsense", 78, {"nonsense"}},
    {"flowrrad -c flowrra.conf -o broker.url=http://host/",
     78,
     {"broker", "redis://"}},
    {"flowrrad -c flowrra.conf -o broker.url=redis://host:port/", 78, {"port"}},
    {"flowrrad -c flowrra.conf -o backend.url=ftp://x",
     78,
     {"backend", "redis://"}},
    {"flowrrad -c flowrra.conf -o 'worker.queues=io io'", 78, {"twice"}},
    {"flowrrad -c flowrra.conf -o worker.state_dir=/dev/null/x",
     71,
     {"/dev/null/x"}},
    {"flowrrad -c flowrra.conf -o broker.url=redis://:geheim@h/",
     78,
     {"FLOWRRA_BROKER_URL"}},
};

START_TEST(what_is_wrong_with_a_start_is_said_with_its_place_and_remedy)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct run *r;
	size_t i, j;

	for (i = 0; i < sizeof(bad_starts) / sizeof(bad_starts[0]); i++) {
		r = run(w, "%s", bad_starts[i].command);
		ck_assert_msg(r->status == bad_starts[i].status,
			      "%s: exit status %d: %s", bad_starts[i].command,
			      r->status, r->err);
		for (j = 0; j < 3 && bad_starts[i].says[j] != NULL; j++)
			ck_assert_msg(
			    strstr(r->err, bad_starts[i].says[j]) != NULL,
			    "%s: no \"%s\" in: %s", bad_starts[i].command,
			    bad_starts[i].says[j], r->err);
		ck_assert_ptr_null(strstr(r->err, "geheim"));
	}
	world_stop(w);
}
END_TEST

START_TEST(two_workers_do_not_share_an_id)
{
	struct world *w = world_start(NULL);

	ck_complains(run(w, "flowrrad --config flowrra.conf"), 77,
		     "[worker] id");
	worker_start(w, "exec flowrrad -c flowrra.conf -o worker.id=test:2");
	world_stop(w);
}
END_TEST

START_TEST(a_dump_is_a_configuration_without_secrets)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct run *r;

	r = run(w, "FLOWRRA_BACKEND_URL=redis://:geheim@h/1 flowrrad -c "
		   "flowrra.conf --dump-config");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_null(strstr(r->out, "geheim"));
	ck_assert_ptr_nonnull(strstr(r->out, "redis://:***@h/1"));
	ck_assert_ptr_nonnull(strstr(r->out, "id = test:1"));
	/* All but where each value is from. */
	ck_run(run(w, "flowrrad -c flowrra.conf --dump-config | grep -v '^#' "
		      ">dump; flowrrad -c dump --dump-config | grep -v '^#' | "
		      "cmp - dump"),
	       0, "");
	world_stop(w);
}
END_TEST

START_TEST(a_module_file_in_the_working_directory_needs_no_slash)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	ck_run(run(w, "cp %s here.so && chmod 644 here.so",
		   world_built(w, "tests/modules/plain.so")),
	       0, "");
	worker_start(w, WORLD_COMMAND " -o worker.modules=here.so");
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "tasks info plain"), "plain"));
	world_stop(w);
}
END_TEST

START_TEST(a_module_that_ends_its_executor_is_named_at_once)
{
	static const char why[] = "bad_start.so: it ends the process that "
				  "loads it: killed by SIGABRT";
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	int64_t begun;
	struct worker *k;

	world_configure(w, "demo", NULL);
	k = worker_start(w, NULL);
	world_configure(w, "demo bad_start", NULL);
	begun = now_ms();
	ck_complains(run(w, WORLD_COMMAND " --check"), 78, why);
	/* Not after its patience with a slow disk, 12 s. */
	ck_assert_int_lt(now_ms() - begun, 8000);
	ck_complains(ctl(w, "worker reload test:1"), 78, why);
	WAIT_UNTIL(worker_logged(k, why));
	/* It goes on. */
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	worker_stop(k);
	k = worker_spawn(w, NULL);
	WAIT_UNTIL(worker_logged(k, why));
	worker_kill(k);
	world_stop(w);
}
END_TEST

START_TEST(a_check_names_what_cannot_be_loaded_and_starts_no_worker)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	const char *check = WORLD_COMMAND " --check";

	ck_run(run(w, "%s", check), 0, "flowrrad: the configuration is good\n");
	world_configure(w, "demo missing", NULL);
	ck_complains(run(w, "%s", check), 78, "missing.so");
	world_configure(w, "demo",
			"[task t]\ncommand = true\nuser = nobody0\n");
	ck_complains(run(w, "%s", check), 78, "no such user");
	world_configure(w, "demo", "[task t]\ncommand = missing-program\n");
	ck_complains(run(w, "%s", check), 78, "cannot run missing-program");
	world_configure(w, "demo", "[task t]\ncommand = /etc/passwd\n");
	ck_complains(run(w, "%s", check), 78, "cannot run /etc/passwd");
	world_configure(w, "demo",
			"[task t]\ncommand = true\ndirectory = /missing\n");
	ck_complains(run(w, "%s", check), 78, "directory /missing");
	/* The PATH is the command's own, and a relative program is in its
	 * directory. */
	world_configure(w, "demo",
			"[task t]\ncommand = true\nenvironment = PATH=/etc\n");
	ck_complains(run(w, "%s", check), 78, "cannot run true");
	world_configure(w, "demo",
			"[task t]\ncommand = bin/true\ndirectory = /usr\n"
			"[task u]\ncommand = true\nenvironment = PATH={0}\n");
	ck_run(run(w, "%s", check), 0, "flowrrad: the configuration is good\n");
	world_configure(w, "demo", "[nonsense]\n");
	ck_complains(run(w, "%s", check), 78, "nonsense");
	/* Beside a worker that runs, too. */
	world_configure(w, "demo", NULL);
	worker_start(w, NULL);
	ck_run(run(w, "%s", check), 0, "flowrrad: the configuration is good\n");
	world_stop(w);
}
END_TEST

SUITE("modules")
{
	SUITE_TIMEOUT(90);
	TEST(refused_modules_are_named_and_the_rest_goes_on);
	TEST(a_module_is_found_by_bare_name_by_path_and_by_relative_path);
	TEST(a_worker_without_modules_says_so);
	TEST(what_is_wrong_with_a_start_is_said_with_its_place_and_remedy);
	TEST(two_workers_do_not_share_an_id);
	TEST(a_module_that_ends_its_executor_is_named_at_once);
	TEST(a_check_names_what_cannot_be_loaded_and_starts_no_worker);
	TEST(a_dump_is_a_configuration_without_secrets);
	TEST(a_module_file_in_the_working_directory_needs_no_slash);
}
