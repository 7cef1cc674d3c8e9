/* SPDX-License-Identifier: MIT */
/*
 * The configuration: gathers it from its sources.
 *
 * Every key goes through the one table (conf_key.c), so a source needs only a
 * name and a text. Each source overwrites what the weaker ones have set; that
 * is why they are read in order, and why each value is checked where its source
 * can still be named in the error.
 */
#include "util/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/conf_file.h"
#include "util/conf_key.h"
#include "util/conf_module.h"
#include "util/conf_personal.h"
#include "util/conf_services.h"
#include "util/conf_source.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/findings.h"
#include "util/path.h"

/* Where the packages put it, whatever the prefix of the programs. */
#define SYSTEM_FILE "/etc/flowrra/flowrra.conf"

/* A fault of a source. A check notes it and goes on: 0; else -1. */
static int
conf_fault(struct conf *conf, const struct err *err)
{
	if (conf->findings == NULL)
		return -1;
	findings_add(conf->findings, err);
	return 0;
}

/* Through the parser: a default that is out of its own range shows at the first
 * start. */
static int
conf_set_defaults(struct conf *conf, struct err *err)
{
	size_t i;

	for (i = 0; i < conf_n_keys; i++)
		if (conf_key_set(&conf_keys[i], conf, conf_keys[i].standard,
				 err) != 0)
			return err_prefix(err, "default of %s.%s",
					  conf_keys[i].section,
					  conf_keys[i].name);
	return 0;
}

/* What `mask` leaves as it is has no password. */
static bool
holds_password(const char *text, void (*mask)(const char *, struct buf *))
{
	struct buf masked = BUF_INIT;
	bool differs;

	mask(text, &masked);
	differs = strcmp(masked.data != NULL ? masked.data : "", text) != 0;
	buf_done(&masked);
	return differs;
}

/*
 * Right after the file was read: what is set now comes from there. Whether it
 * holds a password is noted for those who judge the file's permissions.
 */
static int
note_file(struct conf *conf, const char *path, struct err *err)
{
	const struct conf_key *key;
	struct buf whole = BUF_INIT;
	size_t i, k;

	for (key = conf_keys; key < conf_keys + conf_n_keys; key++) {
		if (key->type != CONF_SECRET)
			continue;
		buf_reset(&whole);
		conf_key_print(key, conf, &whole);
		if (whole.data != NULL && whole.len > 0)
			conf->file.secrets |=
			    holds_password(whole.data, conf_key_mask);
	}
	if (whole.data != NULL)
		explicit_bzero(whole.data, whole.cap);
	buf_done(&whole);
	for (i = 0; i < conf->n_modules; i++)
		for (k = 0; k < conf->modules[i]->n; k++)
			conf->file.secrets |= holds_password(
			    conf->modules[i]->values[k].text, conf_module_mask);
	if ((conf->file.path = strdup(path)) == NULL)
		return err_nomem(err);
	return 0;
}

/* Reads a file that must exist if it is `required`. Returns 1 if it does not
 * and need not. */
static int
load_file(struct conf *conf, const char *path, bool required, struct err *err)
{
	struct buf text = BUF_INIT;
	int r;

	r = conf_file_read(path, &text, err);
	if (r == 0)
		r = conf_file_parse(path, text.data, conf, err);
	if (r == 0)
		r = note_file(conf, path, err);
	else if (r == 1 && required)
		r = err_set(err, ERR_CONFIG, "no such file: %s", path);
	/* The text may hold passwords; memory that is freed is used again. */
	if (text.data != NULL)
		explicit_bzero(text.data, text.len);
	buf_done(&text);
	return r;
}

/* The user's own file; returns 1 if there is none. */
static int
load_user_file(struct conf *conf, bool personal, struct err *err)
{
	const char *dir = getenv("XDG_CONFIG_HOME");
	char *home;
	struct buf path = BUF_INIT;
	int r = 1;

	/* A service of root must not depend on the HOME it was started with. */
	if (geteuid() == 0 && !personal)
		return 1;
	/* Relative paths are to be ignored, says the XDG specification. */
	if (dir != NULL && *dir == '/')
		buf_addf(&path, "%s/flowrra.conf", dir);
	else if ((home = path_home()) != NULL) {
		buf_addf(&path, "%s/.config/flowrra.conf", home);
		free(home);
	}
	if (path.failed)
		r = err_nomem(err);
	else if (path.len > 0)
		r = load_file(conf, path.data, false, err);
	buf_done(&path);
	return r;
}

/* One who may not read it must not be led to other stores than those in it. EACCES
 * in err->sys tells this from what is wrong with it. */
static int
load_system_file(struct conf *conf, struct err *err)
{
	if (access(SYSTEM_FILE, R_OK) != 0 && errno == EACCES) {
		err_set(err, ERR_CONFIG,
			"cannot open %s: Permission denied; join its "
			"group, or write a configuration of your own to "
			"~/.config/flowrra.conf",
			SYSTEM_FILE);
		if (err != NULL)
			err->sys = EACCES;
		return -1;
	}
	return load_file(conf, SYSTEM_FILE, false, err);
}

/* The user's file replaces the system's as a whole. Merging the two would make
 * a setting depend on a file that the user may not even read. */
static int
load_files(struct conf *conf, const char *file, bool personal, struct err *err)
{
	int r;

	if (file != NULL) {
		if (load_file(conf, file, true, err) != 0)
			return -1;
		conf_services_own_file(conf);
		return 0;
	}
	r = load_user_file(conf, personal, err);
	if (personal)
		return r == -1 ? -1 : 0;
	conf->standard = r == 1;
	if (r == 1)
		r = load_system_file(conf, err);
	if (r != -1 && conf->standard)
		r = conf_services_load(conf, err);
	if (r == -1)
		return -1;
	conf_services_load_withheld(conf);
	return 0;
}

/* From a source that is this process' own: what the services' sources lack, or
 * deny, does not matter then. */
static int
conf_set_own(const struct conf_key *key, struct conf *conf, const char *text,
	     enum conf_origin origin, struct err *err)
{
	if (conf_key_set(key, conf, text, err) != 0)
		return -1;
	conf_services_named(conf, key);
	conf_source_set(conf, key, origin, 0);
	return 0;
}

/* A missing file is not an error: systemd passes only the credentials that the unit
 * names (systemd.exec(5), LoadCredential=). */
static int
load_credential(struct conf *conf, const struct conf_key *key,
		const char *directory, struct err *err)
{
	struct buf path = BUF_INIT;
	struct buf text = BUF_INIT;
	int r;

	buf_addf(&path, "%s/%s.%s", directory, key->section, key->name);
	if (path.failed)
		return err_nomem(err);
	r = conf_file_read(path.data, &text, err);
	if (r == 0 && (r = conf_set_own(key, conf, text.data,
					CONF_FROM_CREDENTIAL, err)) != 0)
		err_prefix(err, "credential %s", path.data);
	if (text.data != NULL)
		explicit_bzero(text.data, text.len);
	buf_done(&text);
	buf_done(&path);
	return r == -1 ? -1 : 0;
}

/* Only for secrets; other keys have no reason to be hidden. */
static int
load_credentials(struct conf *conf, struct err *err)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	size_t i;

	if (directory == NULL || directory[0] != '/')
		return 0;
	for (i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].type == CONF_SECRET &&
		    load_credential(conf, &conf_keys[i], directory, err) != 0 &&
		    conf_fault(conf, err) != 0)
			return -1;
	return 0;
}

void
conf_variable_name(const struct conf_key *key, char name[CONF_VARIABLE_SIZE])
{
	char *p;

	snprintf(name, CONF_VARIABLE_SIZE, CONF_VARIABLE_PREFIX "%s_%s",
		 key->section, key->name);
	for (p = name; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
}

bool
conf_variable_may_be_ours(const char *entry)
{
	return strncmp(entry, CONF_VARIABLE_PREFIX,
		       strlen(CONF_VARIABLE_PREFIX)) == 0;
}

static int
load_environment(struct conf *conf, struct err *err)
{
	char name[CONF_VARIABLE_SIZE], **entry = environ;
	const char *value;
	size_t i;

	/* Most have none: then no name has to be written and looked for. */
	while (entry != NULL && *entry != NULL &&
	       !conf_variable_may_be_ours(*entry))
		entry++;
	if (entry == NULL || *entry == NULL)
		return 0;
	for (i = 0; i < conf_n_keys; i++) {
		conf_variable_name(&conf_keys[i], name);
		if ((value = getenv(name)) == NULL ||
		    conf_set_own(&conf_keys[i], conf, value, CONF_FROM_VARIABLE,
				 err) == 0)
			continue;
		/* Messages go to the log: they never quote a secret. */
		if (conf_keys[i].type == CONF_SECRET)
			err_prefix(err, "variable %s", name);
		else
			err_prefix(err, "variable %s = \"%.64s\"", name, value);
		if (conf_fault(conf, err) != 0)
			return -1;
	}
	return 0;
}

/* Everybody on the host can read the arguments of a process. */
static int
refuse_password(const struct conf_key *key, const char *value, struct err *err)
{
	struct buf masked = BUF_INIT;
	char name[CONF_VARIABLE_SIZE];
	int r = 0;

	if (key->type != CONF_SECRET)
		return 0;
	conf_variable_name(key, name);
	conf_key_mask(value, &masked);
	if (masked.failed)
		r = err_nomem(err);
	else if (strcmp(masked.data != NULL ? masked.data : "", value) != 0)
		r = err_set(err, ERR_CONFIG,
			    "-o %s.%s: every user of this host can read a "
			    "password in an argument; use the variable %s or "
			    "the configuration file",
			    key->section, key->name, name);
	buf_done(&masked);
	return r;
}

/* `setting` is "section.key=value", cut apart here. */
static int
apply_setting(struct conf *conf, char *setting, struct err *err)
{
	const struct conf_key *key;
	char *value = strchr(setting, '=');
	char *name;

	if (value != NULL)
		*value++ = '\0';
	name = strchr(setting, '.');
	if (value == NULL || name == NULL)
		return err_set(err, ERR_CONFIG,
			       "-o %.64s: write it as -o section.key=value",
			       setting);
	*name++ = '\0';
	if ((key = conf_key_find(setting, name, err)) == NULL)
		return err_prefix(err, "-o %.64s.%.64s", setting, name);
	if (refuse_password(key, value, err) != 0)
		return -1;
	if (conf_set_own(key, conf, value, CONF_FROM_OPTION, err) == 0)
		return 0;
	if (key->type == CONF_SECRET)
		return err_prefix(err, "-o %s.%s", setting, name);
	return err_prefix(err, "-o %s.%s=%.64s", setting, name, value);
}

static int
apply_settings(struct conf *conf, const char *const *settings, struct err *err)
{
	char *copy;
	int r = 0;

	for (; r == 0 && settings != NULL && *settings != NULL; settings++) {
		if (strcmp(*settings, CONF_PERSONAL) == 0)
			continue;
		if ((copy = strdup(*settings)) == NULL)
			return err_nomem(err);
		r = apply_setting(conf, copy, err);
		free(copy);
		if (r != 0)
			r = conf_fault(conf, err);
	}
	return r;
}

/* From the weakest source to the strongest. */
static int
conf_load_all(struct conf *conf, const char *file, const char *const *settings,
	      struct err *err)
{
	const bool personal = conf_personal_is_asked(settings);

	if (personal && conf_personal_set_defaults(conf, err) != 0)
		return -1;
	if (load_files(conf, file, personal, err) != 0 &&
	    conf_fault(conf, err) != 0)
		return -1;
	return load_credentials(conf, err) != 0 ||
		       load_environment(conf, err) != 0 ||
		       (personal && conf_personal_set_place(conf, err) != 0) ||
		       apply_settings(conf, settings, err) != 0
		   ? -1
		   : 0;
}

int
conf_load(const char *file, const char *const *settings, struct conf **ret,
	  struct err *err)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL)
		return err_nomem(err);
	if (conf_source_init(conf, err) != 0 ||
	    conf_set_defaults(conf, err) != 0 ||
	    conf_load_all(conf, file, settings, err) != 0) {
		conf_free(conf);
		return -1;
	}
	*ret = conf;
	return 0;
}

struct conf *
conf_examine(const char *file, const char *const *settings,
	     struct findings *findings)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct err err = ERR_INIT;

	if (conf == NULL) {
		findings->failed = true;
		return NULL;
	}
	conf->findings = findings;
	if (conf_source_init(conf, &err) != 0 ||
	    conf_set_defaults(conf, &err) != 0 ||
	    conf_load_all(conf, file, settings, &err) != 0) {
		findings_add(findings, &err);
		conf_free(conf);
		return NULL;
	}
	conf->findings = NULL;
	return conf;
}

int
conf_prefix_place(const struct conf *conf, const char *section,
		  const char *name, struct err *err)
{
	const struct conf_key *key = conf_key_find(section, name, NULL);
	const struct conf_source source = conf_source_of(conf, key);

	return source.origin != CONF_FROM_FILE || conf->file.path == NULL
		   ? -1
		   : err_prefix(err, "%s:%d", conf->file.path, source.line);
}

void
conf_free(struct conf *conf)
{
	size_t i;

	if (conf == NULL)
		return;
	for (i = 0; i < conf_n_keys; i++)
		conf_key_clear(&conf_keys[i], conf);
	free(conf->file.path);
	free(conf->sources);
	for (i = 0; i < conf->n_tasks; i++)
		conf_task_free(conf->tasks[i]);
	free(conf->tasks);
	for (i = 0; i < conf->n_modules; i++)
		conf_module_free(conf->modules[i]);
	free(conf->modules);
	free(conf);
}
