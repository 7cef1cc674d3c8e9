/* SPDX-License-Identifier: MIT */
/*
 * The keys of the configuration, and which one a name means.
 *
 * conf_keys.def makes this table and the structs, so they cannot differ. An
 * unknown name is an error, not a warning: a misspelt limit that is ignored is
 * found only when it would have been needed.
 */
#include "util/conf_key.h"

#include <stdint.h>
#include <string.h>

#include "util/closest.h"
#include "util/conf.h"
#include "util/err.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

const struct conf_key conf_keys[] = {
#define CONF_KEY(s, n, t, d, lo, hi, f, h)                                     \
	{.section = #s,                                                        \
	 .name = #n,                                                           \
	 .type = CONF_##t,                                                     \
	 .standard = (d),                                                      \
	 .min = (lo),                                                          \
	 .max = (hi),                                                          \
	 .flags = (f),                                                         \
	 .help = (h),                                                          \
	 .offset = offsetof(struct conf, s.n)},
#include "util/conf_keys.def"
};

const size_t conf_n_keys = LEN(conf_keys);

/*
 * From this distance on, a name is not a slip of the pen: one mistake in four
 * letters, and one more for the shortest names. closest_offer() is laxer, as
 * it shows several names and this gives one.
 */
static size_t
key_distance_limit(const char *name)
{
	return strlen(name) / 4 + 2;
}

/* Whether a name is closer to what was typed than the best so far. */
static bool
key_is_closer(const char *typed, const char *name, size_t distance,
	      const char *best, size_t best_distance)
{
	if (distance != best_distance || best == NULL)
		return distance < best_distance;
	return closest_is_shuffled(typed, name) &&
	       !closest_is_shuffled(typed, best);
}

/* A section exists when a key has it: there is no second list to keep. */
static bool
section_exists(const char *section)
{
	size_t i;

	for (i = 0; i < LEN(conf_keys); i++)
		if (strcmp(conf_keys[i].section, section) == 0)
			return true;
	return false;
}

/* "task" without a name, or on the command line, is a frequent mistake and gets
 * an answer of its own. */
int
conf_key_check_section(const char *section, struct err *err)
{
	const char *best = NULL;
	size_t best_distance = key_distance_limit(section);
	size_t d;
	size_t i;

	if (section_exists(section))
		return 0;
	for (i = 0; i < LEN(conf_keys); i++) {
		d = closest_distance(section, conf_keys[i].section);
		if (key_is_closer(section, conf_keys[i].section, d, best,
				  best_distance)) {
			best = conf_keys[i].section;
			best_distance = d;
		}
	}
	if (strncmp(section, "task", strlen("task")) == 0)
		return err_set(err, ERR_CONFIG,
			       "unknown section [%.64s]; declare a task in the "
			       "configuration file, in [task NAME]",
			       section);
	if (best != NULL)
		return err_set(err, ERR_CONFIG,
			       "unknown section [%.64s]; did you mean [%s]?",
			       section, best);
	return err_set(err, ERR_CONFIG,
		       "unknown section [%.64s]; known: broker, backend, "
		       "executor, scheduler, worker, task NAME",
		       section);
}

/* The key of this section with the closest name, or of another section with
 * the same name; or NULL. */
static const struct conf_key *
key_closest(const char *section, const char *name)
{
	const struct conf_key *best = NULL;
	size_t best_distance = key_distance_limit(name);
	size_t d;
	size_t i;

	for (i = 0; i < LEN(conf_keys); i++) {
		d = closest_distance(name, conf_keys[i].name);
		/* Another section's key must have that very name. */
		if (strcmp(conf_keys[i].section, section) != 0)
			d = d == 0 ? 1 : SIZE_MAX;
		if (key_is_closer(name, conf_keys[i].name, d,
				  best != NULL ? best->name : NULL,
				  best_distance)) {
			best = &conf_keys[i];
			best_distance = d;
		}
	}
	return best;
}

const struct conf_key *
conf_key_find(const char *section, const char *name, struct err *err)
{
	const struct conf_key *best;
	size_t i;

	if (conf_key_check_section(section, err) != 0)
		return NULL;
	for (i = 0; i < LEN(conf_keys); i++)
		if (strcmp(conf_keys[i].section, section) == 0 &&
		    strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	if ((best = key_closest(section, name)) != NULL)
		err_set(
		    err, ERR_CONFIG,
		    "unknown key \"%.64s\" in [%s]; did you mean %s in [%s]?",
		    name, section, best->name, best->section);
	else
		err_set(err, ERR_CONFIG,
			"unknown key \"%.64s\" in [%s]; flowrra.conf(5) lists "
			"the keys",
			name, section);
	return NULL;
}
