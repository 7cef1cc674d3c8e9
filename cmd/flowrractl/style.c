/* SPDX-License-Identifier: MIT */
/* How things look on a terminal. Nothing here runs unless something is drawn: a
 * locale costs more to load than a small command takes. */
#include "style.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* --- colour -------------------------------------------------------------- */

bool
style_read_when(const char *word, enum style_when *ret)
{
	static const char *const words[] = {[STYLE_AUTO] = "auto",
					    [STYLE_ALWAYS] = "always",
					    [STYLE_NEVER] = "never"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum style_when)i;
			return true;
		}
	}
	return false;
}

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0';
}

bool
style_has_color(enum style_when when, int fd)
{
	const char *term = getenv("TERM"), *force = getenv("CLICOLOR_FORCE");

	if (when != STYLE_AUTO)
		return when == STYLE_ALWAYS;
	if (is_set("NO_COLOR"))
		return false;
	if (force != NULL && *force != '\0' && strcmp(force, "0") != 0)
		return true;
	return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0 &&
	       isatty(fd);
}

const char *
style_of_word(const char *word)
{
	static const struct {
		const char *word, *sequence;
	} words[] = {
#define GREEN(word) {(word), "\033[32m"}
#define YELLOW(word)                                                           \
	{                                                                      \
		(word), STYLE_YELLOW                                           \
	}
#define RED(word)                                                              \
	{                                                                      \
		(word), STYLE_RED                                              \
	}
	    GREEN("running"),  GREEN("success"),   GREEN("healthy"),
	    GREEN("active"),   GREEN("enabled"),   GREEN("fired"),
	    YELLOW("paused"),  YELLOW("quiet"),	   YELLOW("stopping"),
	    YELLOW("delayed"), YELLOW("retrying"), YELLOW("disabled"),
	    YELLOW("skipped"), YELLOW("warning"),  RED("failed"),
	    RED("dead"),       RED("unhealthy"),   RED("error"),
	    RED("missed"),     RED("set aside"),
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].sequence;
	return "";
}

/* --- width --------------------------------------------------------------- */

size_t
style_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

/* The user's locale of this thread alone, loaded once; that of the program stays
 * as it is, in which numbers have a point. One that is not installed, but says
 * UTF-8, is as good as that of C for our purpose. */
static locale_t
user_locale(void)
{
	static locale_t locale;
	const char *name = getenv("LC_ALL");

	if (locale != (locale_t)0)
		return locale;
	if (name == NULL || *name == '\0')
		name = getenv("LC_CTYPE");
	if (name == NULL || *name == '\0')
		name = getenv("LANG");
	locale = newlocale(LC_CTYPE_MASK, name != NULL ? name : "C", NULL);
	if (locale == (locale_t)0 && name != NULL &&
	    (strcasestr(name, "utf-8") != NULL ||
	     strcasestr(name, "utf8") != NULL))
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	if (locale == (locale_t)0)
		locale = newlocale(LC_CTYPE_MASK, "C", NULL);
	return locale;
}

bool
style_is_utf8(void)
{
	return strcmp(nl_langinfo_l(CODESET, user_locale()), "UTF-8") == 0;
}

/* One character: its bytes, and the columns that it takes. What is not UTF-8 has
 * been masked before; a stray byte counts as a character. */
static size_t
read_character(const char *text, bool utf8, size_t *ret_columns)
{
	const size_t left = strnlen(text, 4);
	mbstate_t state = {0};
	wchar_t c;
	size_t len = 1;
	int columns = 1;

	if ((unsigned char)text[0] >= 0x80 && utf8) {
		len = mbrtowc(&c, text, left, &state);
		if (len == 0 || len > left)
			len = 1;
		else
			columns = wcwidth(c);
	} else {
		/* Without UTF-8 it is still one character, of several bytes. */
		while (len < left && (unsigned char)text[0] >= 0x80 &&
		       ((unsigned char)text[len] & 0xc0) == 0x80)
			len++;
	}
	*ret_columns = columns > 0 ? (size_t)columns : 0;
	return len;
}

size_t
style_width(const char *text, size_t max, size_t *ret_len)
{
	const locale_t before = uselocale(user_locale());
	const bool utf8 = style_is_utf8();
	size_t width = 0, len = 0, columns, n;

	for (; text[len] != '\0'; len += n, width += columns) {
		n = read_character(text + len, utf8, &columns);
		if (columns > max - width)
			break;
	}
	uselocale(before);
	*ret_len = len;
	return width;
}
