/* SPDX-License-Identifier: MIT */
/*
 * What a value could be in a command line besides data.
 *
 * The table names programs that run what they are given, and where: it cannot
 * name all, so it is for warnings. A value as an option is a danger with every
 * program ("-o|command" to psql, "-i" to sed), and is refused when a task runs.
 */
#include "util/argv_guard.h"

#include <string.h>

#include "util/argv_template.h"

#define DIGITS "0123456789"

struct program {
	const char *names; /* with blanks around each */
	/* Options whose value is run, or names a file that is. */
	const char *code;
	/* Short options that take a word, to tell values from operands. */
	const char *values;
	/* The operand that is run, counted from 1; 0: none. */
	unsigned int operand;
	bool from;     /* also all that follow it */
	bool wraps;    /* the operand is another program */
	bool replaced; /* not if one of `code` was given */
	bool ends;     /* what follows a value of `code` is not an option */
};

static const struct program programs[] = {
    {.names = " sh bash dash ash ksh mksh zsh fish csh tcsh ", .ends = true},
    {.names = " python pypy ", .code = " -c ", .values = "cmWX", .ends = true},
    {.names = " perl ", .code = " -e -E -M -m -I ", .values = "eEMmI"},
    {.names = " ruby lua Rscript ", .code = " -e -r ", .values = "er"},
    {.names = " node nodejs ",
     .code = " -e -p --eval --print -r --require ",
     .values = "epr"},
    {.names = " php ", .code = " -r -B -R -E -d ", .values = "rBREdf"},
    {.names = " psql ", .code = " -c --command ", .values = "cdfhopUv"},
    {.names = " mysql mariadb ",
     .code = " -e --execute --init-command ",
     .values = "ehPuSD"},
    {.names = " sqlite3 ", .code = " -cmd ", .operand = 2, .from = true},
    {.names = " mongo mongosh ", .code = " --eval "},
    {.names = " awk gawk mawk nawk ",
     .code = " -e --source -f --file ",
     .values = "efFv",
     .operand = 1,
     .replaced = true},
    {.names = " sed gsed ",
     .code = " -e --expression -f --file ",
     .values = "efl",
     .operand = 1,
     .replaced = true},
    {.names = " jq ",
     .code = " -f --from-file ",
     .values = "fL",
     .operand = 1,
     .replaced = true},
    {.names = " ssh ",
     .code = " -o -F ",
     .values = "BbcDEeFIiJLlmOopQRSWw",
     .operand = 2,
     .from = true},
    {.names = " scp sftp ", .code = " -o -S -F ", .values = "cDFiJloPS"},
    {.names = " git ",
     .code =
	 " -c --upload-pack --receive-pack --exec-path --config-env --exec -x ",
     .values = "cC"},
    {.names = " tar gtar bsdtar ",
     .code = " -I -F --use-compress-program --to-command --checkpoint-action "
	     "--rsh-command --info-script --new-volume-script ",
     .values = "ICFfT"},
    {.names = " rsync ", .code = " -e --rsh --rsync-path ", .values = "efBMT"},
    {.names = " curl ", .code = " -K --config ", .values = "KodHuXeFT"},
    {.names = " wget ",
     .code = " -e --execute --use-askpass ",
     .values = "eOPoi"},
    {.names = " find ", .code = " -exec -execdir -ok -okdir "},
    {.names = " make gmake ",
     .code = " --eval -f --file --makefile ",
     .values = "fCjIoW",
     .operand = 1,
     .from = true},
    {.names = " socat watch parallel ",
     .values = "n",
     .operand = 1,
     .from = true},
    {.names = " su runuser script flock ",
     .code = " -c --command ",
     .values = "cguGsw"},
    {.names = " gdb ",
     .code = " -ex -x --eval-command --command ",
     .values = "xp"},
    {.names = " env ",
     .code = " -S --split-string ",
     .values = "uCS",
     .operand = 1,
     .wraps = true},
    {.names = " sudo doas ",
     .values = "ughpCrtTUDR",
     .operand = 1,
     .wraps = true},
    {.names =
	 " nice ionice nohup setsid stdbuf setpriv systemd-run xargs time ",
     .values = "ncpuieoLPIdsEa",
     .operand = 1,
     .wraps = true},
    {.names = " timeout chroot taskset chrt ",
     .values = "ks",
     .operand = 2,
     .wraps = true},
};
#define N_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

/* Whether a text with blanks around each word has this one. */
static bool
has_word(const char *list, const char *word, size_t len)
{
	const char *p;

	for (p = list; (p = strchr(p, ' ')) != NULL; p++)
		if (strncmp(p + 1, word, len) == 0 && p[len + 1] == ' ')
			return len > 0;
	return false;
}

static const char *
base_name(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash != NULL ? slash + 1 : word;
}

static const struct program *
program_named(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < N_PROGRAMS; i++)
		if (has_word(programs[i].names, name, len))
			return &programs[i];
	return NULL;
}

/* Systems add a version to some names: python3.11, php8.2, lua5.4. */
static const struct program *
program_of(const char *word)
{
	const char *name = base_name(word);
	size_t len = strlen(name);
	const struct program *p = program_named(name, len);

	while (len > 0 && strchr(DIGITS ".-", name[len - 1]) != NULL)
		len--;
	return p != NULL ? p : program_named(name, len);
}

/*
 * The last word before `i` that names a program of the table, and begins a
 * command: the first word, or one behind a program that wraps others. Otherwise
 * the first word, with NULL.
 */
static size_t
find_program(const struct argv_template *t, size_t i,
	     const struct program **ret_program)
{
	const struct program *p = program_of(argv_template_prefix(t, 0)), *next;
	size_t n, at = 0;

	for (n = 1; n < i && p != NULL && p->wraps; n++) {
		if (!argv_template_is_fixed(t, n) ||
		    (next = program_of(argv_template_prefix(t, n))) == NULL)
			continue;
		p = next;
		at = n;
	}
	*ret_program = p;
	return at;
}

/* --- shells --------------------------------------------------------------- */

static bool
is_option(const char *word)
{
	return word[0] == '-' || word[0] == '+';
}

/* "-c", "-ec". */
static bool
is_script_option(const char *word)
{
	return word[0] == '-' && word[1] != '-' && strchr(word, 'c') != NULL;
}

/*
 * The word that is the text of a shell's script, or the number of words.
 * Between the option that announces it and that text more options may stand:
 * sh -c -e -o nounset 'text'. A shell is looked for everywhere, for what starts
 * one, as find -exec does, is not always in the table.
 */
static size_t
find_script(const struct argv_template *t)
{
	bool shell = false, announced = false, named = false;
	const char *word;
	size_t i;

	for (i = 0; i < argv_template_count(t); i++) {
		word = argv_template_prefix(t, i);
		if (!argv_template_is_fixed(t, i))
			return announced ? i : argv_template_count(t);
		if (is_option(word)) {
			announced =
			    announced || (shell && is_script_option(word));
			named = word[1] != '-' && strpbrk(word, "oO") != NULL;
		} else if (announced && !named) {
			return i;
		} else {
			named = false; /* the name that -o wants */
		}
		shell = shell || program_of(word) == &programs[0];
	}
	return i;
}

/* --- other programs ------------------------------------------------------- */

/* Whether the option of word `n`, as far as it is fixed, is one of `code` whose
 * value comes next: in the same word, or the next one. */
static bool
announces_code(const struct program *p, const char *word, size_t len)
{
	char option[3] = {'-', '\0', '\0'};

	if (p->code == NULL || word[0] != '-' || len < 2)
		return false;
	if (has_word(p->code, word, len))
		return true;
	/* psql -qc 'text' */
	option[1] = word[len - 1];
	return word[1] != '-' && has_word(p->code, option, 2);
}

/* Of a word with a placeholder: "--command={0}", "-c{0}". */
static bool
holds_code(const struct program *p, const char *prefix)
{
	return announces_code(p, prefix, strcspn(prefix, "="));
}

/* Whether the option of this word has its value in the next one. */
static bool
wants_value(const struct program *p, const char *word)
{
	const size_t len = strlen(word);

	return p->values != NULL && len > 1 && word[1] != '-' &&
	       strchr(p->values, word[len - 1]) != NULL;
}

/* Where a word stands among those behind its program's name. */
struct place {
	unsigned int operand; /* its number; 0: the value of an option */
	bool code;	      /* the value of an option that runs it */
	bool replaced;	      /* an option before gave what is run */
	bool ended;	      /* no word is an option any more */
};

/* Takes one word before the one that is asked for; *value and *code say of the
 * next one whether it belongs to an option. */
static void
pass_word(const struct program *p, const char *word, struct place *place,
	  bool *value, bool *code)
{
	/* What wraps another program leaves the words behind its name to it. */
	const bool inner = p->wraps && place->operand >= p->operand;

	if (*value) {
		place->ended = place->ended || (*code && p->ends);
		*value = false;
	} else if (!place->ended && strcmp(word, "--") == 0) {
		place->ended = inner || !p->wraps;
	} else if (!place->ended && word[0] == '-') {
		*code = !inner && announces_code(p, word, strlen(word));
		*value = !inner && (*code || wants_value(p, word));
		place->replaced = place->replaced || *code;
	} else if (!p->wraps || strchr(word, '=') == NULL) {
		place->operand++;
	}
}

/* A word with a placeholder before it is passed as what it begins with. */
static struct place
find_place(const struct argv_template *t, const struct program *p, size_t at,
	   size_t i)
{
	struct place place = {.operand = 0};
	bool value = false, code = false;
	size_t n;

	for (n = at + 1; n < i; n++)
		pass_word(p, argv_template_prefix(t, n), &place, &value, &code);
	place.code = value && code;
	if (value || strchr(argv_template_prefix(t, i), '=') != NULL)
		place.operand = 0;
	else
		place.operand++;
	return place;
}

static bool
is_code(const struct program *p, const struct place *place, const char *prefix)
{
	if (place->code || holds_code(p, prefix))
		return true;
	if (p->operand == 0 || place->operand < p->operand ||
	    (p->replaced && place->replaced))
		return false;
	return p->from || place->operand == p->operand;
}

enum argv_risk
argv_guard_risk(const struct argv_template *t, size_t i)
{
	static const struct program other = {.names = ""};
	const size_t script = find_script(t);
	const struct program *p;
	const char *prefix;
	struct place place;
	size_t at;

	if (i == 0 || argv_template_is_fixed(t, i) || i > script)
		return ARGV_RISK_NONE; /* a script's "$1" is data */
	if (i == script)
		return ARGV_RISK_SCRIPT;
	at = find_program(t, i, &p);
	p = p != NULL ? p : &other;
	prefix = argv_template_prefix(t, i);
	place = find_place(t, p, at, i);
	if (is_code(p, &place, prefix))
		return ARGV_RISK_CODE;
	return *prefix == '\0' && !place.ended ? ARGV_RISK_OPTION
					       : ARGV_RISK_NONE;
}

const char *
argv_guard_program(const struct argv_template *t, size_t i)
{
	const struct program *p;

	return base_name(argv_template_prefix(t, find_program(t, i, &p)));
}

bool
argv_guard_is_option(const char *value)
{
	const char *p = value + 1, *digits;

	if (value[0] != '-' || value[1] == '\0')
		return false;
	digits = p;
	p += strspn(p, DIGITS);
	if (*p == '.')
		p += 1 + strspn(p + 1, DIGITS);
	if (strcspn(digits, DIGITS) >= (size_t)(p - digits))
		return true; /* no digit */
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '+' || p[1] == '-');
		if (strspn(p, DIGITS) == 0)
			return true;
		p += strspn(p, DIGITS);
	}
	return *p != '\0';
}
