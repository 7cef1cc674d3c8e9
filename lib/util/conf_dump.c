/* SPDX-License-Identifier: MIT */
/* The configuration, printed, and what differs between two. */
#include <string.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_module.h"
#include "util/conf_source.h"
#include "util/conf_task.h"
#include "util/utf8.h"

static void
dump_key(const struct conf_key *key, const void *values, FILE *out)
{
	struct buf whole = BUF_INIT;
	struct buf text = BUF_INIT;

	conf_key_print(key, values, &whole);
	if (key->type == CONF_SECRET && whole.data != NULL)
		conf_key_mask(whole.data, &text);
	else
		buf_add(&text, whole.data, whole.len);
	fprintf(out, "%s = %s\n", key->name,
		text.data != NULL ? text.data : "");
	buf_done(&whole);
	buf_done(&text);
}

/* A path may have a newline, which would end the comment. */
static void
dump_comment(const char *text, FILE *out)
{
	struct buf visible = BUF_INIT;

	utf8_add_visible(&visible, text, strlen(text));
	fprintf(out, "# %s\n",
		!visible.failed && visible.len > 0 ? visible.data : "?");
	buf_done(&visible);
}

static void
dump_source(const struct conf *conf, const struct conf_key *key, FILE *out)
{
	struct buf text = BUF_INIT;

	if (conf_source_of(conf, key).origin == CONF_FROM_DEFAULT)
		return;
	conf_source_tell(conf, key, &text);
	dump_comment(text.failed ? "?" : text.data, out);
	buf_done(&text);
}

static void
dump_keys(const struct conf *conf, bool sources, FILE *out)
{
	const struct conf_key *key;
	const char *section = "";

	for (key = conf_keys; key < conf_keys + conf_n_keys; key++) {
		if (strcmp(section, key->section) != 0)
			fprintf(out, "%s[%s]\n", *section ? "\n" : "",
				key->section);
		section = key->section;
		if (sources)
			dump_source(conf, key, out);
		dump_key(key, conf, out);
	}
}

static void
dump_task(const struct conf_task *t, bool sources, FILE *out)
{
	size_t i;

	fputc('\n', out);
	if (sources)
		dump_comment(t->location, out);
	fprintf(out, "[task %s]\n", t->name);
	for (i = 0; i < conf_n_task_keys; i++)
		dump_key(&conf_task_keys[i], t, out);
}

/* They may hold URLs with a password, too; of a credential only the name is
 * here. */
static void
dump_module(const struct conf_module *m, bool sources, FILE *out)
{
	struct buf text = BUF_INIT;
	size_t i;

	fputc('\n', out);
	if (sources) {
		buf_addf(&text, "%s:%d", m->path, m->line);
		dump_comment(text.failed ? "?" : text.data, out);
	}
	fprintf(out, "[module %s]\n", m->name);
	for (i = 0; i < m->n; i++) {
		buf_reset(&text);
		conf_module_mask(m->values[i].text, &text);
		fprintf(out, "%s = %s\n", m->values[i].key,
			text.len > 0 ? text.data : "");
	}
	buf_done(&text);
}

void
conf_dump(const struct conf *conf, bool sources, FILE *out)
{
	size_t i;

	dump_keys(conf, sources, out);
	for (i = 0; i < conf->n_tasks; i++)
		dump_task(conf->tasks[i], sources, out);
	for (i = 0; i < conf->n_modules; i++)
		dump_module(conf->modules[i], sources, out);
}

char *
conf_frozen_changes(const struct conf *old, const struct conf *next)
{
	const struct conf_key *key;
	/* As texts, so that one comparison does for all types. */
	struct buf a = BUF_INIT;
	struct buf b = BUF_INIT;
	struct buf names = BUF_INIT;

	for (key = conf_keys; key < conf_keys + conf_n_keys; key++) {
		buf_reset(&a);
		buf_reset(&b);
		conf_key_print(key, old, &a);
		conf_key_print(key, next, &b);
		if ((key->flags & RELOAD) != 0 ||
		    slice_eq((struct slice){a.data, a.len},
			     (struct slice){b.data, b.len}))
			continue;
		buf_addf(&names, "%s%s.%s", names.len > 0 ? ", " : "",
			 key->section, key->name);
	}
	buf_done(&a);
	buf_done(&b);
	return buf_take(&names);
}
