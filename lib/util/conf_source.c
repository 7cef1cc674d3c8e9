/* SPDX-License-Identifier: MIT */
/* Where each value of a configuration comes from. */
#include "util/conf_source.h"

#include <stdlib.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_services.h"
#include "util/err.h"

int
conf_source_init(struct conf *conf, struct err *err)
{
	conf->sources = calloc(conf_n_keys, sizeof(*conf->sources));
	return conf->sources != NULL ? 0 : err_nomem(err);
}

void
conf_source_set(struct conf *conf, const struct conf_key *key,
		enum conf_origin origin, int line)
{
	conf->sources[key - conf_keys] =
	    (struct conf_source){.origin = origin, .line = line};
}

struct conf_source
conf_source_of(const struct conf *conf, const struct conf_key *key)
{
	return conf->sources != NULL && key != NULL
		   ? conf->sources[key - conf_keys]
		   : (struct conf_source){.origin = CONF_FROM_DEFAULT};
}

void
conf_source_tell(const struct conf *conf, const struct conf_key *key,
		 struct buf *out)
{
	const struct conf_source source = conf_source_of(conf, key);
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char variable[CONF_VARIABLE_SIZE];

	switch (source.origin) {
	case CONF_FROM_DEFAULT:
		buf_adds(out, "default");
		return;
	case CONF_FROM_PERSONAL:
		buf_adds(out, "default of " CONF_PERSONAL);
		return;
	case CONF_FROM_FILE:
		buf_addf(out, "%s:%d", conf->file.path, source.line);
		return;
	case CONF_FROM_SHARED:
		buf_addf(out, CONF_SHARED "/%s.%s", key->section, key->name);
		return;
	case CONF_FROM_CREDENTIAL:
		buf_addf(out, "credential %s/%s.%s",
			 directory != NULL ? directory : "", key->section,
			 key->name);
		return;
	case CONF_FROM_VARIABLE:
		conf_variable_name(key, variable);
		buf_addf(out, "variable %s", variable);
		return;
	case CONF_FROM_OPTION:
		buf_addf(out, "option -o %s.%s", key->section, key->name);
		return;
	}
}
