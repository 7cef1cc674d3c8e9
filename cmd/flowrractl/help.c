/* SPDX-License-Identifier: MIT */
/* The verbs help and version, and all help texts. They are printed from the
 * tables of verbs and options, so that no text can be out of step with the
 * program; the manual page is compared with the JSON form by a unit test. */
#include <stdio.h>
#include <string.h>

#include "flowrra/client.h"
#include "pager.h"
#include "util/err.h"
#include "verb.h"

/* What a terminal has at least, and a page of 80 columns in a manual. */
#define HELP_COLUMNS 79

/* Prints a text that begins in a column, in lines that go on in the same one. */
static void
print_wrapped(const char *text, size_t column)
{
	const size_t room = HELP_COLUMNS - column;
	size_t len, i;

	while (strlen(text) > room) {
		for (i = room; i > 0 && text[i] != ' '; i--)
			;
		len = i > 0 ? i : room;
		printf("%.*s\n%*s", (int)len, text, (int)column, "");
		text += len + (i > 0);
	}
	puts(text);
}

/* The columns of GNU programs: letter, long name and value to the left of
 * column 36, which fits all but the longest, and the help behind it. */
static void
print_option(const struct option_spec *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%c --%s%s%s",
		 o->letter != 0 ? '-' : ' ', o->letter != 0 ? o->letter : ' ',
		 o->letter != 0 ? ',' : ' ', o->name,
		 o->arg != NULL && strncmp(o->arg, "[=", 2) != 0 ? " " : "",
		 o->arg != NULL ? o->arg : "");
	printf("  %-32s ", left);
	print_wrapped(o->help, 35);
}

static void
print_options(const struct option_spec *options, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		print_option(&options[i]);
}

/* From the one table of error codes: a status is the code of what was wrong. */
static void
print_statuses(void)
{
#define X(code, status, text) printf("  %3d  %s\n", status, text);
	ERR_CODES(X)
#undef X
}

static void
print_summary(const struct verb *verb)
{
	printf("  %-18s ", verb->name);
	print_wrapped(verb->summary, 21);
}

static const struct {
	const char *verb, *line;
} examples[] = {
#define EXAMPLE(verb, line) {verb, line},
#include "examples.def"
#undef EXAMPLE
};

static void
print_examples(const struct verb *verb)
{
	bool first = true;
	size_t i;

	for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		if (strcmp(examples[i].verb, verb->name) != 0)
			continue;
		if (first)
			printf("\nExamples:\n");
		printf("  flowrractl %s\n", examples[i].line);
		first = false;
	}
}

/* Verbs of two words with this first one, such as "tasks". */
static void
print_subcommands(const char *word)
{
	const size_t length = strlen(word);
	size_t i;

	for (i = 0; verbs[i] != NULL; i++)
		/* With the space, so that "task" is not the beginning of
		 * "tasks". */
		if (strncmp(verbs[i]->name, word, length) == 0 &&
		    verbs[i]->name[length] == ' ')
			print_summary(verbs[i]);
}

bool
print_help_group(const char *word)
{
	const char *group = group_word(word);
	char *words[] = {(char *)word};
	const struct verb *alone;
	int used;

	if (!is_group(group))
		return false;
	alone = find_verb(1, words, &used);
	/* That of a verb lists the others of its group. */
	if (alone != NULL && strcmp(alone->name, group) == 0) {
		print_help(alone);
		return true;
	}
	printf("Usage: flowrractl %s %s [ARGUMENT...]\n\nCommands:\n", group,
	       alone != NULL ? "[COMMAND]" : "COMMAND");
	print_subcommands(group);
	if (alone != NULL)
		printf("\n\"flowrractl %s\" alone: %s.\n", word,
		       alone->summary);
	printf("\nMore: flowrractl %s COMMAND --help, man flowrractl\n", group);
	return true;
}

void
print_help(const struct verb *verb)
{
	size_t i;

	pager_open();
	if (verb != NULL) {
		printf("Usage: flowrractl %s%s%s\n%s.\n", verb->name,
		       verb->usage[0] != '\0' ? " " : "", verb->usage,
		       verb->summary);
		if (verb->alias != NULL)
			printf("\"flowrractl %s\" is the same command.\n",
			       verb->alias);
		print_examples(verb);
		if (verb->n_options > 0)
			printf("\nOptions:\n");
		print_options(verb->options, verb->n_options);
		if (is_group(verb->name)) {
			printf("\nCommands of this group:\n");
			print_subcommands(verb->name);
		}
	} else {
		printf("Usage: flowrractl [OPTION...] COMMAND [ARGUMENT...]\n"
		       "Submits and manages Flowrra tasks.\n\n"
		       "Commands:\n");
		for (i = 0; verbs[i] != NULL; i++)
			print_summary(verbs[i]);
	}
	printf("\n"
	       "Options of all commands:\n");
	print_options(global_options, n_global_options);
	if (verb == NULL) {
		printf("\nExit status:\n");
		print_statuses();
	}
	printf("\nMore: man flowrractl\n");
}

/* --- as JSON ----------------------------------------------------------- */

/* By hand and not with jansson: the order of members, and with it the text,
 * stays as it is here. */
static void
print_options_json(const struct option_spec *options, size_t n)
{
	size_t i;

	printf("\"options\":[");
	for (i = 0; i < n; i++) {
		printf("%s{\"name\":\"%s\",\"arg\":", i > 0 ? "," : "",
		       options[i].name);
		if (options[i].arg != NULL)
			print_quoted(options[i].arg);
		else
			printf("null");
		printf(",\"help\":");
		print_quoted(options[i].help);
		printf("}");
	}
	printf("]");
}

void
print_help_json(void)
{
	size_t i;

	printf("{\"verbs\":[");
	for (i = 0; verbs[i] != NULL; i++) {
		printf("%s{\"name\":\"%s\",\"summary\":", i > 0 ? "," : "",
		       verbs[i]->name);
		print_quoted(verbs[i]->summary);
		printf(",\"usage\":");
		print_quoted(verbs[i]->usage);
		printf(",");
		print_options_json(verbs[i]->options, verbs[i]->n_options);
		printf("}");
	}
	printf("],");
	print_options_json(global_options, n_global_options);
	printf("}\n");
}

/* --- verbs ------------------------------------------------------------- */

/* "help tasks retry", "help tasks", "help": as --help behind the same words. */
static int
run_help(struct ctl *ctl, int argc, char **argv, void *options)
{
	const char *second = argc > 1 ? argv[1] : "";
	const struct verb *verb;
	struct err err = ERR_INIT;
	char name[64];
	size_t i;
	int used;

	if (ctl->globals.json || argc == 0) {
		ctl->globals.json ? print_help_json() : print_help(NULL);
		return 0;
	}
	snprintf(name, sizeof(name), "%s%s%s", argv[0], argc > 1 ? " " : "",
		 second);
	for (i = 0; verbs[i] != NULL; i++) {
		if (strcmp(verbs[i]->name, name) == 0) {
			print_help(verbs[i]);
			return 0;
		}
	}
	if (argc == 1 && print_help_group(argv[0]))
		return 0;
	if ((verb = find_verb(argc, argv, &used)) != NULL) {
		print_help(verb);
		return 0;
	}
	unknown_verb(argc, argv, &err);
	complain(ctl, "%s%s", err.msg,
		 err.msg[strlen(err.msg) - 1] == '?'
		     ? ""
		     : "; see flowrractl --help");
	return err_exit_status(ERR_USAGE);
}

const struct verb verb_help = {
    .name = "help",
    .summary = "Print help on a command, or on all",
    .usage = "[COMMAND]",
    .max_args = 2,
    .words = WORD_VERB,
    .run = run_help,
};

static int
run_version(struct ctl *ctl, int argc, char **argv, void *options)
{
	printf(ctl->globals.json ? "{\"version\":\"%s\"}\n" : "flowrractl %s\n",
	       flowrra_version());
	return 0;
}

const struct verb verb_version = {
    .name = "version",
    .summary = "Print the version",
    .usage = "",
    .run = run_version,
};
