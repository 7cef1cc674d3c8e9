/* SPDX-License-Identifier: MIT */
/*
 * A task that a handler submits, as JSON for flowrrad. Which options there are,
 * and what they may be, is in core/task_options.def.
 */
#include "executor/submit_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "flowrra/module.h"
#include "module/dump.h"
#include "util/clock.h"

/* The members of interface 1.2, the first one with a size: what a module must
 * at least know of the options. */
#define OPTIONS_MIN_SIZE                                                       \
	(offsetof(struct flowrra_submit_options, timeout) +                    \
	 sizeof(((struct flowrra_submit_options *)0)->timeout))

/* Values in a task: each has a byte at least, and no task has as many bytes. */
#define VALUES_MAX ((size_t)64 << 20)

/* The table has the names of flowrra/client.h; three of ours are older. */
#define delay_s delay
#define retry_delay_s retry_delay
#define timeout_s timeout

const char *
submit_options_read(const struct flowrra_submit_options *given,
		    struct flowrra_submit_options *ret)
{
	const struct flowrra_submit_options defaults =
	    FLOWRRA_SUBMIT_OPTIONS_INIT;

	*ret = defaults;
	if (given == NULL)
		return NULL;
	if (given->size < OPTIONS_MIN_SIZE)
		return "the options do not begin with "
		       "FLOWRRA_SUBMIT_OPTIONS_INIT";
	memcpy(ret, given,
	       given->size < sizeof(*ret) ? given->size : sizeof(*ret));
	return NULL;
}

/* What is less than 0 is left open; NaN is in no range. A priority may be less,
 * and so has its type's whole range. */
#define BAD_INT(value, low, high) ((value) >= 0 && (value) > (high))
#define BAD_SWITCH(value, low, high) ((value) > 1)
#define BAD_SECONDS(value, low, high)                                          \
	(!((value) < 0) && !((value) >= (low) && (value) <= (high)))
#define BAD_NUMBER(value, low, high)                                           \
	(!((value) <= 0) && !((value) >= (low) && (value) <= (high)))
#define BAD_DEADLINE(value, low, high) ((value) < 0)
#define BAD_TEXT(value, low, high) false

static bool
is_array(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	const bool is = json_is_array(value);

	json_decref(value);
	return is;
}

const char *
submit_why_bad(const json_t *args, const json_t *kwargs,
	       const struct flowrra_submit_options *o)
{
	if (args != NULL && !json_is_array(args))
		return "args is not an array";
	if (kwargs != NULL && !json_is_object(kwargs))
		return "kwargs is not an object";
	if (o->delay < 0 || isinf(o->retry_delay) || isinf(o->timeout))
		return "a number of seconds is not possible";
	if (o->delay > 0 && o->at_us != 0)
		return "both delay and at are given";
	if (o->after != NULL && !is_array(o->after))
		return "after is not a JSON array";
#define TASK_OPTION(field, type, request, low, high, ...)                      \
	if (BAD_##type(o->request, (low), (high)))                             \
		return #field " is out of its range";
#define SUBMIT_OPTION(field, type, request, low, high, ...)                    \
	SUBMIT_##type(TASK_OPTION, field, type, request, low, high)
		/* "force" is what naming a queue is in a handler. */
#define SUBMIT_FLAG(option, ...)
#define SUBMIT_TEXT(option, ...) option(__VA_ARGS__)
#define SUBMIT_SECONDS(option, ...) option(__VA_ARGS__)
#define SUBMIT_DEADLINE(option, ...) option(__VA_ARGS__)
#include "core/task_options.def"
	return NULL;
}

/* --- options ------------------------------------------------------------- */

static void
put_text(json_t *j, const char *field, const char *text)
{
	if (text != NULL)
		json_object_set_new(j, field, json_string(text));
}

static void
put_int(json_t *j, const char *field, int value)
{
	if (value >= 0)
		json_object_set_new(j, field, json_integer(value));
}

static void
put_switch(json_t *j, const char *field, int value)
{
	if (value >= 0)
		json_object_set_new(j, field, json_boolean(value));
}

static void
put_seconds(json_t *j, const char *field, double value)
{
	if (value >= 0)
		json_object_set_new(j, field, json_real(value));
}

/* No number of the table may be 0 and is not its default then. */
static void
put_number(json_t *j, const char *field, double value)
{
	if (value > 0)
		json_object_set_new(j, field, json_real(value));
}

static void
put_deadline(json_t *j, const char *field, int64_t us)
{
	char text[CLOCK_TEXT_SIZE];

	if (us == 0)
		return;
	clock_format(us, text);
	json_object_set_new(j, field, json_string(text));
}

/* What the module did not set is left out: the daemon's configuration and the
 * task's module decide. */
static void
put_options(json_t *j, const struct flowrra_submit_options *o)
{
#define PUT_TEXT put_text
#define PUT_INT put_int
#define PUT_SWITCH put_switch
#define PUT_SECONDS put_seconds
#define PUT_NUMBER put_number
#define PUT_DEADLINE put_deadline
#define TASK_OPTION(field, type, request, ...)                                 \
	PUT_##type(j, #field, o->request);
#include "core/task_options.def"
	/* A priority below 0 is one, too. */
	json_object_del(j, "priority");
	if (o->priority != 0)
		json_object_set_new(j, "priority", json_integer(o->priority));
	if (o->delay > 0)
		put_seconds(j, "delay", o->delay);
	put_deadline(j, "at", o->at_us);
	put_text(j, "unique", o->unique);
	put_seconds(j, "unique_ttl", o->unique_ttl_s);
	put_text(j, "unique_until", o->unique_until);
	put_number(j, "debounce", o->debounce_s);
	put_text(j, "flow", o->flow);
	if (o->after != NULL)
		json_object_set_new(j, "after", json_loads(o->after, 0, NULL));
	put_text(j, "on", o->on);
	if (o->id != NULL)
		json_object_set_new(j, "exclusive", json_true());
}

/* --- the task ------------------------------------------------------------ */

/* The text of a task, or NULL, with the reason in the place of *ret_why if there is
 * a better one. */
static char *
write_json(const json_t *j, const char **ret_why)
{
	char *text = NULL;
	size_t flags;

	switch (dump_look(j, VALUES_MAX, &flags)) {
	case DUMP_FINE:
		if ((text = json_dumps(j, flags)) != NULL)
			*ret_why = NULL;
		break;
	case DUMP_DEEP:
		*ret_why = "args or kwargs are too deep: more than 499 arrays "
			   "and objects inside one another";
		break;
	case DUMP_LARGE:
		*ret_why = "args or kwargs are too large";
		break;
	}
	return text;
}

/* Of args and kwargs it only has references, so that it can be let go of however
 * deep they are. */
char *
submit_json(const char *id, const char *name, const json_t *args,
	    const json_t *kwargs, const struct flowrra_submit_options *o,
	    const char **ret_why)
{
	json_t *j = json_pack(
	    "{ss, ss, so, so}", "id", id, "name", name, "args",
	    args ? json_incref((json_t *)args) : json_array(), "kwargs",
	    kwargs ? json_incref((json_t *)kwargs) : json_object());
	char *text;

	*ret_why = "name, args or kwargs cannot be written as JSON";
	if (j == NULL)
		return NULL;
	put_options(j, o);
	text = write_json(j, ret_why);
	json_decref(j);
	return text;
}
