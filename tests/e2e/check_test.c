/* SPDX-License-Identifier: MIT */
/* flowrractl check: all that is wrong with a configuration, each with its place,
 * and none of it missed because of another. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define MAX_TOLD 8

/* A file "x", and all that is to be told of it, each on a line of its own. */
static const struct {
	const char *text;
	const char *told[MAX_TOLD];
} broken[] = {
    /* Lines. */
    {"junk\n", {"x:1: expected [section] or key = value"}},
    {"[worker\nid = a\n", {"x:1: expected [section]", "x:2: the key \"id\""}},
    {"[worker]\njunk\n\nmore junk\nid = a b\n",
     {"x:2: expected", "x:4: expected", "x:5: [worker] id"}},
    {"[worker]\nid ; = a\n", {"x:2: expected"}},
    {"[worker] id = a\n", {"x:1: unexpected text after"}},
    {"id = a\n", {"x:1: the key \"id\" is before the first [section]"}},
    {"a = 1\nb = 2\n", {"x:1: the key \"a\"", "x:2: the key \"b\""}},
    {"\xef\xbb\xbf[worker]\nid = a b\n", {"x:2: [worker] id"}},
    {"[]\n", {"x:1: unknown section"}},
    {"[worker]\n = 1\n", {"x:2: unknown key"}},
    /* Sections and keys. */
    {"[executer]\nio_workers = 4\n", {"x:1: unknown section [executer]"}},
    {"[a]\nb = 1\nc = 2\n[d]\ne = 3\n",
     {"x:1: unknown section [a]", "x:4: unknown section [d]"}},
    {"[executor]\nio_worker = 4\ncpu_worker = 4\n",
     {"x:2: unknown key", "x:3: unknown key"}},
    {"[worker]\nid = a\nid = b\nid = c\n",
     {"x:3: [worker] id is given twice", "x:4: [worker] id is given twice"}},
    /* Values. */
    {"[executor]\nio_workers = many\n", {"x:2: [executor] io_workers"}},
    {"[executor]\nio_workers = 0\ncpu_workers = 9999\n",
     {"x:2: [executor] io_workers", "x:3: [executor] cpu_workers"}},
    {"[executor]\nkill_grace = soon\n", {"x:2: [executor] kill_grace"}},
    {"[executor]\nmax_result_size = 1x\n", {"x:2: [executor] max_result_size"}},
    {"[scheduler]\nenabled = perhaps\n", {"x:2: [scheduler] enabled"}},
    {"[worker]\nlog_level = loud\nlog_format = xml\n",
     {"x:2: [worker] log_level", "x:3: [worker] log_format"}},
    {"[worker]\nqueues = io io\n", {"x:2: [worker] queues"}},
    {"[worker]\nqueues = a/b\nforeign_times = mars\n",
     {"x:2: [worker] queues", "x:3: [worker] foreign_times"}},
    {"[worker]\nunknown_after = -1\ndead_max = -1\nstop_timeout = 2d\n",
     {"x:2: [worker] unknown_after", "x:3: [worker] dead_max",
      "x:4: [worker] stop_timeout"}},
    /* URLs. */
    {"[broker]\nurl = http://host/\n", {"x:2: [broker] url"}},
    {"[broker]\nurl = redis://host:port/\n", {"x:2: [broker] url"}},
    {"[broker]\nurl = redis://a:1/\n[backend]\nurl = ftp://b/\n",
     {"x:4: [backend] url"}},
    {"[broker]\nurl = http://a/\n[backend]\nurl = ftp://b/\n",
     {"x:2: [broker] url", "x:4: [backend] url"}},
    {"[broker]\nurl = redis://:geheim@host:99999/\n", {"x:2: [broker] url"}},
    {"[broker]\nurl = sqlite:///nosuch/dir/x.db\n",
     {"x:2: cannot create /nosuch/dir/x.db: directory /nosuch"}},
    /* What is observed. */
    {"[metrics]\nlisten = 0.0.0.0:9464\n[trace]\nexport = https://a/\n",
     {"x:2: [metrics] listen", "x:4: [trace] export"}},
    {"[metrics]\nlisten = 127.0.0.1:9464 9465\n[trace]\nexport = file:a\n",
     {"x:2: [metrics] listen", "x:4: [trace] export"}},
    /* Tasks. */
    {"[task t]\n", {"x:1: [task t] in line 1 lacks a command"}},
    {"[task t]\nqueue = io\n[task u]\nqueue = io\n",
     {"x:1: [task t] in line 1 lacks", "x:3: [task u] in line 3 lacks"}},
    {"[task a b]\ncommand = true\nx = 1\n",
     {"x:1: \"a b\" is not a valid task name"}},
    {"[task t]\ncommand = true\n[task t]\ncommand = true\n",
     {"x:3: section [task t] is given twice"}},
    {"[task t]\ncommand = a | b\ntimeout = soon\n",
     {"x:2: [task t] command", "x:3: [task t] timeout"}},
    {"[task t]\ncommand = true\nretry_exit_codes = 75\n"
     "final_exit_codes = 2\n",
     {"x:1: [task t]: cannot use retry_exit_codes with final_exit_codes"}},
    {"[task t]\ncommand = true\ngroup = args.0\n",
     {"x:1: [task t]: group needs a concurrency or a rate"}},
    {"[task t]\ncommand = true\nconcurrency = 3\nburst = 2\n",
     {"x:1: [task t]: burst needs a rate"}},
    {"[task t]\ncommand = true\nrate = 2/1s\nburst = 3\n",
     {"x:1: [task t]: burst is larger than N of rate"}},
    {"[task t]\ncommand = rm {0}\ntimeout = soon\n[task u]\ncommand = true\n",
     {"x:3: [task t] timeout"}},
    {"[task t]\ncomand = true\n",
     {"x:2: [task t]: unknown key", "x:1: [task t] in line 1 lacks"}},
    {"[task t]\ncommand = missing-program\n",
     {"x:1: [task t]: cannot run missing-program"}},
    {"[task t]\ncommand = /etc/passwd\n[task u]\ncommand = /missing\n",
     {"x:1: [task t]: cannot run /etc/passwd",
      "x:3: [task u]: cannot run /missing"}},
    {"[task t]\ncommand = true\ndirectory = /missing\n",
     {"x:1: [task t]: directory /missing"}},
    {"[task t]\ncommand = /bin\n", {"x:1: [task t]: cannot run /bin"}},
    {"[task t]\ncommand = true\nuser = nobody0\n[task u]\ncommand = missing\n",
     {"x:1: [task t] user = nobody0: no such user",
      "x:4: [task u]: cannot run missing"}},
    {"[task t]\ncommand = true\nqueue = a b\nmax_retries = -1\n"
     "colour = 300\n",
     {"x:3: [task t] queue", "x:4: [task t] max_retries",
      "x:5: [task t]: unknown key"}},
    {"[task t]\ncommand = true\ntaste = 1\nenvironment = A\n",
     {"x:3: [task t]: unknown key", "x:4: [task t] environment"}},
    /* What is for modules. */
    {"[module a b]\nx = 1\n", {"x:1: \"a b\" is not the name of a module"}},
    {"[module exec]\nx = 1\n", {"x:1: the module exec has no section"}},
    {"[module m]\nx = 1\nx = 2\n[module m]\ny = 1\n[module n]\na b = 1\n",
     {"x:3: [module m] x is given twice; the first is in line 2",
      "x:4: section [module m] is given twice; the first is in line 1",
      "x:7: [module n]: \"a b\" is not a key"}},
    {"[module m]\nx = @file:y\ny = @credential:../y\nz = @credential:\n",
     {"x:2: [module m] x: a value that begins with \"@\"",
      "x:3: [module m] y: \"../y\" is not the name of a credential",
      "x:4: [module m] z: \"\" is not the name"}},
    /* Modules, behind all other faults. */
    {"[worker]\nmodules = missing\n", {"x:2: module /"}},
    {"[worker]\nmodules = missing, /etc/passwd\nid = a b\n"
     "[task t]\ncommand = missing-program\n",
     {"x:3: [worker] id", "x:4: [task t]: cannot run missing-program",
      "x:2: module /", "x:2: module /etc/passwd: cannot load it"}},
};
#define N_BROKEN (sizeof(broken) / sizeof(broken[0]))

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

static void
ck_told_all(const struct run *r, size_t i)
{
	size_t n;

	for (n = 0; n < MAX_TOLD && broken[i].told[n] != NULL; n++)
		ck_assert_msg(strstr(r->err, broken[i].told[n]) != NULL,
			      "%s: no \"%s\" in:\n%s", broken[i].text,
			      broken[i].told[n], r->err);
	ck_assert_msg(r->status == 78 && count_lines(r->err) == n,
		      "%s: exit status %d, %zu lines instead of %zu:\n%s",
		      broken[i].text, r->status, count_lines(r->err), n,
		      r->err);
	ck_assert_ptr_null(strstr(r->err, "geheim"));
}

START_TEST(a_check_tells_all_that_is_wrong_with_40_broken_configurations)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);
	size_t i;

	ck_assert_uint_ge(N_BROKEN, 40);
	for (i = 0; i < N_BROKEN; i++) {
		world_write(w, "x", broken[i].text, strlen(broken[i].text));
		ck_told_all(run(w, "unset FLOWRRA_BROKER_URL; "
				   "flowrractl check -q -c x"),
			    i);
	}
	/* The daemon says the same, and stops all the same at the first. */
	ck_told_all(run(w, "flowrrad --check=quiet -c x"), N_BROKEN - 1);
	ck_complains(run(w, "flowrrad -c x"), 78, "x:3: [worker] id");
	world_stop(w);
}
END_TEST

/* What the other daemons refuse when they start, each with a part of its words. */
static const struct {
	const char *text, *program, *place, *says;
} refused[] = {
    {"[web]\nprefix = x\n", "flowrra-web",
     "x:2: ", "[web] prefix: \"x\" is not a path"},
    {"[web]\nlisten = nowhere\n", "flowrra-web", "x:2: ", "[web] listen"},
    {"[web]\nlisten = 0.0.0.0:7480\n", "flowrra-web",
     "x:2: ", "[web] listen: other machines reach 0.0.0.0"},
    {"[web]\nlisten = 127.0.0.1:1 127.0.0.1:2 127.0.0.1:3 127.0.0.1:4 "
     "127.0.0.1:5 127.0.0.1:6 127.0.0.1:7 127.0.0.1:8 127.0.0.1:9 "
     "127.0.0.1:10 127.0.0.1:11 127.0.0.1:12 127.0.0.1:13 127.0.0.1:14 "
     "127.0.0.1:15 127.0.0.1:16 127.0.0.1:17\n",
     "flowrra-web", "x:2: ", "[web] listen: at most 16"},
    {"[web]\n\ntls_cert = /x\n", "flowrra-web",
     "x:3: ", "[web] tls_cert and tls_key: set both, or none"},
    {"[web]\ntls_ca = /x\n", "flowrra-web",
     "x:2: ", "[web] tls_ca: needs tls_cert and tls_key"},
    {"[web]\ntls_cert = /x\ntls_key = /y\n", "flowrra-web",
     "x:2: ", "[web] tls_cert: there is no /x"},
    {"[web]\nuser_header = X-User\n", "flowrra-web",
     "x:2: ", "[web] user_header: name the proxies"},
    {"[web]\nhosts = http://a/\n", "flowrra-web",
     "x:2: ", "[web] hosts: \"http://a/\" is not a name"},
    {"[web]\nproxies = here\n", "flowrra-web",
     "x:2: ", "[web] proxies: \"here\" is neither"},
    {"[web]\npeers = root\n", "flowrra-web", "x:2: ", "[web] peers"},
    {"[web]\nusers = /missing\n", "flowrra-web",
     "x:2: ", "[web] users: cannot read /missing"},
    {"[web]\ntokens = /missing\n", "flowrra-web",
     "x:2: ", "[web] tokens: cannot read /missing"},
    {"[scheduler]\ndatabase_url = http://a/\n", "flowrra-beat",
     "x:2: ", "[scheduler] database_url"},
    {"[scheduler]\ndatabase_url = http://a/\n", "flowrra-web",
     "x:2: ", "[scheduler] database_url"},
    {"[metrics]\nbeat_listen = 0.0.0.0:9465\n", "flowrra-beat",
     "x:2: ", "[metrics] beat_listen"},
    {"[broker]\nurl = http://a/\n", "flowrra-beat", "x:2: ", "[broker] url"},
};

START_TEST(what_a_daemon_refuses_at_its_start_a_check_tells_in_the_same_words)
{
	static const char many[] = "[web]\nprefix = x\nhosts = http://a/\n"
				   "[scheduler]\ntimezone = Mars/Olympus\n"
				   "database_url = a:b\n[executer]\n";
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);
	struct run *r;
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		world_write(w, "x", refused[i].text, strlen(refused[i].text));
		r = run(w, "unset FLOWRRA_BROKER_URL; flowrractl check -q -c "
			   "x");
		ck_complains(r, 78, refused[i].says);
		ck_assert_msg(strstr(r->err, refused[i].place) != NULL &&
				  count_lines(r->err) == 1,
			      "%s: %s", refused[i].text, r->err);
		ck_complains(
		    run(w,
			"unset FLOWRRA_BROKER_URL; STATE_DIRECTORY=$PWD/"
			"state exec %s -c x",
			refused[i].program),
		    78, refused[i].says);
	}
	/* All of them, and each once; one that no daemon refuses. */
	world_write(w, "x", many, strlen(many));
	r = run(w, "unset FLOWRRA_BROKER_URL; flowrractl check -q -c x");
	ck_complains(r, 78, "flowrra-web: x:2: [web] prefix");
	ck_complains(r, 78, "flowrra-web: x:3: [web] hosts");
	ck_complains(r, 78, "flowrra-web: x:5: [scheduler] timezone");
	ck_complains(r, 78, "flowrra-beat: x:6: [scheduler] database_url");
	ck_complains(r, 78, "flowrrad: x:7: unknown section [executer]");
	ck_assert_uint_eq(count_lines(r->err), 5);
	r = run(w, "unset FLOWRRA_BROKER_URL; flowrractl check --json -c x | "
		   "grep -o '\"severity\":\"error\"' | wc -l");
	ck_assert_str_eq(r->out, "5\n");
	/* What is not installed is not asked. */
	ck_run(run(w, "b=$(dirname $(command -v flowrractl)); mkdir bin && cp "
		      "-L $b/flowrractl $b/flowrrad bin && ln -s $b/../lib "
		      "$b/../libexec . && bin/flowrractl check -q -c "
		      "flowrra.conf"),
	       0, "");
	world_stop(w);
}
END_TEST

START_TEST(a_good_configuration_passes_and_warnings_do_not_fail_it)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);
	struct run *r;

	ck_run(run(w, "flowrractl check -c flowrra.conf"), 0,
	       "flowrrad: the configuration is good\n"
	       "flowrra-beat: the configuration is good\n"
	       "flowrra-web: the configuration is good\n");
	ck_run(run(w, "flowrractl check -q -c flowrra.conf"), 0, "");
	ck_run(run(w, "flowrractl check --json -c flowrra.conf"), 0, "[]\n");
	world_configure(w, "demo",
			"[task t]\ncommand = true\nqueue = elsewhere\n");
	r = run(w, "flowrractl check -c flowrra.conf");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "its queue is elsewhere, which "
					     "this worker does not serve"));
	ck_run(run(w, "flowrractl check -q -c flowrra.conf"), 0, "");
	r = run(w, "flowrractl check --json -c flowrra.conf | tr -d '[]'");
	ck_assert_str_eq(json_field(w, r->out, "severity"), "warning");
	/* Who may read a password that stands in the file. */
	run(w, "echo '[broker]\nurl = redis://:geheim@h/' >y; chmod 644 y");
	r = run(w, "unset FLOWRRA_BROKER_URL; flowrractl check -c y");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "it holds a password"));
	ck_assert_ptr_null(strstr(r->err, "geheim"));
	run(w, "chmod 640 y");
	r = run(w, "unset FLOWRRA_BROKER_URL; flowrractl check -c y");
	ck_assert_str_eq(r->err, "");
	/* Other sources. */
	r = run(w, "FLOWRRA_BACKEND_TTL=soon flowrractl check -c flowrra.conf "
		   "-o worker.log_level=loud -o nonsense");
	ck_assert_int_eq(r->status, 78);
	ck_assert_ptr_nonnull(strstr(r->err, "FLOWRRA_BACKEND_TTL"));
	ck_assert_ptr_nonnull(strstr(r->err, "worker.log_level"));
	ck_assert_ptr_nonnull(strstr(r->err, "-o nonsense"));
	world_stop(w);
}
END_TEST

/* What a start would meet, with nothing made by the check. */
START_TEST(a_state_directory_that_cannot_be_made_is_told)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);

	ck_run(run(w, "touch file && flowrrad --check=quiet -c flowrra.conf "
		      "-o worker.state_dir=new/directory && ! test -e new"),
	       0, "");
	ck_complains(run(w, "exec flowrrad --check=quiet -c flowrra.conf "
			    "-o worker.state_dir=file"),
		     78, "file is not a directory: set [worker] state_dir");
	ck_complains(run(w, "exec flowrrad -c flowrra.conf "
			    "-o worker.state_dir=file/below"),
		     71, "file is not a directory: set [worker] state_dir");
	world_stop(w);
}
END_TEST

/* Its home has no .local yet; the first submission makes it. */
START_TEST(the_configuration_of_a_new_user_passes)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);

	ck_run(run(w, "mkdir home && unset XDG_STATE_HOME FLOWRRA_BROKER_URL "
		      "FLOWRRA_WORKER_STATE_DIR && export HOME=$PWD/home && "
		      "flowrractl check --user -q && ! test -e home/.local"),
	       0, "");
	world_stop(w);
}
END_TEST

/* Modules that crash are named one by one. init() is not called: what fails there
 * keeps a reload from the worker, which goes on, and says so. */
START_TEST(modules_are_loaded_without_init_and_a_late_failure_is_seen)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct worker *k;
	struct run *r;

	world_configure(w, "demo bad_start old_abi no_entry", NULL);
	r = ctl(w, "check");
	ck_assert_int_eq(r->status, 78);
	ck_assert_ptr_nonnull(strstr(r->err, "bad_start.so: it ends the "
					     "process that loads it: killed by "
					     "SIGABRT"));
	ck_assert_ptr_nonnull(strstr(r->err, "old_abi.so: "));
	ck_assert_ptr_nonnull(strstr(r->err, "no_entry.so: "));
	ck_assert_uint_eq(count_lines(r->err), 3);
	world_configure(w, "demo", NULL);
	k = worker_start(w, NULL);
	world_configure(w, "demo bad_init", NULL);
	ck_assert_int_eq(ctl(w, "check")->status, 0);
	ck_complains(ctl(w, "worker reload test:1"), 78,
		     "no licence for the moon");
	ck_assert_ptr_nonnull(
	    strstr(worker_notified(k, "reload failed: "), "STATUS="));
	WAIT_UNTIL(strstr(ctl(w, "doctor")->out, "no licence for the moon") !=
		   NULL);
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	world_stop(w);
}
END_TEST

SUITE("check")
{
	SUITE_TIMEOUT(120);
	TEST(
	    what_a_daemon_refuses_at_its_start_a_check_tells_in_the_same_words);
	TEST(a_check_tells_all_that_is_wrong_with_40_broken_configurations);
	TEST(a_good_configuration_passes_and_warnings_do_not_fail_it);
	TEST(a_state_directory_that_cannot_be_made_is_told);
	TEST(the_configuration_of_a_new_user_passes);
	TEST(modules_are_loaded_without_init_and_a_late_failure_is_seen);
}
