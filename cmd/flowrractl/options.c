/* SPDX-License-Identifier: MIT */
/* Parsing options as tables say, with getopt_long(). It is the one parser that
 * every user's fingers know; what it does not do, values with types and ranges,
 * is manager/value.h's. */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "style.h"
#include "util/clock.h"
#include "util/closest.h"
#include "util/err.h"
#include "verb.h"

/* The longest table (submit, with all task options) and the global ones have
 * about 45 together. add_options() leaves out what is beyond: raise this before
 * the tables come near it. */
#define OPTIONS_MAX 64

#define GLOBAL(option, short_form, value_name, kind, member, text)             \
	VERB_OPTION(struct globals, short_form, option, value_name, kind,      \
		    member, 0, 0, text)

const struct option_spec global_options[] = {
    GLOBAL("config", 'c', "FILE", TEXT, config_file,
	   "read this configuration file"),
    GLOBAL("set", 'o', "SECTION.KEY=VALUE", LIST, settings,
	   "set a configuration key"),
    GLOBAL("user", 0, NULL, FLAG, user,
	   "use your own store, as run does, and not that of the services"),
    GLOBAL("dump-config", 0, NULL, FLAG, dump_config,
	   "print the effective configuration"),
    GLOBAL("json", 0, "[=FIELDS]", TEXT, json_fields,
	   "print JSON; only these members, with commas between"),
    GLOBAL("format", 0, "TEMPLATE", TEXT, format,
	   "print each object so, as in '{task_id}\\t{queue}'"),
    GLOBAL("columns", 0, "NAMES", TEXT, columns,
	   "of a table, these columns, with commas between"),
    GLOBAL("sort", 0, "[-]NAME", TEXT, sort,
	   "sort a list by this column; -NAME: the other way"),
    GLOBAL("no-headers", 0, NULL, FLAG, no_headers,
	   "on a terminal, print a table without its header"),
    GLOBAL("wide", 'w', NULL, FLAG, wide,
	   "on a terminal, cut nothing and leave nothing out"),
    GLOBAL("absolute", 0, NULL, FLAG, absolute,
	   "on a terminal, print times in UTC, not from now"),
    GLOBAL("color", 0, "WHEN", TEXT, color_word,
	   "auto (the default), always or never"),
    GLOBAL("watch", 0, "[=DURATION]", TEXT, watch_period,
	   "print a list again and again; every 2s by default"),
    GLOBAL("quiet", 'q', NULL, FLAG, quiet,
	   "print no messages to standard error"),
    GLOBAL("help", 'h', NULL, FLAG, help, "print help"),
    GLOBAL("version", 'V', NULL, FLAG, version, "print the version"),
};
const size_t n_global_options =
    sizeof(global_options) / sizeof(global_options[0]);

#define US_PER_S 1e6
/* As watch(1) does; more often than WATCH_MIN_US no person can read. */
#define WATCH_US INT64_C(2000000)
#define WATCH_MIN_US INT64_C(100000)

/* Where an option's value goes: the table's row, and the struct whose member it
 * names. */
struct target {
	const struct option_spec *spec;
	void *base;
};

/* Tables in the form that getopt_long() wants. Codes from 256 on are long
 * options, so that they never meet those of letters, of '?', ':' and the 1 of
 * words. */
struct parser {
	struct option longs[OPTIONS_MAX + 1];
	struct target targets[OPTIONS_MAX]; /* longs[i].val is 256 + i */
	char shorts[2 * OPTIONS_MAX + 3];
	int n;
};

/* The verb's own are added before the global ones: find() takes the first that
 * fits, so that a verb may give a letter another meaning. */
static void
add_options(struct parser *p, const struct option_spec *specs, size_t n,
	    void *base)
{
	size_t i, len;

	for (i = 0; i < n && p->n < OPTIONS_MAX; i++, p->n++) {
		p->targets[p->n] = (struct target){&specs[i], base};
		p->longs[p->n] = (struct option){
		    .name = specs[i].name,
		    .has_arg =
			specs[i].arg == NULL ? no_argument
			: specs[i].arg[0] == '[' && specs[i].arg[1] == '='
			    ? optional_argument
			    : required_argument,
		    .val = 256 + p->n,
		};
		if (specs[i].letter == 0)
			continue;
		len = strlen(p->shorts);
		p->shorts[len++] = specs[i].letter;
		if (specs[i].arg != NULL)
			p->shorts[len++] = ':';
		p->shorts[len] = '\0';
	}
}

/* NULL: it is neither a long option nor the letter of one. */
static const struct target *
find(const struct parser *p, int code)
{
	int i;

	if (code >= 256)
		return &p->targets[code - 256];
	for (i = 0; i < p->n; i++)
		if (p->targets[i].spec->letter == code)
			return &p->targets[i];
	return NULL;
}

/* Whether the word is no long option, or one with its whole name. getopt_long()
 * takes the beginning of a name, too: then each new option could change what
 * scripts mean that abbreviate another one. */
static bool
has_exact_name(const struct parser *p, const char *word)
{
	size_t len;
	int i;

	if (word == NULL || strncmp(word, "--", 2) != 0 || word[2] == '\0')
		return true;
	len = strcspn(word + 2, "=");
	for (i = 0; i < p->n; i++)
		if (strncmp(p->targets[i].spec->name, word + 2, len) == 0 &&
		    p->targets[i].spec->name[len] == '\0')
			return true;
	return false;
}

static int
wrong_long(const struct parser *p, const char *word, struct err *err)
{
	char typed[64], close[CLOSEST_TEXT_SIZE] = "";
	struct closest closest = CLOSEST_INIT(typed);
	size_t len, i;
	int n;

	snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(word + 2, "="),
		 word + 2);
	for (n = 0; n < p->n; n++)
		closest_offer(&closest, p->targets[n].spec->name);
	for (i = 0; i < closest.count; i++) {
		len = strlen(close);
		snprintf(close + len, sizeof(close) - len, "%s--%s",
			 i > 0 ? ", " : "", closest.best[i].name);
	}
	return err_set(err, ERR_USAGE, "unknown option --%s%s%s%s", typed,
		       close[0] != '\0' ? "; did you mean " : "", close,
		       close[0] != '\0' ? "?" : "");
}

/* getopt_long() has found something wrong with an option. */
static int
wrong(const struct parser *p, int code, struct err *err)
{
	const struct target *target = find(p, optopt);

	/* getopt_long() says little of what it did not like: a missing value is
	 * ':', and all else is '?'. optopt is a long option's code if that was
	 * known. */
	if (code == ':' && target != NULL)
		return err_set(err, ERR_USAGE, "--%s needs a value: %s",
			       target->spec->name, target->spec->arg);
	if (optopt >= 256 && target != NULL)
		return err_set(err, ERR_USAGE, "--%s takes no value",
			       target->spec->name);
	return err_set(err, ERR_USAGE, "unknown option -%c", optopt);
}

/* An option without a value is a flag, and becomes true. One that may have a value,
 * and has none, is an empty text. */
static int
store(const struct target *target, const char *text, struct err *err)
{
	const struct option_spec *spec = target->spec;
	struct err why = ERR_INIT;

	if (text == NULL)
		text = spec->arg != NULL ? "" : "true";
	if (value_set(&spec->value, text, target->base, &why) == 0)
		return 0;
	return err_set(err, ERR_DATA, "--%s %s", spec->name, why.msg);
}

/* What options of all verbs say in a text. */
static int
complete_globals(struct globals *g, struct err *err)
{
	const char *fields = g->json_fields;
	int64_t us = WATCH_US;

	if (g->color_word != NULL && !style_read_when(g->color_word, &g->color))
		return err_set(err, ERR_USAGE,
			       "--color \"%.32s\": not auto, always or never",
			       g->color_word);
	if (g->watch_period != NULL && g->watch_period[0] != '\0' &&
	    clock_parse_duration(g->watch_period, &us, err) != 0)
		return err_prefix(err, "--watch");
	if (us < WATCH_MIN_US)
		return err_set(err, ERR_USAGE, "--watch: at least 100ms");
	g->watch_s = g->watch_period != NULL ? (double)us / US_PER_S : 0;
	if (fields != NULL && g->format != NULL)
		return err_set(err, ERR_USAGE,
			       "cannot use --format with --json");
	/* A template is filled from the same JSON. */
	g->json = fields != NULL || g->format != NULL;
	if (fields != NULL && fields[0] == '\0')
		fields = NULL;
	return format_choose(g->format, fields, err);
}

/* "-1" and "-.5" are arguments of tasks; no option of ours is a digit. */
static bool
is_negative_number(const char *word)
{
	return word != NULL && word[0] == '-' &&
	       (isdigit((unsigned char)word[1]) ||
		(word[1] == '.' && isdigit((unsigned char)word[2])));
}

int
options_parse(const struct verb *verb, int argc, char **argv,
	      struct globals *globals, void *options, char **words,
	      struct err *err)
{
	/* "-": words come in their order, as code 1; "+": stop at the first. */
	struct parser p = {.shorts = "+:"};
	const char *next;
	int n = 0, code;

	if (verb != NULL) {
		p.shorts[0] = verb->is_prefix ? '+' : '-';
		add_options(&p, verb->options, verb->n_options, options);
	}
	add_options(&p, global_options, n_global_options, globals);
	/* 0 and not 1 makes glibc start over, with another set of letters: it
	 * is called twice, for the program and for the verb. */
	optind = 0;
	opterr = 0;
	for (;;) {
		/* getopt_long() would take -1 for an option. */
		if (verb != NULL && !verb->is_prefix && optind > 0 &&
		    is_negative_number(argv[optind])) {
			words[n++] = argv[optind++];
			continue;
		}
		next = argv[optind > 0 ? optind : 1];
		if (!has_exact_name(&p, next))
			return wrong_long(&p, next, err);
		if ((code = getopt_long(argc, argv, p.shorts, p.longs, NULL)) ==
		    -1)
			break;
		if (code == 1)
			words[n++] = optarg;
		else if (code == '?' || code == ':')
			return wrong(&p, code, err);
		else if (store(find(&p, code), optarg, err) != 0)
			return -1;
	}
	/* What follows "--", or the first word before the verb is known. */
	while (optind < argc)
		words[n++] = argv[optind++];
	return complete_globals(globals, err) == 0 ? n : -1;
}
