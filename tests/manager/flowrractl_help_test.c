/* SPDX-License-Identifier: MIT */
/* What flowrractl says of itself: its help, and its manual page. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "manager/ctl_run.h"
#include "manual.h"
#include "suite.h"

static const char *const examples[][2] = {
#define EXAMPLE(verb, line) {verb, line},
#include "../../cmd/flowrractl/examples.def"
#undef EXAMPLE
};

/* What follows a redirection is not for the program, and neither are the words that
 * run is given. */
START_TEST(examples_in_help_are_right)
{
	char line[512], usage[128], *end;
	size_t i;

	for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		snprintf(line, sizeof(line), "$F %s --help", examples[i][0]);
		ctl_run(line);
		ck_assert_msg(strstr(ctl_output, examples[i][1]) != NULL, "%s",
			      ctl_output);
		snprintf(line, sizeof(line), "$F %s", examples[i][1]);
		line[strcspn(line, "<>")] = '\0';
		if ((end = strstr(line, " -- ")) != NULL)
			*end = '\0';
		strncat(line, " --help 2>&1", sizeof(line) - strlen(line) - 1);
		snprintf(usage, sizeof(usage), "Usage: flowrractl %s",
			 examples[i][0]);
		ck_assert_msg(ctl_run(line) == 0 && strncmp(ctl_output, usage,
							    strlen(usage)) == 0,
			      "%s: %s", line, ctl_output);
	}
}
END_TEST

/* --- the manual page ----------------------------------------------------- */

/* Adds the options of an ".It Fl -one , Fl -two" line. */
static void
add_options(const char *item, char *names, size_t size)
{
	char name[64];
	const char *p;
	size_t len;

	for (p = strstr(item, "Fl -"); p != NULL; p = strstr(p + 1, "Fl -")) {
		ck_assert_int_eq(sscanf(p, "Fl -%63[a-z-]", name), 1);
		len = strlen(names);
		snprintf(names + len, size - len, "%s\n", name);
	}
}

/* Whether a text is only about other verbs of its group: "(cron, once) …". */
static bool
is_others(const char *line, const char *section)
{
	const char *last = strrchr(section, ' ');
	char words[64], *word, *saved;

	if (sscanf(line, "(%63[a-z, ])", words) != 1)
		return false;
	for (word = strtok_r(words, ", ", &saved); word != NULL;
	     word = strtok_r(NULL, ", ", &saved))
		if (last != NULL && strcmp(last + 1, word) == 0)
			return false;
	return true;
}

/* Whether a heading is that of the verb, and not of one with a word more. */
static bool
is_heading_of(const char *heading, const char *verb)
{
	const size_t len = strlen(verb);
	const char *rest = heading + len;

	if (strncmp(heading, verb, len) != 0 || strchr(" \n", *rest) == NULL)
		return false;
	rest += strspn(rest, " ");
	rest += strspn(rest, "abcdefghijklmnopqrstuvwxyz");
	return rest[-1] == ' ' || heading[len] == '\n' ||
	       strchr(" \n", *rest) == NULL;
}

static char *pages;

/* A memory stream that reads all pages. */
static FILE *
open_pages(void)
{
	FILE *page;

	if (pages == NULL)
		pages = manual_read(".");
	ck_assert_ptr_nonnull(page = fmemopen(pages, strlen(pages), "r"));
	return page;
}

/*
 * The options of a section of the pages, each as "\nname\n". Headings that
 * follow one another share what follows them.
 */
static void
page_options(const char *section, char *names, size_t size)
{
	FILE *page = open_pages();
	char line[1024], item[1024] = "";
	bool inside = false, heading = false, was_heading;

	snprintf(names, size, "\n");
	while (fgets(line, sizeof(line), page) != NULL) {
		if (item[0] != '\0' && !is_others(line, section))
			add_options(item, names, size);
		item[0] = '\0';
		was_heading = heading;
		heading = strncmp(line, ".Ss", 3) == 0 ||
			  strncmp(line, ".Sh", 3) == 0;
		if (heading)
			inside = (was_heading && inside) ||
				 is_heading_of(line + 4, section);
		else if (inside && strncmp(line, ".It Fl", 6) == 0)
			snprintf(item, sizeof(item), "%s", line);
	}
	fclose(page);
}

static void
compare(const char *section, const json_t *options)
{
	char names[2048], one[80];
	size_t i, in_page = 0;
	const char *name, *p;

	page_options(section, names, sizeof(names));
	for (i = 0; i < json_array_size(options); i++) {
		name = json_string_value(
		    json_object_get(json_array_get(options, i), "name"));
		snprintf(one, sizeof(one), "\n%s\n", name);
		ck_assert_msg(strstr(names, one) != NULL,
			      "\"%s\": --%s is not in the manual", section,
			      name);
	}
	for (p = names + 1; *p != '\0'; p++)
		in_page += *p == '\n';
	ck_assert_msg(in_page == i,
		      "\"%s\" has %zu options, the manual has %zu", section, i,
		      in_page);
}

START_TEST(the_manual_page_has_all_verbs_and_options_and_no_other)
{
	json_t *help, *verbs, *verb;
	char line[1024];
	size_t i, sections = 0;
	FILE *page;

	ck_assert_int_eq(ctl_run("$F help --json"), 0);
	ck_assert_ptr_nonnull(help = json_loads(ctl_output, 0, NULL));
	compare("OPTIONS OF ALL COMMANDS", json_object_get(help, "options"));
	verbs = json_object_get(help, "verbs");
	for (i = 0; i < json_array_size(verbs); i++) {
		verb = json_array_get(verbs, i);
		compare(json_string_value(json_object_get(verb, "name")),
			json_object_get(verb, "options"));
	}
	page = open_pages();
	while (fgets(line, sizeof(line), page) != NULL)
		sections += strncmp(line, ".Ss ", 4) == 0;
	fclose(page);
	ck_assert_uint_eq(sections, i);
	json_decref(help);
	free(pages);
}
END_TEST

SUITE("flowrractl-help")
{
	TEST(examples_in_help_are_right);
	TEST(the_manual_page_has_all_verbs_and_options_and_no_other);
}
