/* SPDX-License-Identifier: MIT */
/* [module NAME]: what modules are told, and credentials that reach them and
 * nothing else. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define SECRET "correct-horse-battery"

#define SECTION                                                                \
	"[module told]\nword = hello ; a comment\nat = @@x\n"                  \
	"password = @credential:told.password\n"
#define TOLD "{\"word\":\"hello\",\"at\":\"@x\",\"password\":\"" SECRET "\"}"

/* The worker of a service that was given credentials. */
#define WITH_CREDENTIALS                                                       \
	"CREDENTIALS_DIRECTORY=$PWD/credentials exec flowrrad --config "       \
	"flowrra.conf"

static struct world *
start_told(const char *config)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	run(w, "mkdir credentials; printf '" SECRET "\n' "
	       ">credentials/told.password");
	world_configure(
	    w,
	    world_text(w, "demo %s", world_built(w, "tests/modules/told.so")),
	    config);
	return w;
}

START_TEST(a_module_is_told_its_section_and_again_at_a_reload)
{
	struct world *w = start_told(SECTION);
	struct worker *k = worker_start(w, WITH_CREDENTIALS);

	ck_assert_str_eq(submit(w, "told --wait"), TOLD);
	run(w, "sed -i 's/hello/again/' flowrra.conf; "
	       "echo other >credentials/told.password");
	worker_forget_notified(k);
	worker_signal(k, SIGHUP);
	worker_notified(k, "READY=1");
	ck_assert_str_eq(
	    submit(w, "told --wait"),
	    "{\"word\":\"again\",\"at\":\"@x\",\"password\":\"other\"}");
	world_stop(w);
}
END_TEST

/* Whether a process has the text in memory that it can write to. */
static bool
has_in_memory(pid_t pid, const char *text)
{
	char path[64], line[512], *bytes;
	uint64_t from, to;
	bool found = false;
	FILE *maps;
	ssize_t n;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	ck_assert_ptr_nonnull(maps = fopen(path, "re"));
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	ck_assert_int_ge(mem = open(path, O_RDONLY | O_CLOEXEC), 0);
	while (!found && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw", &from, &to) !=
			2 ||
		    strstr(line, " rw") == NULL || to - from > (256u << 20))
			continue;
		bytes = malloc(to - from);
		n = pread(mem, bytes, to - from, (off_t)from);
		if (n > 0)
			found = memmem(bytes, (size_t)n, text, strlen(text)) !=
				NULL;
		free(bytes);
	}
	close(mem);
	fclose(maps);
	return found;
}

/* Of the children, how many have the secret in their memory. */
static size_t
count_knowing(pid_t worker, size_t *ret_children)
{
	pid_t children[CHILDREN_MAX];
	size_t i, n = children_of(worker, children), knowing = 0;

	for (i = 0; i < n; i++)
		knowing += has_in_memory(children[i], SECRET);
	*ret_children = n;
	return knowing;
}

START_TEST(a_credential_is_in_no_argument_environment_log_and_dump)
{
	struct world *w = start_told(SECTION "[task nap]\ncommand = sleep 60\n"
					     "[worker]\nlog_level = debug\n");
	struct worker *k = worker_start(w, WITH_CREDENTIALS);
	struct run *r;
	size_t n;

	submit(w, "nap");
	ck_assert_str_eq(submit(w, "told --wait"), TOLD);
	/* The one for modules, and no other: not the one for commands. */
	ck_assert_uint_eq(count_knowing(worker_pid(k), &n), 1);
	ck_assert_uint_ge(n, 2);
	r = run(w,
		"for p in %d $(pgrep -P %d); do tr '\\0' '\\n' "
		"</proc/$p/cmdline; tr '\\0' '\\n' </proc/$p/environ; done",
		worker_pid(k), worker_pid(k));
	ck_assert_ptr_nonnull(strstr(r->out, "flowrra-executor"));
	ck_assert_ptr_null(strstr(r->out, SECRET));
	/* Only flowrrad itself has the folder. */
	ck_assert_ptr_null(strstr(strstr(r->out, "CREDENTIALS_DIRECTORY") + 1,
				  "CREDENTIALS_DIRECTORY"));
	r = run(w, "CREDENTIALS_DIRECTORY=$PWD/credentials flowrrad "
		   "--config flowrra.conf --dump-config");
	ck_assert_ptr_nonnull(strstr(r->out,
				     "[module told]\nword = hello\nat = @@x\n"
				     "password = @credential:told.password\n"));
	ck_assert_ptr_null(strstr(r->out, SECRET));
	ck_assert_ptr_null(strstr(worker_log(k), SECRET));
	ctl_ok(w, "cancel %s",
	       ctl_ok(w, "tasks running --json | jq -r "
			 "'.[].id // .[].task_id'"));
	world_stop(w);
}
END_TEST

START_TEST(a_credential_that_is_missing_is_named_with_its_place)
{
	struct world *w = start_told(SECTION);
	struct worker *k;
	struct run *r;

	run(w, "mv credentials/told.password credentials/away");
	r = run(w, WITH_CREDENTIALS);
	ck_complains(r, 78,
		     "[module told] password: no credential "
		     "\"told.password\": the unit needs "
		     "LoadCredential=told.password");
	ck_assert_ptr_nonnull(strstr(r->err, "flowrra.conf:"));
	run(w, "mv credentials/away credentials/told.password");
	k = worker_start(w, WITH_CREDENTIALS);
	/* A reload that cannot be is refused, and the old ones go on. */
	run(w, "rm credentials/told.password");
	worker_forget_notified(k);
	worker_signal(k, SIGHUP);
	WAIT_UNTIL(worker_logged(k, "no credential"));
	ck_assert_str_eq(submit(w, "told --wait"), TOLD);
	/* Bytes that JSON has not, of a key for example. */
	run(w, "printf 'a\\377' >credentials/told.password");
	ck_complains(run(w, WITH_CREDENTIALS " -o worker.id=other"), 78,
		     "it is not UTF-8");
	world_stop(w);
}
END_TEST

START_TEST(a_check_needs_no_credential_and_tells_what_a_module_refuses)
{
	struct world *w = start_told(SECTION);
	struct run *r;

	r = ctl(w, "check");
	ck_assert_int_eq(r->status, 0);
	ck_assert_msg(strstr(r->err, "told") == NULL, "%s", r->err);
	/* With the unit's credentials the module is asked. */
	run(w, "echo 'refuse = 1' >>flowrra.conf");
	ck_complains(run(w, "CREDENTIALS_DIRECTORY=$PWD/credentials flowrractl "
			    "check -c flowrra.conf"),
		     78, "its configure failed: it does not like its section");
	/* So it is without any that it needs. */
	run(w, "sed -i '/credential:/d' flowrra.conf");
	ck_complains(ctl(w, "check"), 78, "it does not like its section");
	run(w, "sed -i 's/module told/module tolt/' flowrra.conf");
	r = ctl(w, "check");
	ck_complains(r, 0, "[module tolt]: no module of this name is loaded");
	world_stop(w);
}
END_TEST

SUITE("module_config")
{
	SUITE_TIMEOUT(60);
	TEST(a_module_is_told_its_section_and_again_at_a_reload);
	TEST(a_credential_is_in_no_argument_environment_log_and_dump);
	TEST(a_credential_that_is_missing_is_named_with_its_place);
	TEST(a_check_needs_no_credential_and_tells_what_a_module_refuses);
}
