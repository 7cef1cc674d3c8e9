/* SPDX-License-Identifier: MIT */
/* The [module NAME] sections, and the credentials that they name. */
#include "util/conf_module.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_file.h"
#include "util/conf_key.h"
#include "util/err.h"
#include "util/name.h"

#define CREDENTIAL "@credential:"
/* Where services and permitted users find them, too: conf_services.c. */
#define SHARED "/etc/flowrra/credentials"
/* Beyond any use: a line has 66,000 bytes. */
#define KEY_MAX 128

/* The module that runs commands is told of them by the sections of those. */
#define EXEC "exec"

int
conf_module_begin(struct conf *conf, const char *name, const char *path,
		  int line, struct err *err)
{
	struct conf_module **list, *m;
	size_t i;

	if (!name_valid(slice_of(name), NAME_TASK_MAX))
		return err_set(err, ERR_CONFIG,
			       "\"%.64s\" is not the name of a module: 1 to %d "
			       "of the characters A-Z a-z 0-9 _ . -",
			       name, NAME_TASK_MAX);
	if (strcmp(name, EXEC) == 0)
		return err_set(err, ERR_CONFIG,
			       "the module " EXEC " has no section: [exec] and "
			       "[task NAME] are for it");
	for (i = 0; i < conf->n_modules; i++)
		if (strcmp(conf->modules[i]->name, name) == 0)
			return err_set(err, ERR_CONFIG,
				       "section [module %s] is given twice; "
				       "the first is in line %d",
				       name, conf->modules[i]->line);
	list = reallocarray(conf->modules, conf->n_modules + 1, sizeof(void *));
	if (list != NULL)
		conf->modules = list;
	if (list == NULL || (m = calloc(1, sizeof(*m))) == NULL)
		return err_nomem(err);
	m->line = line;
	m->name = strdup(name);
	m->path = strdup(path);
	if (m->name == NULL || m->path == NULL) {
		conf_module_free(m);
		return err_nomem(err);
	}
	list[conf->n_modules++] = m;
	return 0;
}

void
conf_module_free(struct conf_module *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->n; i++) {
		free(m->values[i].key);
		free(m->values[i].text);
	}
	free(m->values);
	free(m->name);
	free(m->path);
	free(m);
}

/* The name of a credential, which is that of a file; NULL if the text is none. */
static const char *
credential_of(const char *text)
{
	return strncmp(text, CREDENTIAL, strlen(CREDENTIAL)) == 0
		   ? text + strlen(CREDENTIAL)
		   : NULL;
}

static int
check_text(const char *text, struct err *err)
{
	const char *credential = credential_of(text);

	if (text[0] != '@' || text[1] == '@')
		return 0;
	if (credential == NULL)
		return err_set(
		    err, ERR_CONFIG,
		    "a value that begins with \"@\" is written as " CREDENTIAL
		    "NAME, or with a second \"@\"");
	/* No folder above, and none below. */
	if (!name_valid(slice_of(credential), NAME_TASK_MAX) ||
	    credential[0] == '.')
		return err_set(err, ERR_CONFIG,
			       "\"%.64s\" is not the name of a credential",
			       credential);
	return 0;
}

int
conf_module_set(struct conf *conf, const char *key, const char *text, int line,
		struct err *err)
{
	struct conf_module *m = conf->modules[conf->n_modules - 1];
	struct conf_module_value *values, *v;
	size_t i;

	if (!name_valid(slice_of(key), KEY_MAX))
		return err_set(
		    err, ERR_CONFIG,
		    "[module %s]: \"%.64s\" is not a key: 1 to %d of "
		    "the characters A-Z a-z 0-9 _ . -",
		    m->name, key, KEY_MAX);
	for (i = 0; i < m->n; i++)
		if (strcmp(m->values[i].key, key) == 0)
			return err_set(err, ERR_CONFIG,
				       "[module %s] %s is given twice; the "
				       "first is in line %d",
				       m->name, key, m->values[i].line);
	if (check_text(text, err) != 0)
		return err_prefix(err, "[module %s] %s", m->name, key);
	values = reallocarray(m->values, m->n + 1, sizeof(*values));
	if (values == NULL)
		return err_nomem(err);
	m->values = values;
	v = &values[m->n++];
	*v = (struct conf_module_value){strdup(key), strdup(text), line};
	return v->key != NULL && v->text != NULL ? 0 : err_nomem(err);
}

/* Most are no URLs, and an "@" in them is no sign of a password. */
void
conf_module_mask(const char *text, struct buf *out)
{
	if (strstr(text, "://") != NULL || strcasestr(text, "password") != NULL)
		conf_key_mask(text, out);
	else
		buf_adds(out, text);
}

/* Returns 1 if there is no such file. The newline with which most files end is
 * no part of what is meant. */
static int
read_credential(const char *folder, const char *name, struct buf *out,
		struct err *err)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	int r;

	buf_addf(&path, "%s/%s", folder, name);
	if (path.failed)
		return err_nomem(err);
	r = conf_file_read(path.data, &text, err);
	while (r == 0 && text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (r == 0)
		buf_add(out, text.data, text.len);
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_done(&text);
	buf_done(&path);
	return r == 0 && out->failed ? err_nomem(err) : r;
}

int
conf_module_read(const struct conf_module *m, const struct conf_module_value *v,
		 struct buf *out, struct err *err)
{
	const char *credential = credential_of(v->text);
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const bool given = folder != NULL && folder[0] == '/';
	int r = 1;

	if (credential == NULL) {
		buf_adds(out, v->text + (v->text[0] == '@'));
		return out->failed ? err_nomem(err) : 0;
	}
	if (given)
		r = read_credential(folder, credential, out, err);
	if (r == 1)
		r = read_credential(SHARED, credential, out, err);
	if (r == 1 && !given)
		return 1;
	if (r == 1)
		err_set(
		    err, ERR_CONFIG,
		    "no credential \"%s\": the unit needs LoadCredential=%s",
		    credential, credential);
	if (r != 0)
		return err_prefix(err, "%s:%d: [module %s] %s", m->path,
				  v->line, m->name, v->key);
	return 0;
}
