/* SPDX-License-Identifier: MIT */
/* The keys of the configuration, and which one a name means. */
#include "util/conf_key.h"

#include <stdint.h>
#include <string.h>

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
#undef CONF_KEY
};

const size_t conf_n_keys = LEN(conf_keys);

/* The table's types must be those of struct conf. */
#define CTYPE_STRING char *
#define CTYPE_SECRET char *
#define CTYPE_QUEUES char *
#define CTYPE_WORKER char *
#define CTYPE_UINT int64_t
#define CTYPE_DURATION int64_t
#define CTYPE_SIZE int64_t
#define CTYPE_BOOL bool
#define CTYPE_LEVEL enum log_level
#define CTYPE_FORMAT enum log_format
#define CONF_KEY(s, n, t, d, lo, hi, f, h)                                     \
	_Static_assert(__builtin_types_compatible_p(                           \
			   __typeof__(((struct conf *)NULL)->s.n), CTYPE_##t), \
		       "conf_keys.def: " #s "." #n                             \
		       " has another type in conf.h");
#include "util/conf_keys.def"
#undef CONF_KEY

#define NAME_MAX_LEN 32

static unsigned int
least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many letters to change, add, drop or swap with the next to make one name
 * of the other. */
static unsigned int
distance(const char *a, const char *b)
{
	unsigned int d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);
	size_t i, j;

	if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (i = 0; i <= a_len; i++) {
		for (j = 0; j <= b_len; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned int)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = least(d[i][j], d[i - 1][j - 1] +
						     (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

/* From this distance on, a name is no slip of the pen. */
static unsigned int
near(const char *name)
{
	return (unsigned int)strlen(name) / 4 + 2;
}

static bool
section_exists(const char *section)
{
	size_t i;

	for (i = 0; i < LEN(conf_keys); i++)
		if (strcmp(conf_keys[i].section, section) == 0)
			return true;
	return false;
}

int
conf_key_check_section(const char *section, struct err *err)
{
	const char *best = NULL;
	unsigned int best_distance = near(section);
	unsigned int d;
	size_t i;

	if (section_exists(section))
		return 0;
	for (i = 0; i < LEN(conf_keys); i++) {
		d = distance(section, conf_keys[i].section);
		if (d < best_distance) {
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
closest(const char *section, const char *name)
{
	const struct conf_key *best = NULL;
	unsigned int best_distance = near(name);
	unsigned int d;
	size_t i;

	for (i = 0; i < LEN(conf_keys); i++) {
		d = distance(name, conf_keys[i].name);
		/* Another section's key must have that very name. */
		if (strcmp(conf_keys[i].section, section) != 0)
			d = d == 0 ? 1 : NAME_MAX_LEN;
		if (d < best_distance) {
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
	if ((best = closest(section, name)) != NULL)
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
