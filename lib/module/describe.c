/* SPDX-License-Identifier: MIT */
/*
 * Whether what a module says of itself makes sense.
 *
 * A module is code of somebody else, built at another time. Its mistakes are
 * found here, when it is loaded, with a message for its author; after that the
 * executor relies on the descriptions without further checks.
 */
#include "module/describe.h"

#include <math.h>
#include <string.h>

#include "util/err.h"

/*
 * As NAME_TASK_MAX: what a worker registers, a producer must be able to submit.
 */
#define NAME_MAX_LEN 200
/* Beyond any real module; a count that was never set is usually larger. */
#define TASKS_MAX 10000
/* What later minor versions may grow to; more is a module gone wrong. */
#define TASK_SIZE_MAX 4096
/* A limit on mistakes (milliseconds for seconds), not on plans. */
#define YEAR_S (366.0 * 86400)

/* [A-Za-z0-9_.-], not locale-dependent. */
static bool
valid_name(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789_.-");

	return n > 0 && n <= NAME_MAX_LEN && s[n] == '\0';
}

/* `what` begins the message: "a task's name". */
static int
check_name(const char *what, const char *s, struct err *err)
{
	if (s == NULL)
		return err_set(err, ERR_CONFIG, "%s is NULL", what);
	if (valid_name(s))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s \"%.*s\" is not made of 1 to %d of the characters "
		       "A-Z a-z 0-9 _ . -",
		       what, NAME_MAX_LEN, s, NAME_MAX_LEN);
}

int
describe_check_version(const struct flowrra_module *m, struct err *err)
{
	if (m == NULL)
		return err_set(err, ERR_CONFIG, "flowrra_module() gave NULL");
	if (m->abi_major != FLOWRRA_MODULE_ABI_MAJOR)
		return err_set(
		    err, ERR_REFUSED,
		    "it was built for module interface %u, but this executor "
		    "has %u (rebuild it with this version's flowrra/module.h)",
		    m->abi_major, FLOWRRA_MODULE_ABI_MAJOR);
	return check_name("its name", m->name, err);
}

/*
 * task_size tells how long the module's descriptions are, so a later minor
 * version may append members (describe_read_task()). A value that is not a
 * multiple of the alignment cannot come from sizeof.
 */
int
describe_check_module(const struct flowrra_module *m, struct err *err)
{
	/* The first complete description, that of version 1.0. */
	const size_t least =
	    offsetof(struct flowrra_task_type, timeout) + sizeof(double);

	if (m->task_size < least || m->task_size > TASK_SIZE_MAX ||
	    m->task_size % _Alignof(struct flowrra_task_type) != 0)
		return err_set(err, ERR_CONFIG,
			       "task_size is %zu, not sizeof(struct "
			       "flowrra_task_type) (%zu here)",
			       m->task_size, sizeof(struct flowrra_task_type));
	if (m->tasks == NULL || m->n_tasks == 0 || m->n_tasks > TASKS_MAX)
		return err_set(err, ERR_CONFIG,
			       "it has %zu tasks; a module has 1 to %d",
			       m->tasks ? m->n_tasks : 0, TASKS_MAX);
	return 0;
}

/* UTF-8, and nothing that could break out of a line. */
static bool
valid_line(const char *s)
{
	json_t *j = json_string(s);
	const char *p;

	json_decref(j);
	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			return false;
	return j != NULL;
}

/* NaN is in no range. */
static int
check_range(const struct flowrra_task_type *t, const char *what, double x,
	    double least, double most, struct err *err)
{
	if (x >= least && x <= most)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "task \"%s\": %s is %g; it must be from %g to %g%s",
		       t->name, what, x, least, most,
		       x == 0 ? " (begin with FLOWRRA_TASK_DEFAULTS)" : "");
}

/*
 * A negative retry_delay leaves it to the configuration, so it passes as 0. A
 * backoff of 0 means that the author left out FLOWRRA_TASK_DEFAULTS, which
 * check_range() guesses.
 */
static int
check_numbers(const struct flowrra_task_type *t, struct err *err)
{
	double delay = t->retry_delay < 0 ? 0 : t->retry_delay;

	if (check_range(t, "max_retries", t->max_retries, -1, 1e6, err) != 0 ||
	    check_range(t, "retry_delay", delay, 0, YEAR_S, err) != 0 ||
	    check_range(t, "retry_backoff", t->retry_backoff, 1, 1000, err) ||
	    check_range(t, "retry_delay_max", t->retry_delay_max, 0, YEAR_S,
			err) != 0 ||
	    check_range(t, "retry_jitter", t->retry_jitter, 0, 1, err) != 0 ||
	    check_range(t, "timeout", t->timeout, 0, YEAR_S, err) != 0)
		return -1;
	return 0;
}

/* Exactly one handler. An asynchronous handler shares its event loop with
 * hundreds of others, so work for a processor is not allowed there. */
static int
check_handler(const struct flowrra_task_type *t, struct err *err)
{
	if (t->run == NULL && t->start == NULL)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\" has neither run nor start: it "
			       "needs one handler",
			       t->name);
	if (t->run != NULL && t->start != NULL)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\" has both run and start: it needs "
			       "one handler only",
			       t->name);
	if (t->start != NULL && t->cpu_bound)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\" is cpu_bound and asynchronous: "
			       "work that keeps a processor busy needs run",
			       t->name);
	if (t->cancel != NULL && t->start == NULL)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\" has cancel without start: a "
			       "blocking handler asks "
			       "flowrra_task_cancelled()",
			       t->name);
	return 0;
}

/* What a form makes of it is for the form to say; here it has to be JSON that
 * can be handed on. */
static int
check_params(const struct flowrra_task_type *t, struct err *err)
{
	const size_t len =
	    t->params != NULL ? strnlen(t->params, FLOWRRA_PARAMS_MAX + 1) : 0;
	json_error_t error;
	json_t *schema;
	bool object;

	if (t->params == NULL)
		return 0;
	if (len > FLOWRRA_PARAMS_MAX)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\": its params have more than %d "
			       "bytes",
			       t->name, FLOWRRA_PARAMS_MAX);
	schema = json_loadb(t->params, len, JSON_REJECT_DUPLICATES, &error);
	if (schema == NULL)
		return err_set(err, ERR_CONFIG,
			       "task \"%s\": its params are not JSON: %s (line "
			       "%d, column %d)",
			       t->name, error.text, error.line, error.column);
	object = json_is_object(schema);
	json_decref(schema);
	if (object)
		return 0;
	return err_set(
	    err, ERR_CONFIG,
	    "task \"%s\": its params are not a JSON Schema, which is "
	    "an object",
	    t->name);
}

/* Copies as much as both sides know: what a module of an older minor version
 * lacks is zero, and what a newer one has in addition is ignored. */
int
describe_read_task(const struct flowrra_module *m, size_t i,
		   struct flowrra_task_type *ret, struct err *err)
{
	const char *at = (const char *)m->tasks + i * m->task_size;
	struct flowrra_task_type t = {.name = NULL};

	memcpy(&t, at, m->task_size < sizeof(t) ? m->task_size : sizeof(t));
	if (check_name("a task's name", t.name, err) != 0 ||
	    check_handler(&t, err) != 0 || check_numbers(&t, err) != 0)
		return -1;
	if (t.queue == NULL)
		t.queue = t.cpu_bound ? "cpu" : "io";
	else if (check_name("the queue's name", t.queue, err) != 0)
		return err_prefix(err, "task \"%s\"", t.name);
	if (t.description != NULL && !valid_line(t.description))
		return err_set(err, ERR_CONFIG,
			       "task \"%s\": its description is not one line "
			       "of UTF-8",
			       t.name);
	if (check_params(&t, err) != 0)
		return -1;
	*ret = t;
	return 0;
}
