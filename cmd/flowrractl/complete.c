/* SPDX-License-Identifier: MIT */
/*
 * The verbs completion and complete. The shells' scripts are short: they ask
 * `flowrractl complete` what the last word of a line can be, which knows it
 * from the table of verbs, and from the servers.
 */
#include <stdio.h>
#include <string.h>

#include "candidates.h"
#include "util/err.h"
#include "verb.h"

/* A person has pressed a key and waits. 0.3 s is enough for a server on the
 * same continent, and short enough to be taken for a slow terminal where there
 * is none. They come last on the list, and so override what the line says. */
static const char *const quick[] = {"broker.socket_timeout=0.3",
				    "backend.socket_timeout=0.3"};

/* What is known of a line before its last word. `verb` is set as soon as the
 * words so far name one; `option` only between an option that takes a value and
 * that value. */
struct line {
	const struct verb *verb; /* NULL: not yet */
	char *words[3];		 /* the first that are not options */
	int n;
	bool group; /* the next word may be the second of a name */
	const struct option_spec *option; /* whose value comes next */
};

/* --- options ----------------------------------------------------------- */

/* By its long name or its letter, as a word of its own. --name=value and
 * letters in a bunch are not understood: then files are offered, which is what
 * the shell does for any other word. */
static const struct option_spec *
find_in(const struct option_spec *options, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((strncmp(word, "--", 2) == 0 &&
		     strcmp(word + 2, options[i].name) == 0) ||
		    (options[i].letter != 0 && word[1] == options[i].letter &&
		     word[2] == '\0'))
			return &options[i];
	return NULL;
}

/* A verb's own option goes before a global one with the same letter, as
 * options_parse() has it. */
static const struct option_spec *
find_option(const struct line *line, const char *word)
{
	const struct option_spec *found = NULL;

	if (line->verb != NULL)
		found =
		    find_in(line->verb->options, line->verb->n_options, word);
	return found != NULL ? found
			     : find_in(global_options, n_global_options, word);
}

/* Only long names: one letter is typed sooner than it is completed. */
static void
print_options_of(const struct option_spec *options, size_t n,
		 const char *prefix)
{
	char word[64];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(word, sizeof(word), "--%s", options[i].name);
		print_candidate(word, options[i].help, prefix);
	}
}

/* The value of an option, as --help calls it, says what it is. */
static enum word_kind
kind_of(const struct option_spec *option)
{
	static const struct {
		const char *arg;
		enum word_kind kind;
	} kinds[] = {{"QUEUE", WORD_QUEUE},    {"queue", WORD_QUEUE},
		     {"NAME", WORD_TASK_NAME}, {"name", WORD_TASK_NAME},
		     {"WORKER", WORD_WORKER},  {"ID", WORD_TASK_ID}};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(option->arg, kinds[i].arg) == 0)
			return kinds[i].kind;
	return WORD_ANY;
}

/* --- verbs ------------------------------------------------------------- */

/* The verbs, or with `group` the second words of those that begin so. */
static void
print_verbs(const char *group, const char *prefix)
{
	const size_t len = group != NULL ? strlen(group) : 0;
	char word[32], last[32] = "";
	const char *name, *space;
	size_t i;

	for (i = 0; verbs[i] != NULL; i++) {
		name = verbs[i]->name;
		space = strchr(name, ' ');
		if (group != NULL) {
			if (space != NULL && (size_t)(space - name) == len &&
			    strncmp(name, group, len) == 0)
				print_candidate(space + 1, verbs[i]->summary,
						prefix);
			continue;
		}
		/* Those of a group stand together, with the verb that has its
		 * name. */
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "),
			 name);
		if (strcmp(word, last) != 0)
			print_candidate(word,
					space == NULL ? verbs[i]->summary : "",
					prefix);
		memcpy(last, word, sizeof(last));
	}
}

/* --- the line ---------------------------------------------------------- */

/* Errors are ignored: a value that is wrong will be complained of when the line
 * is run. */
static void
take_setting(struct ctl *ctl, const struct option_spec *option,
	     const char *value)
{
	if (strcmp(option->name, "config") == 0 ||
	    strcmp(option->name, "set") == 0)
		value_set(&option->value, value, &ctl->globals, NULL);
}

/* Reads what stands before the last word, as run() in main.c will read it. */
static void
read_line(struct ctl *ctl, int n, char **words, struct line *line)
{
	int i, used;

	for (i = 0; i < n; i++) {
		if (line->option != NULL) {
			/* The servers that the line is about are asked. */
			take_setting(ctl, line->option, words[i]);
			line->option = NULL;
		} else if (words[i][0] == '-') {
			line->option = find_option(line, words[i]);
			if (line->option != NULL &&
			    (line->option->arg == NULL ||
			     strncmp(line->option->arg, "[=", 2) == 0))
				line->option = NULL;
		} else if (line->n < 2 && (line->verb == NULL || line->group)) {
			line->words[line->n++] = words[i];
			line->group =
			    line->n == 1 && is_group(group_word(words[i]));
			line->verb = find_verb(line->n, line->words, &used);
		}
	}
}

/* For a word that is a verb, or the second word of one. */
static void
print_verbs_after(const char *before, const struct verb *verb,
		  const char *prefix)
{
	print_verbs(strcmp(before, verb->name) != 0 ? group_word(before) : NULL,
		    prefix);
}

/* The last of argv is the word under the cursor; it may be empty. To have no
 * candidates is not an error. */
static int
run_complete(struct ctl *ctl, int argc, char **argv, void *options)
{
	const char *prefix = argc > 0 ? argv[argc - 1] : "";
	struct line line = {.verb = NULL};
	size_t i;

	read_line(ctl, argc - 1, argv, &line);
	for (i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
		if (ctl->globals.settings.n < VALUE_LIST_MAX)
			ctl->globals.settings.items[ctl->globals.settings.n++] =
			    quick[i];
	if (line.option != NULL) {
		print_candidates(ctl, kind_of(line.option), prefix);
	} else if (prefix[0] == '-') {
		if (line.verb != NULL)
			print_options_of(line.verb->options,
					 line.verb->n_options, prefix);
		print_options_of(global_options, n_global_options, prefix);
	} else if (line.verb == NULL || line.group) {
		print_verbs(line.n > 0 ? group_word(line.words[0]) : NULL,
			    prefix);
		/* "queue io" would not be "queues io". */
		if (line.verb != NULL &&
		    strcmp(line.verb->name, line.words[0]) == 0)
			print_candidates(ctl, line.verb->words, prefix);
	} else if (line.verb->words == WORD_VERB) {
		print_verbs_after(argv[argc - 2], line.verb, prefix);
	} else {
		print_candidates(ctl, line.verb->words, prefix);
	}
	return 0;
}

const struct verb verb_complete = {
    .name = "complete",
    .summary = "Print the candidates for the last word (used by shells)",
    .usage = "-- WORD...",
    .max_args = -1,
    .words = WORD_VERB,
    .run = run_complete,
};

/* --- scripts ----------------------------------------------------------- */

/* bash takes words apart at colons, which are in the names of workers. */
static const char bash[] =
    "_flowrractl()\n"
    "{\n"
    "\tlocal line=${COMP_LINE:0:COMP_POINT} words word candidate\n"
    "\tread -ra words <<<\"$line\"\n"
    "\t[[ $line == *[[:space:]] ]] && words+=('')\n"
    "\tword=${words[-1]}\n"
    "\tCOMPREPLY=()\n"
    "\twhile IFS=$'\\t' read -r candidate _; do\n"
    "\t\tCOMPREPLY+=(\"${candidate#\"${word%\"${word##*:}\"}\"}\")\n"
    "\tdone < <(flowrractl complete -- \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -o bashdefault -o default -F _flowrractl flowrractl\n";

/* zsh's _describe takes "word:description", so that colons in words are quoted.
 * The last lines work for a file in $fpath as well as for eval. */
static const char zsh[] =
    "#compdef flowrractl\n"
    "_flowrractl()\n"
    "{\n"
    "\tlocal -a candidates lines\n"
    "\tlocal line\n"
    "\tlines=(\"${(@f)$(flowrractl complete -- "
    "\"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "\tfor line in $lines; do\n"
    "\t\tcandidates+=(\"${${line%%$'\\t'*}//:/\\\\\\\\:}:${line#*$'\\t'}\")\n"
    "\tdone\n"
    "\tif (( $#candidates )); then\n"
    "\t\t_describe flowrractl candidates\n"
    "\telse\n"
    "\t\t_files\n"
    "\tfi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _flowrractl ]; then\n"
    "\t_flowrractl \"$@\"\n"
    "else\n"
    "\tcompdef _flowrractl flowrractl\n"
    "fi\n";

/* fish takes candidates as they are printed, with the tab. */
static const char fish[] =
    "function __flowrractl_complete\n"
    "\tset -l words (commandline -opc) (commandline -ct)\n"
    "\tset -l candidates (flowrractl complete -- $words[2..-1] 2>/dev/null)\n"
    "\tif set -q candidates[1]\n"
    "\t\tprintf '%s\\n' $candidates\n"
    "\telse\n"
    "\t\t__fish_complete_path (commandline -ct)\n"
    "\tend\n"
    "end\n"
    "complete -c flowrractl -f -a '(__flowrractl_complete)'\n";

static int
run_completion(struct ctl *ctl, int argc, char **argv, void *options)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	size_t i;

	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(argv[0], scripts[i].shell) == 0) {
			fputs(scripts[i].script, stdout);
			return 0;
		}
	}
	complain(
	    ctl,
	    "no completion for shell \"%.32s\"; supported: bash, zsh, fish",
	    argv[0]);
	return err_exit_status(ERR_USAGE);
}

const struct verb verb_completion = {
    .name = "completion",
    .summary = "Print a completion script for a shell",
    .usage = "bash|zsh|fish",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SHELL,
    .run = run_completion,
};
