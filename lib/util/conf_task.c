/* SPDX-License-Identifier: MIT */
/*
 * Tasks that the configuration declares: one struct for each section [task
 * NAME]. They have a key table of their own, since they come as often as the
 * user likes.
 */
#include "util/conf_task.h"

#include <stdlib.h>
#include <string.h>

#include "util/closest.h"
#include "util/conf_key.h"
#include "util/err.h"
#include "util/limit_words.h"
#include "util/name.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

const struct conf_key conf_task_keys[] = {
#define TASK_KEY(n, t, d, lo, hi, f, h)                                        \
	{.section = "task",                                                    \
	 .name = #n,                                                           \
	 .type = CONF_##t,                                                     \
	 .standard = (d),                                                      \
	 .min = (lo),                                                          \
	 .max = (hi),                                                          \
	 .flags = (f),                                                         \
	 .help = (h),                                                          \
	 .offset = offsetof(struct conf_task, n)},
#include "util/conf_task_keys.def"
};

const size_t conf_n_task_keys = LEN(conf_task_keys);

/* The command alone has no default that would do. */
static int
conf_task_set_defaults(struct conf_task *t, struct err *err)
{
	size_t i;

	if ((t->command = strdup("")) == NULL)
		return err_nomem(err);
	for (i = 0; i < LEN(conf_task_keys); i++)
		if (conf_task_keys[i].type != CONF_COMMAND &&
		    conf_key_set(&conf_task_keys[i], t,
				 conf_task_keys[i].standard, err) != 0)
			return err_prefix(err, "default of %s in [task]",
					  conf_task_keys[i].name);
	return 0;
}

/* All defaults are set, so the keys of a section may come in any order. */
struct conf_task *
conf_task_new(const char *name, struct err *err)
{
	struct conf_task *t;

	if (name_check_task(slice_of(name), ERR_CONFIG, err) != 0)
		return NULL;
	if (strcmp(name, NAME_ADHOC) == 0) {
		err_set(err, ERR_CONFIG,
			"the name %s is taken by the task of flowrractl run",
			name);
		return NULL;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL ||
	    (t->name = strdup(name)) == NULL) {
		free(t);
		err_nomem(err);
		return NULL;
	}
	if (conf_task_set_defaults(t, err) != 0) {
		conf_task_free(t);
		return NULL;
	}
	return t;
}

/* Also for a task whose making failed half-way: unset texts are NULL. */
void
conf_task_free(struct conf_task *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < LEN(conf_task_keys); i++)
		conf_key_clear(&conf_task_keys[i], t);
	free(t->name);
	free(t->location);
	free(t);
}

/* The default of final_exit_codes goes, if retry_exit_codes is given. */
static int
check_codes(const struct conf_task *t, struct err *err)
{
	const struct conf_key *final =
	    conf_task_key_find("final_exit_codes", NULL);

	if (*t->retry_exit_codes == '\0' || final == NULL ||
	    strcmp(t->final_exit_codes, final->standard) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "cannot use retry_exit_codes with final_exit_codes");
}

static int
check_limit(const struct conf_task *t, struct err *err)
{
	int64_t n = 1, period_ms;

	if (*t->group != '\0' && !conf_task_has_limit(t))
		return err_set(err, ERR_CONFIG,
			       "group needs a concurrency or a rate");
	if (*t->rate != '\0')
		limit_words_rate(t->rate, &n, &period_ms);
	if (t->burst <= n)
		return 0;
	return err_set(err, ERR_CONFIG,
		       *t->rate != '\0' ? "burst is larger than N of rate"
					: "burst needs a rate");
}

bool
conf_task_has_limit(const struct conf_task *t)
{
	return t->concurrency > 0 || *t->rate != '\0';
}

int
conf_task_check(const struct conf_task *t, struct err *err)
{
	return check_codes(t, err) != 0 || check_limit(t, err) != 0 ? -1 : 0;
}

const struct conf_key *
conf_task_key_find(const char *name, struct err *err)
{
	struct closest closest = CLOSEST_INIT(name);
	char names[CLOSEST_TEXT_SIZE];
	size_t i;

	for (i = 0; i < LEN(conf_task_keys); i++) {
		if (strcmp(conf_task_keys[i].name, name) == 0)
			return &conf_task_keys[i];
		closest_offer(&closest, conf_task_keys[i].name);
	}
	if (closest_write(&closest, names) > 0)
		err_set(err, ERR_CONFIG,
			"unknown key \"%.64s\"; did you mean %s?", name, names);
	else
		err_set(err, ERR_CONFIG,
			"unknown key \"%.64s\"; flowrra.conf(5) lists the keys "
			"of a task",
			name);
	return NULL;
}
