/* SPDX-License-Identifier: MIT */
/* The configuration, printed, and what differs between two. */
#include <string.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_module.h"
#include "util/conf_task.h"

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

/* They may hold URLs with a password, too; of a credential only the name is
 * here. */
static void
dump_module(const struct conf_module *m, FILE *out)
{
	struct buf text = BUF_INIT;
	size_t i;

	fprintf(out, "\n[module %s]\n", m->name);
	for (i = 0; i < m->n; i++) {
		buf_reset(&text);
		conf_module_mask(m->values[i].text, &text);
		fprintf(out, "%s = %s\n", m->values[i].key,
			text.len > 0 ? text.data : "");
	}
	buf_done(&text);
}

void
conf_dump(const struct conf *conf, FILE *out)
{
	const struct conf_key *key;
	const char *section = "";
	size_t i, n;

	for (key = conf_keys; key < conf_keys + conf_n_keys; key++) {
		if (strcmp(section, key->section) != 0)
			fprintf(out, "%s[%s]\n", *section ? "\n" : "",
				key->section);
		section = key->section;
		dump_key(key, conf, out);
	}
	for (i = 0; i < conf->n_tasks; i++) {
		fprintf(out, "\n[task %s]\n", conf->tasks[i]->name);
		for (n = 0; n < conf_n_task_keys; n++)
			dump_key(&conf_task_keys[n], conf->tasks[i], out);
	}
	for (i = 0; i < conf->n_modules; i++)
		dump_module(conf->modules[i], out);
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
