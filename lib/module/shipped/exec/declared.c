/* SPDX-License-Identifier: MIT */
/*
 * Tasks as the configuration declares them, made ready to be run.
 *
 * What does not depend on the task is prepared once, when the module is
 * configured: the user's groups, the environment, the templates. A mistake then
 * shows when the worker starts and not with the first task.
 */
#include "module/shipped/exec/declared.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowrra/module.h"
#include "module/shipped/exec/line.h"
#include "util/argv_template.h"
#include "util/conf_key.h"
#include "util/err.h"

/* --- whose rights -------------------------------------------------------- */

/* 32 are enough for most users; getgrouplist(3) says how many it needs
 * otherwise. A loop, since groups may be added between two calls. */
static int
find_groups(struct declared *d, const struct passwd *user)
{
	int n = 32, room;
	gid_t *more;

	do {
		room = n;
		more = reallocarray(d->groups, (size_t)room, sizeof(*more));
		if (more == NULL)
			return -1;
		d->groups = more;
	} while (getgrouplist(user->pw_name, user->pw_gid, d->groups, &n) ==
		     -1 &&
		 n > room);
	d->user = (struct spawn_user){.uid = user->pw_uid,
				      .gid = user->pw_gid,
				      .groups = d->groups,
				      .n_groups = (size_t)n};
	return 0;
}

/* As execve() takes it; NULL when memory runs out. */
static char *
variable(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "%s=%s", name, value) != -1 ? text : NULL;
}

/*
 * A user that this process has already needs no change, so a worker that is not
 * root may name its own user. The variables are those that login(1) sets:
 * programs find their configuration by HOME.
 */
static int
find_user(struct declared *d, struct err *err)
{
	const struct passwd *user;

	if (*d->conf->user == '\0')
		return 0;
	if ((user = getpwnam(d->conf->user)) == NULL)
		return err_set(err, ERR_CONFIG, "no such user: %s",
			       d->conf->user);
	if (user->pw_uid == geteuid())
		return 0;
	if (find_groups(d, user) != 0 ||
	    (d->of_user[0] = variable("USER", user->pw_name)) == NULL ||
	    (d->of_user[1] = variable("LOGNAME", user->pw_name)) == NULL ||
	    (d->of_user[2] = variable("HOME", user->pw_dir)) == NULL ||
	    (d->of_user[3] = variable("SHELL", user->pw_shell)) == NULL)
		return err_nomem(err);
	return 0;
}

/* --- the environment ----------------------------------------------------- */

/* Compares the names only. */
static bool
same_variable(const char *a, const char *b)
{
	const size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* Whether something else takes the place of a variable of this process. */
static bool
is_replaced(const struct declared *d, const char *entry)
{
	static const char *const of_task[] = {
	    "FLOWRRA_TASK_ID=", "FLOWRRA_TASK_NAME=", "FLOWRRA_TASK_ATTEMPT=",
	    "FLOWRRA_TASK_SOCKET=", "FLOWRRA_FLOW="};
	size_t i;

	/* That of this process is the trace of who has started it. */
	if (line_is_of_trace(entry))
		return true;
	for (i = 0; i < sizeof(of_task) / sizeof(of_task[0]); i++)
		if (same_variable(entry, of_task[i]))
			return true;
	for (i = 0; d->of_user[i] != NULL; i++)
		if (same_variable(entry, d->of_user[i]))
			return true;
	for (i = 0; i < argv_template_count(d->environment); i++)
		if (same_variable(entry,
				  argv_template_prefix(d->environment, i)))
			return true;
	return false;
}

/*
 * The order of precedence, the weakest first: this process' environment, the
 * user's variables, those of [task] environment, those of the task itself. No
 * name comes twice, since which one a program sees would be left to its libc.
 */
static int
inherit(struct declared *d, struct err *err)
{
	char **entry;
	size_t i, n;

	for (entry = environ; *entry != NULL; entry++)
		if (!is_replaced(d, *entry))
			buf_add(&d->inherited, entry, sizeof(*entry));
	for (i = 0; d->of_user[i] != NULL; i++) {
		for (n = 0; n < argv_template_count(d->environment); n++)
			if (same_variable(
				d->of_user[i],
				argv_template_prefix(d->environment, n)))
				break;
		if (n == argv_template_count(d->environment))
			buf_add(&d->inherited, &d->of_user[i],
				sizeof(d->of_user[i]));
	}
	return d->inherited.failed ? err_nomem(err) : 0;
}

/* --- parameters ---------------------------------------------------------- */

/* A number is a name, too: that of a positional argument. A command takes texts,
 * which is what its words are. */
static void
add_param(void *arg, const struct argv_template_placeholder *placeholder)
{
	json_t *properties = json_object_get(arg, "properties");
	char number[16];
	const char *name = placeholder->name;

	if (name == NULL) {
		snprintf(number, sizeof(number), "%u", placeholder->number);
		name = number;
	}
	if (json_object_get(properties, name) != NULL)
		return;
	json_object_set_new(properties, name,
			    json_pack("{s:s}", "type", "string"));
	/* A placeholder without a value fails the task. */
	json_array_append_new(json_object_get(arg, "required"),
			      json_string(name));
}

static int
make_params(struct declared *d, struct err *err)
{
	json_t *schema = json_pack("{s:s,s:{},s:[]}", "type", "object",
				   "properties", "required");

	if (schema == NULL)
		return err_nomem(err);
	argv_template_each(d->command, add_param, schema);
	argv_template_each(d->environment, add_param, schema);
	if (json_object_size(json_object_get(schema, "properties")) > 0)
		d->params = json_dumps(schema, JSON_COMPACT);
	json_decref(schema);
	/* It helps those who fill in a form, and no more: a command of a
	 * thousand placeholders runs without. */
	if (d->params != NULL && strlen(d->params) > FLOWRRA_PARAMS_MAX) {
		free(d->params);
		d->params = NULL;
	}
	return 0;
}

/* Those of the configuration are checked here, where the section is known. */
static int
read_params(struct declared *d, struct err *err)
{
	json_error_t error;
	json_t *schema;
	bool parsed, object;

	if (*d->conf->params == '\0')
		return make_params(d, err);
	schema = json_loads(d->conf->params, JSON_REJECT_DUPLICATES, &error);
	parsed = schema != NULL;
	object = json_is_object(schema);
	json_decref(schema);
	if (!parsed)
		return err_set(err, ERR_CONFIG,
			       "params: not JSON: %s (column %d)", error.text,
			       error.column);
	if (!object)
		return err_set(err, ERR_CONFIG,
			       "params: not a JSON Schema, which is an object");
	d->params = strdup(d->conf->params);
	return d->params != NULL ? 0 : err_nomem(err);
}

/* --- declarations -------------------------------------------------------- */

/* Also for one that was made only half. */
static void
declared_free(struct declared *d)
{
	size_t i;

	if (d == NULL)
		return;
	conf_task_free(d->conf);
	argv_template_free(d->command);
	argv_template_free(d->environment);
	buf_done(&d->inherited);
	for (i = 0; d->of_user[i] != NULL; i++)
		free(d->of_user[i]);
	free(d->groups);
	free(d->params);
	free(d);
}

/* The same parser as that of the configuration file: the worker has sent the
 * texts as they were printed by it. */
static int
set_keys(struct conf_task *conf, json_t *keys, struct err *err)
{
	const struct conf_key *key;
	const char *name, *text;
	json_t *value;

	json_object_foreach (keys, name, value) {
		if ((key = conf_task_key_find(name, err)) == NULL)
			return -1;
		text = json_string_value(value);
		if (conf_key_set(key, conf, text ? text : "", err) != 0)
			return err_prefix(err, "%s", name);
	}
	return 0;
}

/* Those that are not to be retried come from one of two lists. */
static int
read_codes(struct declared *d, struct err *err)
{
	const struct conf_task *t = d->conf;
	bool retried[CONF_N_CODES];
	size_t i;

	if (conf_task_statuses(t->success_exit_codes, d->success, err) != 0 ||
	    conf_task_codes(t->final_exit_codes, d->final, err) != 0 ||
	    conf_task_codes(t->retry_exit_codes, retried, err) != 0)
		return -1;
	if (*t->retry_exit_codes == '\0')
		return 0;
	if (conf_task_check(t, err) != 0)
		return -1;
	for (i = 0; i < CONF_N_CODES; i++)
		d->final[i] = !retried[i];
	return 0;
}

/* The configuration allows no other words. */
static void
read_output(struct declared *d)
{
	static const char *const words[] = {[OUTPUT_AUTO] = "auto",
					    [OUTPUT_TEXT] = "text",
					    [OUTPUT_JSON] = "json",
					    [OUTPUT_NONE] = "none"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(d->conf->output, words[i]) == 0)
			d->output = (enum output)i;
}

/* What flowrrad sends has one, since the configuration asks for it; but nothing
 * here holds without its first word. */
static int
check_command(const struct declared *d, struct err *err)
{
	if (argv_template_count(d->command) > 0)
		return 0;
	return err_set(err, ERR_CONFIG, "it has no command");
}

static struct declared *
declared_new(const char *name, json_t *keys, struct err *err)
{
	struct declared *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		err_nomem(err);
		return NULL;
	}
	if ((d->conf = conf_task_new(name, err)) != NULL &&
	    set_keys(d->conf, keys, err) == 0 &&
	    (d->command = argv_template_parse(d->conf->command, err)) != NULL &&
	    check_command(d, err) == 0 &&
	    (d->environment = argv_template_parse(d->conf->environment, err)) !=
		NULL &&
	    read_codes(d, err) == 0 && read_params(d, err) == 0 &&
	    find_user(d, err) == 0 && inherit(d, err) == 0) {
		read_output(d);
		return d;
	}
	declared_free(d);
	err_prefix(err, "[task %s]", name);
	return NULL;
}

/* Ordered by name for declarations_find(), which runs with each task. */
static int
compare(const void *a, const void *b)
{
	const struct declared *const *x = a, *const *y = b;

	return strcmp((*x)->conf->name, (*y)->conf->name);
}

static int
read_captures(struct declarations *d, const json_t *captures, struct err *err)
{
	const char *dir = json_string_value(json_object_get(captures, "dir"));

	if (dir == NULL)
		return 0;
	if ((d->captures = strdup(dir)) == NULL)
		return err_nomem(err);
	d->capture_max =
	    (uint64_t)json_integer_value(json_object_get(captures, "max"));
	d->capture_total =
	    (uint64_t)json_integer_value(json_object_get(captures, "total"));
	d->capture_keep_s =
	    json_integer_value(json_object_get(captures, "keep"));
	return 0;
}

/* kill_grace and max_result_size are [executor]'s: a command must end, and be
 * cut off, as any other handler is. */
int
declarations_read(struct declarations *d, const json_t *config, struct err *err)
{
	json_t *tasks = json_object_get(config, "tasks"), *keys;
	const char *name, *store;

	*d = (struct declarations){
	    .kill_grace =
		json_number_value(json_object_get(config, "kill_grace")),
	    .max_result_size = (size_t)json_integer_value(
		json_object_get(config, "max_result_size")),
	    .output_store = (size_t)json_integer_value(
		json_object_get(config, "output_store"))};
	store = json_string_value(json_object_get(config, "adhoc"));
	if (store != NULL && (d->store = strdup(store)) == NULL)
		return err_nomem(err);
	if (read_captures(d, json_object_get(config, "captures"), err) != 0)
		return -1;
	if (json_object_size(tasks) == 0 && store == NULL)
		return err_set(
		    err, ERR_CONFIG,
		    "the configuration declares no task; add a section [task "
		    "NAME], or remove exec from [worker] modules");
	d->list = calloc(json_object_size(tasks) + 1, sizeof(void *));
	if (d->list == NULL)
		return err_nomem(err);
	json_object_foreach (tasks, name, keys) {
		d->list[d->n] = declared_new(name, keys, err);
		if (d->list[d->n] == NULL)
			return -1;
		d->n++;
	}
	qsort(d->list, d->n, sizeof(void *), compare);
	return 0;
}

void
declarations_done(struct declarations *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		declared_free(d->list[i]);
	free(d->list);
	free(d->store);
	free(d->captures);
	*d = (struct declarations){.list = NULL};
}

static int
compare_name(const void *name, const void *declared)
{
	const struct declared *const *d = declared;

	return strcmp(name, (*d)->conf->name);
}

const struct declared *
declarations_find(const struct declarations *d, const char *name)
{
	struct declared *const *found =
	    bsearch(name, d->list, d->n, sizeof(void *), compare_name);

	return found != NULL ? *found : NULL;
}
