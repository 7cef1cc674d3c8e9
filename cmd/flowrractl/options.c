/* SPDX-License-Identifier: MIT */
/* Parsing options as tables say, with getopt_long(). It is the one parser that
 * every user's fingers know; what it does not do, values with types and ranges,
 * is manager/value.h's. */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "util/closest.h"
#include "util/err.h"
#include "verb.h"

/* The longest table (submit, with all task options) and the global ones have
 * about 30 together. add_options() leaves out what is beyond: raise this before
 * the tables come near it. */
#define OPTIONS_MAX 48

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
    GLOBAL("json", 0, NULL, FLAG, json, "print JSON"),
    GLOBAL("quiet", 'q', NULL, FLAG, quiet,
	   "print no messages to standard error"),
    GLOBAL("help", 'h', NULL, FLAG, help, "print help"),
    GLOBAL("version", 'V', NULL, FLAG, version, "print the version"),
};
const size_t n_global_options =
    sizeof(global_options) / sizeof(global_options[0]);

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
			specs[i].arg != NULL ? required_argument : no_argument,
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

/* Of a long option that is unknown, or the beginning of several. */
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
	return err_set(err, ERR_USAGE,
		       "unknown or ambiguous option \"%.64s\"%s%s%s", word,
		       close[0] != '\0' ? "; did you mean " : "", close,
		       close[0] != '\0' ? "?" : "");
}

/* getopt_long() has found something wrong with the word before optind. */
static int
wrong(const struct parser *p, int code, char **argv, struct err *err)
{
	const char *word = argv[optind - 1];
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
	if (strncmp(word, "--", 2) == 0)
		return wrong_long(p, word, err);
	return err_set(err, ERR_USAGE, "unknown option \"-%c\"", optopt);
}

/* An option without a value is a flag, and becomes true. */
static int
store(const struct target *target, const char *text, struct err *err)
{
	const struct option_spec *spec = target->spec;

	struct err why = ERR_INIT;

	if (value_set(&spec->value, spec->arg != NULL ? text : "true",
		      target->base, &why) == 0)
		return 0;
	return err_set(err, ERR_DATA, "--%s %s", spec->name, why.msg);
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
		if ((code = getopt_long(argc, argv, p.shorts, p.longs, NULL)) ==
		    -1)
			break;
		if (code == 1)
			words[n++] = optarg;
		else if (code == '?' || code == ':')
			return wrong(&p, code, argv, err);
		else if (store(find(&p, code), optarg, err) != 0)
			return -1;
	}
	/* What follows "--", or the first word before the verb is known. */
	while (optind < argc)
		words[n++] = argv[optind++];
	return n;
}
