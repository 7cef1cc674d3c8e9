/* SPDX-License-Identifier: MIT */
/*
 * The values of the configuration: reading, checking and printing them.
 *
 * Each type is printed in a form that its own reader accepts, so a dump is a
 * valid configuration file, and two configurations can be compared as texts
 * (conf_frozen_changes()).
 */
#include "util/conf_key.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static void *
conf_value_of(const struct conf_key *key, void *values)
{
	return (char *)values + key->offset;
}

/* In units, the largest first, so that what a person wrote comes out as people
 * write it. Fractions of a millisecond have no unit: they come as seconds. */
static void
print_duration(int64_t us, struct buf *out)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {{"d", INT64_C(86400000000)},
		     {"h", INT64_C(3600000000)},
		     {"m", INT64_C(60000000)},
		     {"s", INT64_C(1000000)},
		     {"ms", INT64_C(1000)}};
	size_t i;

	if (us == 0 || us % 1000 != 0) {
		buf_addf(out, "%" PRId64, us / 1000000);
		if (us != 0)
			buf_addf(out, ".%06" PRId64, us % 1000000);
		return;
	}
	for (i = 0; i < LEN(units); i++) {
		if (us >= units[i].us)
			buf_addf(out, "%" PRId64 "%s", us / units[i].us,
				 units[i].name);
		us %= units[i].us;
	}
}

/* Only units that divide it, so that nothing is lost. */
static void
print_size(int64_t bytes, struct buf *out)
{
	static const char *const units[] = {"", "k", "m", "g"};
	size_t i = 0;

	while (bytes != 0 && bytes % 1024 == 0 && i + 1 < LEN(units)) {
		bytes /= 1024;
		i++;
	}
	buf_addf(out, "%" PRId64 "%s", bytes, units[i]);
}

/* The word in the place of a duration that has no end. */
static const char NEVER_WORD[] = "never";

static void
print_integer(enum conf_type type, int64_t value, struct buf *out)
{
	if (type == CONF_DURATION)
		print_duration(value, out);
	else if (type == CONF_SIZE)
		print_size(value, out);
	else
		buf_addf(out, "%" PRId64, value);
}

/*
 * An optional key without a value is printed as nothing, and read from nothing.
 */
static bool
is_unset(const struct conf_key *key, int64_t value)
{
	return (key->flags & OPTIONAL) != 0 && value == CONF_UNSET;
}

static bool
is_never(const struct conf_key *key, int64_t value)
{
	return (key->flags & NEVER) != 0 && value == 0;
}

static const char *
level_name(enum log_level level)
{
	static const char *const names[] = {
#define X(name, priority) [LOG_LEVEL_##name] = #name,
	    LOG_LEVELS(X)
#undef X
	};

	return names[level];
}

static const char *
format_name(enum log_format format)
{
	static const char *const names[] = {
#define X(name) [LOG_FORMAT_##name] = #name,
	    LOG_FORMATS(X)
#undef X
	};

	return names[format];
}

static const char *const times_names[] = {
    [CLOCK_FORM_UTC] = "utc", [CLOCK_FORM_NAIVE] = "naive"};
static const char *const adhoc_names[] = {
    [CONF_ADHOC_NO] = "no", [CONF_ADHOC_OWNER] = "owner"};

void
conf_key_print(const struct conf_key *key, const void *values, struct buf *out)
{
	const void *value = (const char *)values + key->offset;

	switch (key->type) {
	case CONF_UINT:
	case CONF_DURATION:
	case CONF_SIZE:
		if (is_never(key, *(const int64_t *)value))
			buf_adds(out, NEVER_WORD);
		else if (!is_unset(key, *(const int64_t *)value))
			print_integer(key->type, *(const int64_t *)value, out);
		break;
	case CONF_BOOL:
		buf_adds(out, *(const bool *)value ? "yes" : "no");
		break;
	case CONF_LEVEL:
		buf_adds(out, level_name(*(const enum log_level *)value));
		break;
	case CONF_FORMAT:
		buf_adds(out, format_name(*(const enum log_format *)value));
		break;
	case CONF_TIMES:
		buf_adds(out, times_names[*(const enum clock_form *)value]);
		break;
	case CONF_ADHOC:
		buf_adds(out, adhoc_names[*(const enum conf_adhoc *)value]);
		break;
	default:
		buf_adds(out, *(char *const *)value);
		break;
	}
}

/* "not a number; allowed: 0 to 1024" */
static int
refuse(const struct conf_key *key, const char *what, struct err *err)
{
	/* The table has the ranges of durations in seconds, values are in µs. */
	double unit = key->type == CONF_DURATION ? 1e6 : 1;
	struct buf text = BUF_INIT;

	print_integer(key->type, (int64_t)(key->min * unit), &text);
	buf_adds(&text, " to ");
	print_integer(key->type, (int64_t)(key->max * unit), &text);
	if ((key->flags & NEVER) != 0)
		buf_addf(&text, ", or %s", NEVER_WORD);
	err_set(err, ERR_CONFIG, "%s; allowed: %s", what,
		text.failed ? "see flowrra.conf(5)" : text.data);
	buf_done(&text);
	return -1;
}

/* Reads digits and, for a SIZE, the unit behind them. strtoumax() alone would
 * also take blanks, "-1" and "+1". */
static int
conf_parse_integer(enum conf_type type, const char *text, int64_t *ret)
{
	static const char units[] = "kmg";
	const char *unit;
	uintmax_t n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	/* Too large a number becomes UINTMAX_MAX, outside every range. */
	n = strtoumax(text, &end, 10);
	if (type == CONF_SIZE && *end != '\0' &&
	    (unit = strchr(units, tolower((unsigned char)*end))) != NULL) {
		end++;
		/* Once for k, twice for m. */
		for (; unit >= units; unit--)
			n = n > INT64_MAX / 1024 ? UINTMAX_MAX : n * 1024;
	}
	if (*end != '\0')
		return -1;
	*ret = n > INT64_MAX ? INT64_MAX : (int64_t)n;
	return 0;
}

static int
set_integer(const struct conf_key *key, int64_t *ret, const char *text,
	    struct err *err)
{
	double unit = key->type == CONF_DURATION ? 1e6 : 1;
	int64_t value;

	if (*text == '\0' && (key->flags & OPTIONAL) != 0) {
		*ret = CONF_UNSET;
		return 0;
	}
	if ((key->flags & NEVER) != 0 && strcasecmp(text, NEVER_WORD) == 0) {
		*ret = 0;
		return 0;
	}
	if (key->type == CONF_DURATION) {
		if (clock_parse_duration(text, &value, NULL) != 0)
			return refuse(key, "not a duration such as 90 or 1h30m",
				      err);
	} else if (conf_parse_integer(key->type, text, &value) != 0) {
		return refuse(key,
			      key->type == CONF_SIZE
				  ? "not a size such as 4096, 512k or 1m"
				  : "not a number",
			      err);
	}
	if ((double)value < key->min * unit || (double)value > key->max * unit)
		return refuse(key, "out of range", err);
	*ret = value;
	return 0;
}

static int
set_bool(bool *ret, const char *text, struct err *err)
{
	/* The first pair is what is printed. */
	static const char *const words[][2] = {
	    {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
	size_t i;

	for (i = 0; i < 2 * LEN(words); i++) {
		if (strcasecmp(text, words[i / 2][i % 2]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return err_set(
	    err, ERR_CONFIG,
	    "not yes or no; allowed: yes, true, on, 1, no, false, off, 0");
}

/* The list of names is joined by the preprocessor, hence the ", " in front. */
static int
set_level(enum log_level *ret, const char *text, struct err *err)
{
#define X(name, priority) ", " #name
	static const char names[] = LOG_LEVELS(X);
#undef X

	if (log_level_parse(text, ret) == 0)
		return 0;
	return err_set(err, ERR_CONFIG, "not a level; allowed: %s",
		       names + strlen(", "));
}

static int
set_format(enum log_format *ret, const char *text, struct err *err)
{
#define X(name) ", " #name
	static const char names[] = LOG_FORMATS(X);
#undef X

#define X(name)                                                                \
	if (strcmp(text, #name) == 0) {                                        \
		*ret = LOG_FORMAT_##name;                                      \
		return 0;                                                      \
	}
	LOG_FORMATS(X)
#undef X
	return err_set(err, ERR_CONFIG, "not a format; allowed: %s",
		       names + strlen(", "));
}

static int
set_times(enum clock_form *ret, const char *text, struct err *err)
{
	size_t i;

	for (i = 0; i < LEN(times_names); i++) {
		if (strcmp(text, times_names[i]) == 0) {
			*ret = (enum clock_form)i;
			return 0;
		}
	}
	return err_set(err, ERR_CONFIG,
		       "not a form of times; allowed: utc, naive");
}

static int
set_adhoc(enum conf_adhoc *ret, const char *text, struct err *err)
{
	size_t i;

	for (i = 0; i < LEN(adhoc_names); i++) {
		if (strcmp(text, adhoc_names[i]) == 0) {
			*ret = (enum conf_adhoc)i;
			return 0;
		}
	}
	return err_set(err, ERR_CONFIG,
		       "not a kind of user; allowed: no, owner");
}

static int
set_string(const struct conf_key *key, void *values, const char *text,
	   struct err *err)
{
	char **value = conf_value_of(key, values);
	char *copy;

	/* All that can fail comes first: a value stays whole on failure. */
	if (conf_key_check_text(key, text, err) != 0)
		return -1;
	if ((copy = strdup(text)) == NULL)
		return err_nomem(err);
	conf_key_clear(key, values);
	*value = copy;
	return 0;
}

/* A secret is overwritten before its memory is used again; a core dump or a
 * later bug that reads freed memory then does not hold it. */
void
conf_key_clear(const struct conf_key *key, void *values)
{
	char **value = conf_value_of(key, values);

	if (!conf_key_is_text(key))
		return;
	if (key->type == CONF_SECRET && *value != NULL)
		explicit_bzero(*value, strlen(*value));
	free(*value);
	*value = NULL;
}

/* All that is not in this list is a text (conf_key_is_text()). */
static int
set_trimmed(const struct conf_key *key, void *values, const char *text,
	    struct err *err)
{
	void *value = conf_value_of(key, values);

	switch (key->type) {
	case CONF_BOOL:
		return set_bool(value, text, err);
	case CONF_LEVEL:
		return set_level(value, text, err);
	case CONF_FORMAT:
		return set_format(value, text, err);
	case CONF_TIMES:
		return set_times(value, text, err);
	case CONF_ADHOC:
		return set_adhoc(value, text, err);
	case CONF_UINT:
	case CONF_DURATION:
	case CONF_SIZE:
		return set_integer(key, value, text, err);
	default:
		return set_string(key, values, text, err);
	}
}

/* Blanks around a value never matter: a credential file usually ends in a line
 * break. */
int
conf_key_set(const struct conf_key *key, void *values, const char *text,
	     struct err *err)
{
	size_t len;
	char *copy;
	int r;

	text += strspn(text, " \t\r\n");
	for (len = strlen(text); len > 0 && strchr(" \t\r\n", text[len - 1]);)
		len--;
	if ((copy = strndup(text, len)) == NULL)
		return err_nomem(err);
	r = set_trimmed(key, values, copy, err);
	/* It may be a password. */
	explicit_bzero(copy, len);
	free(copy);
	return r;
}
