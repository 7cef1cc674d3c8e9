/* SPDX-License-Identifier: MIT */
/*
 * The manual, the example rules and the dashboard name the metrics that there are:
 * each that stands anywhere is in the table, each of the table is in the manual,
 * with its labels and an alert. The tests run in the top folder of the sources.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"
#include "suite.h"
#include "util/buf.h"
#include "util/conf_file.h"
#include "util/err.h"

#define PAGE "lib/metrics/flowrra-metrics.7"
#define RULES "conf/metrics/flowrra.rules.yml"
#define DASHBOARD "conf/metrics/flowrra-dashboard.json"

static char *
text_of(const char *path)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(conf_file_read(path, &text, &err) == 0, "%s: %s", path,
		      err.msg);
	buf_addc(&text, '\0');
	ck_assert(!text.failed);
	return text.data;
}

/* What stands behind a family's name in a sample; -1: it is not its name. */
static bool
suffix_fits(const struct metric *m, const char *rest, size_t len)
{
	static const char *const suffixes[][4] = {
	    [METRICS_GAUGE] = {"", NULL},
	    [METRICS_COUNTER] = {"_total", NULL},
	    [METRICS_HISTOGRAM] = {"", "_bucket", "_sum", "_count"}};
	size_t i;

	for (i = 0; i < 4 && suffixes[m->type][i] != NULL; i++)
		if (strlen(suffixes[m->type][i]) == len &&
		    strncmp(rest, suffixes[m->type][i], len) == 0)
			return true;
	return false;
}

/* The family that a name in a query is of. */
static const struct metric *
metric_of(const char *name, size_t len)
{
	size_t i, n;

	for (i = 0; i < METRIC_N; i++) {
		n = strlen(metrics[i].name);
		if (n <= len && strncmp(name, metrics[i].name, n) == 0 &&
		    suffix_fits(&metrics[i], name + n, len - n))
			return &metrics[i];
	}
	return NULL;
}

static bool
has_label(const struct metric *m, const char *label, size_t len)
{
	const char *p = m->labels;
	size_t n;

	for (; *p != '\0'; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (n == len && strncmp(p, label, len) == 0)
			return true;
	}
	return false;
}

/* The labels of a selector, from its brace on. */
static void
check_labels(const char *path, const struct metric *m, const char *p)
{
	size_t n;

	while (*p != '}') {
		p++;
		n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
		ck_assert_msg(has_label(m, p, n), "%s: %s has no label %.*s",
			      path, m->name, (int)n, p);
		for (p += n; *p != ',' && *p != '}'; p++)
			ck_assert_msg(*p != '\0' && *p != '\n',
				      "%s: a brace of %s is open", path,
				      m->name);
	}
}

/* Every name in a text, and the labels behind it. Returns how many there are. */
static size_t
check_names(const char *path)
{
	char *text = text_of(path);
	const char *p = text;
	const struct metric *m;
	size_t len, n = 0;

	while ((p = strstr(p, "flowrra_")) != NULL) {
		len = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
		m = metric_of(p, len);
		ck_assert_msg(m != NULL, "%s: there is no %.*s", path, (int)len,
			      p);
		if (p[len] == '{')
			check_labels(path, m, p + len);
		p += len;
		n++;
	}
	free(text);
	return n;
}

START_TEST(every_name_that_is_written_somewhere_is_in_the_table)
{
	ck_assert_uint_ge(check_names(PAGE), 2 * METRIC_N);
	ck_assert_uint_ge(check_names(RULES), METRIC_N);
	ck_assert_uint_ge(check_names(DASHBOARD), 10);
}
END_TEST

/* ".It Li flowrra_x_total{a,b} Pq stores, worker" */
static void
head_of(const struct metric *m, struct buf *out)
{
	static const char *const names[] = {"stores", "flowrra-web", "worker",
					    "scheduler"};
	const char *between = "Pq ", *p;
	size_t i;

	buf_addf(out, "\n.It Li %s%s", m->name,
		 m->type == METRICS_COUNTER ? "_total" : "");
	if (m->labels[0] != '\0')
		buf_addc(out, '{');
	for (p = m->labels; *p != '\0'; p++)
		buf_addc(out, *p == ' ' ? ',' : *p);
	buf_adds(out, m->labels[0] != '\0' ? "} " : " ");
	for (i = 0; i < 4; i++)
		if ((m->sources & 1u << i) != 0) {
			buf_addf(out, "%s%s", between, names[i]);
			between = ", ";
		}
	buf_addc(out, '\n');
	buf_addc(out, '\0');
}

/* With what it means, and an alert that uses it, before the next one. */
static void
check_entry(const char *page, const struct metric *m)
{
	struct buf head = BUF_INIT;
	const char *entry, *end, *alert, *use;

	head_of(m, &head);
	entry = strstr(page, head.data);
	ck_assert_msg(entry != NULL, "%s lacks %s", PAGE, head.data);
	entry += head.len - 1;
	end = strstr(entry, "\n.It ");
	end = end != NULL ? end : page + strlen(page);
	ck_assert_msg(isalnum((unsigned char)*entry), "%s: %s means nothing",
		      PAGE, m->name);
	alert = strstr(entry, "\n.Dl ");
	ck_assert_msg(alert != NULL && alert < end, "%s: %s has no alert", PAGE,
		      m->name);
	use = strstr(alert, m->name);
	ck_assert_msg(use != NULL && use < strchr(alert + 1, '\n'),
		      "%s: the alert of %s does not use it", PAGE, m->name);
	buf_done(&head);
}

START_TEST(the_manual_has_each_metric_with_its_meaning_and_an_alert)
{
	char *page = text_of(PAGE), *rules = text_of(RULES);
	size_t i;

	for (i = 0; i < METRIC_N; i++) {
		check_entry(page, &metrics[i]);
		ck_assert_msg(strstr(rules, metrics[i].name) != NULL,
			      "%s: no rule uses %s", RULES, metrics[i].name);
	}
	free(page);
	free(rules);
}
END_TEST

/* A family has one unit, which its name ends in, and names are not those of
 * others. */
START_TEST(the_table_is_sound)
{
	size_t i, k, n;

	for (i = 0; i < METRIC_N; i++) {
		const struct metric *m = &metrics[i];

		n = strlen(m->name);
		ck_assert(strncmp(m->name, "flowrra_", 8) == 0);
		ck_assert(m->sources != 0 && m->help[0] != '\0');
		if (m->unit != NULL)
			ck_assert_str_eq(m->name + n - strlen(m->unit),
					 m->unit);
		ck_assert(n < 6 || strcmp(m->name + n - 6, "_total") != 0);
		for (k = 0; k < i; k++)
			ck_assert_str_ne(m->name, metrics[k].name);
	}
}
END_TEST

START_TEST(the_dashboard_is_json_with_a_query_in_each_panel)
{
	char *text = text_of(DASHBOARD);
	json_error_t error;
	json_t *all = json_loads(text, 0, &error), *panel, *target;
	size_t i, k, n = 0;

	ck_assert_msg(all != NULL, "%s:%d: %s", DASHBOARD, error.line,
		      error.text);
	json_array_foreach (json_object_get(all, "panels"), i, panel) {
		ck_assert(json_is_string(json_object_get(panel, "title")));
		json_array_foreach (json_object_get(panel, "targets"), k,
				    target) {
			const char *expr =
			    json_string_value(json_object_get(target, "expr"));

			ck_assert_ptr_nonnull(expr);
			ck_assert_ptr_nonnull(strstr(expr, "flowrra_"));
			n++;
		}
	}
	ck_assert_uint_ge(n, 10);
	json_decref(all);
	free(text);
}
END_TEST

/* Where promtool is installed (package prometheus), it has the last word. */
START_TEST(promtool_takes_the_rules)
{
	if (system("command -v promtool > /dev/null 2>&1") != 0)
		return;
	ck_assert_int_eq(system("promtool check rules " RULES " > /dev/null"),
			 0);
}
END_TEST

SUITE("metrics-table")
{
	TEST(the_table_is_sound);
	TEST(every_name_that_is_written_somewhere_is_in_the_table);
	TEST(the_manual_has_each_metric_with_its_meaning_and_an_alert);
	TEST(the_dashboard_is_json_with_a_query_in_each_panel);
	TEST(promtool_takes_the_rules);
}
