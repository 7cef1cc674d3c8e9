/* SPDX-License-Identifier: MIT */
/*
 * What executors load, and what they are told.
 *
 * Executors do not read the configuration, which may hold passwords. They are
 * given absolute paths, since their working directory may be another, and one
 * JSON text with what modules need to know of it: flowrrad decides, the code of
 * others only receives.
 */
#include "modules.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "adhoc.h"
#include "codec/capture.h"
#include "codec/scan.h"
#include "commands.h"
#include "module_config.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/proc.h"
#include "util/trust.h"

/* A name with a slash, or one that ends in .so, is a file, seen from the
 * working directory; any other is the name of an installed module. */
static bool
is_relative_path(const char *name)
{
	const size_t len = strlen(name);

	return strchr(name, '/') != NULL ||
	       (len > 3 && strcmp(name + len - 3, ".so") == 0);
}

/* An absolute path, which the caller frees; NULL with *err. An installed module
 * is found from the place of this program, so that a build tree and a package
 * in /opt work without configuration. Whether the file is there, and may be
 * trusted, is for the executor to say, which opens it. */
static char *
resolve(const char *name, struct err *err)
{
	char *path = NULL, *cwd, *relative;

	if (name[0] == '/')
		path = strdup(name);
	else if (is_relative_path(name)) {
		if ((cwd = getcwd(NULL, 0)) == NULL) {
			err_sys(err, ERR_SYSTEM, "cannot find %s", name);
			return NULL;
		}
		if (asprintf(&path, "%s/%s", cwd, name) < 0)
			path = NULL;
		free(cwd);
	} else if (asprintf(&relative, "../lib/flowrra/%s.so", name) >= 0) {
		path = proc_beside(relative, err);
		free(relative);
		return path;
	}
	if (path == NULL)
		err_nomem(err);
	return path;
}

/* All or nothing: a worker that loads only some of its modules would bury the
 * tasks of the others as unknown. */
static char **
resolve_all(const char *text, struct err *err)
{
	char **list = conf_list(text), **m, *path;

	if (list == NULL) {
		err_nomem(err);
		return NULL;
	}
	for (m = list; *m != NULL; m++) {
		if ((path = resolve(*m, err)) == NULL) {
			conf_list_free(list);
			return NULL;
		}
		free(*m);
		*m = path;
	}
	return list;
}

/* --- tasks of the configuration ------------------------------------------ */

/* Without a task, it has nothing to load: somebody may have named it. */
static void
remove_exec(struct modules *m)
{
	char **from, **to = m->paths;

	for (from = m->paths; *from != NULL; from++) {
		if (strcmp(*from, m->exec) == 0)
			free(*from);
		else
			*to++ = *from;
	}
	*to = NULL;
}

/* A declared task does not say which module runs it. */
static int
add_exec(struct modules *m, struct err *err)
{
	char *path, **more;
	size_t n;

	for (n = 0; m->paths[n] != NULL; n++)
		if (strcmp(m->paths[n], m->exec) == 0)
			return 0;
	if ((path = strdup(m->exec)) == NULL)
		return err_nomem(err);
	/* Room for one more, and for the NULL. */
	if ((more = reallocarray(m->paths, n + 2, sizeof(*more))) == NULL) {
		free(path);
		return err_nomem(err);
	}
	m->paths = more;
	m->paths[n] = path;
	m->paths[n + 1] = NULL;
	return 0;
}

/* Of others than root, only ambient capabilities reach the commands' parent.
 * What it could start but not kill would outlive timeout and service. */
static bool
may_change_user(void)
{
	static const int needed[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};
	size_t i;

	if (geteuid() == 0)
		return true;
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, needed[i], 0,
			  0) != 1)
			return false;
	return true;
}

/* Checked here, at the start and at each reload, so that a person sees it at
 * once: otherwise each task of the section would fail, one by one. */
int
modules_check_user(const struct conf_task *t, struct err *err)
{
	const struct passwd *user;
	int r;

	if (*t->user == '\0')
		return 0;
	/* As oneself is always possible, also without capabilities. */
	if ((user = getpwnam(t->user)) == NULL)
		r = err_set(err, ERR_CONFIG, "no such user");
	else if (!may_change_user() && user->pw_uid != geteuid())
		r = err_set(err, ERR_CONFIG,
			    "only a flowrrad that runs as root can run a "
			    "command as another user; this one runs as user %u "
			    "(remove the key, or run flowrrad as root; for the "
			    "service, see handlers.conf)",
			    geteuid());
	else
		return 0;
	err_prefix(err, "%s: [task %s] user = %s", t->location, t->name,
		   t->user);
	return r;
}

/* All keys as text, as the configuration prints them: the module parses each
 * with the same table (conf_task_keys.def), and no key has to be known here. */
static void
write_task(const struct conf_task *t, struct buf *out)
{
	struct buf value = BUF_INIT;
	size_t i;

	scan_quote(out, slice_of(t->name));
	buf_adds(out, ":{");
	for (i = 0; i < conf_n_task_keys; i++) {
		buf_reset(&value);
		conf_key_print(&conf_task_keys[i], t, &value);
		buf_addf(out, "%s\"%s\":", i > 0 ? "," : "",
			 conf_task_keys[i].name);
		scan_quote(out, (struct slice){value.data, value.len});
	}
	buf_addc(out, '}');
	buf_done(&value);
}

/*
 * Which tasks have a program; the others are refused like a module that cannot
 * be loaded: the worker starts without them, says so, and does not claim their
 * tasks. Returns how many have one, or -1 with *err.
 */
static int
find_commands(const struct conf *conf, bool users, bool *ret_found,
	      struct modules *m, struct err *err)
{
	size_t i, n_refused = 0;
	struct err why;
	int n = 0;

	if ((m->refused = calloc(conf->n_tasks + 1, sizeof(char *))) == NULL)
		return err_nomem(err);
	for (i = 0; i < conf->n_tasks; i++) {
		ret_found[i] =
		    (!users || modules_check_user(conf->tasks[i], &why) == 0) &&
		    commands_find(conf->tasks[i], &why) == 0;
		n += ret_found[i];
		if (!ret_found[i] &&
		    (m->refused[n_refused++] = strdup(why.msg)) == NULL)
			return err_nomem(err);
	}
	return n;
}

/* Without a state directory the worker does not start, and says why. */
static void
write_captures(const struct conf *conf, struct buf *out)
{
	char *dir = NULL;

	if (conf->exec.output_max > 0)
		dir = capture_directory(conf);
	if (dir == NULL)
		return;
	buf_adds(out, ",\"captures\":{\"dir\":");
	scan_quote(out, slice_of(dir));
	buf_addf(out,
		 ",\"max\":%" PRId64 ",\"total\":%" PRId64 ",\"keep\":%" PRId64
		 "}",
		 conf->exec.output_max, conf->exec.output_total,
		 conf->exec.output_keep / 1000000);
	free(dir);
}

/* {"exec": …}, as lib/module/shipped/exec/declared.h describes it. */
static char *
write_config(const struct conf *conf, const bool *found, bool any,
	     const char *adhoc)
{
	struct buf out = BUF_INIT;
	bool next = false;
	size_t i;

	buf_adds(&out, "{");
	if (any) {
		buf_addf(&out,
			 "\"exec\":{\"kill_grace\":%.6f,"
			 "\"output_store\":%" PRId64 ","
			 "\"max_result_size\":%" PRId64 ",\"tasks\":{",
			 (double)conf->executor.kill_grace / 1e6,
			 conf->exec.output_store,
			 conf->executor.max_result_size);
		for (i = 0; i < conf->n_tasks; i++) {
			if (!found[i])
				continue;
			if (next)
				buf_addc(&out, ',');
			next = true;
			write_task(conf->tasks[i], &out);
		}
		buf_addc(&out, '}');
		if (adhoc != NULL) {
			buf_adds(&out, ",\"adhoc\":");
			scan_quote(&out, slice_of(adhoc));
		}
		write_captures(conf, &out);
		buf_addc(&out, '}');
	}
	buf_addc(&out, '}');
	/* NULL for the caller: buf_take() of an empty buffer. */
	if (out.failed)
		buf_done(&out);
	return buf_take(&out);
}

/* A descriptor that our parent has opened for us, as of the shell's <(command). */
static bool
is_inherited(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 ||
	       strncmp(path, "/proc/self/fd/", 14) == 0 ||
	       strcmp(path, "/dev/stdin") == 0;
}

/* Who can change the file can have root run any command. What lies on a file
 * system that is mounted read-only is given to containers with any mode. */
int
modules_check_origin(const struct conf *conf, struct err *err)
{
	if (geteuid() != 0 || conf->file.path == NULL ||
	    is_inherited(conf->file.path) ||
	    trust_check(conf->file.path, true, err) == 0)
		return 0;
	err->code = ERR_CONFIG; /* to start again would not help */
	return err_prefix(err, "cannot run as root what %s says",
			  conf->file.path);
}

int
modules_check(const struct conf *conf, struct err *err)
{
	size_t i;

	if (modules_check_origin(conf, err) != 0)
		return -1;
	for (i = 0; i < conf->n_tasks; i++)
		if (modules_check_user(conf->tasks[i], err) != 0)
			return -1;
	return 0;
}

/* `users`: those without their user are left out, too. */
static int
modules_read_all(const struct conf *conf, bool users, struct modules *ret,
		 struct err *err)
{
	bool *found = calloc(conf->n_tasks + 1, sizeof(*found));
	char *adhoc = adhoc_store(conf);
	int n, status = -1;

	*ret = (struct modules){.paths = NULL};
	if (found == NULL) {
		err_nomem(err);
		goto done;
	}
	if ((ret->paths = resolve_all(conf->worker.modules, err)) == NULL ||
	    (n = find_commands(conf, users, found, ret, err)) < 0)
		goto done;
	if (adhoc != NULL)
		n++;
	if ((conf->n_tasks > 0 || n > 0) &&
	    (ret->exec = resolve("exec", err)) == NULL)
		goto done;
	if (n > 0 && add_exec(ret, err) != 0)
		goto done;
	if (n == 0 && conf->n_tasks > 0)
		remove_exec(ret);
	if ((ret->config = module_config_write(conf, err)) == NULL)
		goto done;
	ret->commands_config = write_config(conf, found, n > 0, adhoc);
	status = ret->commands_config != NULL ? 0 : err_nomem(err);
done:
	free(adhoc);
	free(found);
	return status;
}

static void
log_risk(const struct conf_task *t, bool serious, const char *text, void *arg)
{
	log_line(serious ? LOG_LEVEL_warning : LOG_LEVEL_notice, "[task %s] %s",
		 t->name, text);
}

int
modules_read(const struct conf *conf, struct modules *ret, struct err *err)
{
	size_t i;

	for (i = 0; i < conf->n_tasks; i++)
		commands_warn(conf->tasks[i], log_risk, NULL);
	return modules_read_all(conf, false, ret, err);
}

int
modules_read_good(const struct conf *conf, struct modules *ret, struct err *err)
{
	return modules_read_all(conf, true, ret, err);
}

void
modules_done(struct modules *m)
{
	conf_list_free(m->paths);
	conf_list_free(m->refused);
	module_config_free(m->config);
	module_config_free(m->commands_config);
	free(m->exec);
	*m = (struct modules){.paths = NULL};
}

struct pool_modules
modules_loadable(const struct modules *m)
{
	return (struct pool_modules){(const char *const *)m->paths, m->config,
				     m->exec, (const char *const *)m->refused,
				     m->commands_config};
}
