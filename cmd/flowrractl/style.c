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
locale_t
style_locale(void)
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
	return strcmp(nl_langinfo_l(CODESET, style_locale()), "UTF-8") == 0;
}

size_t
style_width(const char *text, size_t max, size_t *ret_len)
{
	size_t width = 0, len = 0, columns, n;
	mbstate_t state = {0};
	wchar_t c;
	int w;

	for (; text[len] != '\0'; len += n, width += columns) {
		n = mbrtowc(&c, text + len, MB_CUR_MAX, &state);
		if (n > MB_CUR_MAX) {
			state = (mbstate_t){0};
			n = 1;
			w = -1;
		} else {
			w = wcwidth(c);
		}
		/* libsmartcols shows "\x12" for each byte of what is not printable. */
		columns = w < 0 ? 4 * n : (size_t)w;
		if (columns > max - width)
			break;
	}
	*ret_len = len;
	return width;
}
