/* SPDX-License-Identifier: MIT */
/* Where each value of a configuration comes from, for conf*.c and for programs that
 * display it. */
#ifndef UTIL_CONF_SOURCE_H
#define UTIL_CONF_SOURCE_H

struct buf;
struct conf;
struct conf_key;
struct err;

/* From the weakest to the strongest. */
enum conf_origin {
	CONF_FROM_DEFAULT,
	CONF_FROM_PERSONAL, /* the default of --user */
	CONF_FROM_FILE,
	CONF_FROM_SHARED, /* a file of the credentials that the services share */
	CONF_FROM_CREDENTIAL,
	CONF_FROM_VARIABLE,
	CONF_FROM_OPTION
};

struct conf_source {
	enum conf_origin origin;
	int line; /* of the file; else 0 */
};

/* All are defaults at first. -1 with *err without memory. */
int conf_source_init(struct conf *conf, struct err *err);
void conf_source_set(struct conf *conf, const struct conf_key *key,
		     enum conf_origin origin, int line);

struct conf_source conf_source_of(const struct conf *conf,
				  const struct conf_key *key);
/* Appends it for people: "default", "FILE:LINE", "variable NAME", …. The directory of
 * credentials is that of the environment at the time of the call. */
void conf_source_tell(const struct conf *conf, const struct conf_key *key,
		      struct buf *out);

#endif
