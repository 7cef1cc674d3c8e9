/* SPDX-License-Identifier: MIT */
/*
 * INIT and READY: which modules to load, and what came of it. A module that
 * cannot be loaded is reported as refused, and the others are loaded all the
 * same: whether that is good enough is decided by flowrrad.
 */
#include "executor/ready.h"

#include <jansson.h>

#include "executor/text.h"
#include "module/loader.h"
#include "util/err.h"

/* null when the module leaves it to the configuration. */
static json_t *
ready_number(bool given, json_t *number)
{
	if (given)
		return number;
	json_decref(number);
	return json_null();
}

/* The members that ipc.h lists; NULL when memory runs out. */
static json_t *
describe_task(const struct loader_task *task)
{
	const struct flowrra_task_type *t = &task->type;

	return json_pack(
	    "{ss, sb, sb, ss, so, so, sf, sf, sf, sf, ss?, ss, ss*, so*}",
	    "name", t->name, "cpu_bound", t->cpu_bound, "async",
	    t->start != NULL, "queue", t->queue, "max_retries",
	    ready_number(t->max_retries >= 0, json_integer(t->max_retries)),
	    "retry_delay",
	    ready_number(t->retry_delay >= 0, json_real(t->retry_delay)),
	    "retry_backoff", t->retry_backoff, "retry_delay_max",
	    t->retry_delay_max, "retry_jitter", t->retry_jitter, "timeout",
	    t->timeout, "description", t->description, "module", task->module,
	    "arguments", t->text_arguments ? "text" : NULL, "params",
	    t->params != NULL ? json_loads(t->params, 0, NULL) : NULL);
}

static int
load_all(struct loader *l, const json_t *modules, ready_loading_fn *on_loading,
	 void *arg, json_t *refused)
{
	struct err err = ERR_INIT;
	const char *path;
	json_t *module;
	size_t i;

	json_array_foreach (modules, i, module) {
		path = json_string_value(module);
		on_loading(path ? path : "", arg);
		if (loader_load(l, path ? path : "", &err) == 0)
			continue;
		/* It may hold what the dynamic linker says of a broken file. */
		text_clean(err.msg);
		if (json_array_append_new(refused,
					  json_pack("{ss, ss}", "module",
						    path ? path : "", "error",
						    err.msg)) != 0)
			return -1;
	}
	return 0;
}

static int
ready_append(const char *p, size_t len, void *arg)
{
	buf_add(arg, p, len);
	return 0;
}

int
ready_load(struct loader *l, struct slice init, ready_loading_fn *on_loading,
	   void *arg, struct buf *ret_ready, struct err *err)
{
	json_t *tasks = json_array(), *refused = json_array(), *modules = NULL;
	json_t *in = json_loadb(init.p, init.len, 0, NULL), *out = NULL;
	size_t i;
	int r = -1;

	modules = json_object_get(in, "modules");
	if (!json_is_array(modules)) {
		err_set(err, ERR_DATA, "ipc: INIT lacks the list of modules");
		goto done;
	}
	loader_configure(l, json_object_get(in, "config"));
	r = load_all(l, modules, on_loading, arg, refused);
	/* It belongs to `in`, which goes; and modules look at it in init
	 * only. */
	loader_configure(l, NULL);
	for (i = 0; i < loader_count(l) && r == 0; i++)
		r = json_array_append_new(tasks,
					  describe_task(loader_at(l, i)));
	out = json_pack("{sO, sO}", "tasks", tasks, "refused", refused);
	if (out == NULL ||
	    json_dump_callback(out, ready_append, ret_ready, JSON_COMPACT) !=
		0 ||
	    ret_ready->failed)
		r = -1;
	if (r != 0)
		err_nomem(err);
done:
	json_decref(out);
	json_decref(in);
	json_decref(refused);
	json_decref(tasks);
	return r;
}
