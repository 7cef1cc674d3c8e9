/* SPDX-License-Identifier: MIT */
/*
 * Users with passwords (htpasswd's format) and bearer tokens.
 *
 * Both files are read again when they have changed, by their inodes, times and
 * sizes, so that a user is added without a restart. A change that cannot be read
 * leaves what was read before in use: an editor that saves half a file must not lock
 * everybody out. A file that others may read or write is refused, since it decides
 * who gets in.
 */
#include "web/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"
#include "util/utf8.h"
#include "web/secret.h"

/* A bcrypt hash of a password that nobody knows, at the cost that htpasswd -B
 * has. */
static const char users_nobody[] =
    "$2y$05$Q1Q7FCpUxMhwy5Yb1b0cFuM2E1Hn4qJm1iR1Yl0k3Sd3vW7mY9b5e";

/* One file: its lines cut into fields, which lie in `text`. */
struct users_file {
	const char *key; /* of [web] */
	char *path;
	ino_t inode; /* of what was read last */
	struct timespec changed;
	off_t size;
	struct buf text;
	struct token *lines; /* of users, `digest` is the hash */
	size_t n;
};

struct web_users {
	struct users_file users, tokens;
	int64_t looked_us;
};

/* Words of the configuration and of the tokens file. */
int
users_role(const char *name, enum web_role *ret)
{
	static const struct {
		const char *name;
		enum web_role role;
	} roles[] = {{"viewer", WEB_VIEWER},
		     {"operator", WEB_OPERATOR},
		     {"metrics", WEB_METRICS}};
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, name) == 0) {
			*ret = roles[i].role;
			return 0;
		}
	return -1;
}

int
users_peer_role(const char *name, enum web_role *ret)
{
	if (strcmp(name, "submitter") != 0)
		return users_role(name, ret);
	*ret = WEB_SUBMITTER;
	return 0;
}

/* A name stands in logs, cookies and reasons: no blanks, no colons, no control
 * characters. */
bool
users_name_valid(const char *name)
{
	const size_t len = strlen(name);
	size_t i = 0, n = 1;

	while (i < len && n > 0 && (unsigned char)name[i] > ' ' &&
	       name[i] != ':' && name[i] != 0x7f) {
		n = utf8_length(name + i, len - i);
		i += n;
	}
	return len > 0 && len <= WEB_USER_MAX && i == len;
}

/* --- lines ---------------------------------------------------------------- */

static bool
users_is_hash(const char *hash)
{
	/* Never MD5 ("$apr1$"), SHA-1 ("{SHA}") or DES: those are guessed. */
	return strncmp(hash, "$2y$", 4) == 0 || strncmp(hash, "$2b$", 4) == 0 ||
	       strncmp(hash, "$2a$", 4) == 0 || strncmp(hash, "$y$", 3) == 0;
}

/* "NAME:HASH", of which crypt(3) reads all that it needs: its method, cost and
 * salt. */
static int
users_read_user(char *line, struct token *ret, struct err *err)
{
	char *colon = strchr(line, ':');

	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || !users_name_valid(line))
		return err_set(err, ERR_CONFIG, "not NAME:HASH");
	if (!users_is_hash(colon + 1))
		return err_set(err, ERR_CONFIG,
			       "the password of %.64s is neither bcrypt nor "
			       "yescrypt; make it with `htpasswd -B`",
			       line);
	*ret = (struct token){.name = line, .digest = colon + 1};
	return 0;
}

/* "NAME ROLE SHA256". Of a token only the digest is stored: who reads the file cannot
 * log in with it. */
static int
users_read_token(char *line, struct token *ret, struct err *err)
{
	char *save = NULL;
	const char *name = strtok_r(line, " \t", &save);
	const char *role = strtok_r(NULL, " \t", &save);
	const char *digest = strtok_r(NULL, " \t", &save);

	if (name == NULL || role == NULL || digest == NULL ||
	    strtok_r(NULL, " \t", &save) != NULL || !users_name_valid(name))
		return err_set(err, ERR_CONFIG, "not NAME ROLE SHA256");
	if (users_role(role, &ret->role) != 0)
		return err_set(err, ERR_CONFIG,
			       "\"%.32s\" is not viewer, operator or metrics",
			       role);
	if (strlen(digest) != SECRET_HEX_SIZE - 1 ||
	    strspn(digest, "0123456789abcdef") != SECRET_HEX_SIZE - 1)
		return err_set(err, ERR_CONFIG,
			       "the token of %.64s is not 64 hexadecimal "
			       "digits; make it with `flowrractl web token`",
			       name);
	ret->name = name;
	ret->digest = digest;
	return 0;
}

/* --- files ---------------------------------------------------------------- */

/* Overwritten: a hash may be guessed at leisure. */
static void
users_file_done(struct users_file *file)
{
	if (file->text.data != NULL)
		explicit_bzero(file->text.data, file->text.len);
	buf_done(&file->text);
	free(file->lines);
	file->lines = NULL;
	file->n = 0;
}

static int
users_add_line(struct users_file *file, char *line,
	       int (*read_line)(char *, struct token *, struct err *),
	       struct err *err)
{
	struct token *lines =
	    reallocarray(file->lines, file->n + 1, sizeof(*lines));

	if (lines == NULL)
		return err_nomem(err);
	file->lines = lines;
	if (read_line(line, &lines[file->n], err) != 0)
		return -1;
	file->n++;
	return 0;
}

/* Fills a new file from its text, which is cut up where it lies. Errors have the
 * number of the line. */
static int
users_parse(struct users_file *file,
	    int (*read_line)(char *, struct token *, struct err *),
	    struct err *err)
{
	char *line = file->text.data, *next;
	unsigned int number = 0;

	for (; line != NULL && *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		number++;
		line += strspn(line, " \t\r");
		line[strcspn(line, "\r")] = '\0';
		if (*line == '\0' || *line == '#')
			continue;
		if (users_add_line(file, line, read_line, err) != 0)
			return err_prefix(err, "%s:%u", file->path, number);
	}
	return 0;
}

/* Others could read hashes, and change who may log in. */
static int
users_check_mode(const char *path, const struct stat *st, struct err *err)
{
	if ((st->st_mode & (S_IWGRP | S_IRWXO)) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s: others may read or change it; chmod 640", path);
}

static bool
users_is_read(const struct users_file *file, const struct stat *st)
{
	return file->inode == st->st_ino &&
	       file->changed.tv_sec == st->st_mtim.tv_sec &&
	       file->changed.tv_nsec == st->st_mtim.tv_nsec &&
	       file->size == st->st_size;
}

/* Names the key, since a path alone does not say what it is for; and what lets
 * the daemon read a file that root has made. */
static int
users_failed(const struct users_file *file, struct err *err)
{
	if (err->sys == EACCES)
		err_hint(err, "let the group of flowrra-web read it: chgrp "
			      "flowrra, chmod 640");
	return err_prefix(err, "[web] %s", file->key);
}

/* Reads it, if it has changed. What is wrong leaves what was read before: an
 * editor that is half done must not lock all out. */
static int
users_load(struct users_file *file,
	   int (*read_line)(char *, struct token *, struct err *),
	   struct err *err)
{
	struct users_file next = {.key = file->key, .path = file->path};
	struct stat st;
	int r;

	if (file->path[0] == '\0')
		return 0;
	if (stat(file->path, &st) != 0) {
		/* Told once. */
		if (file->size < 0)
			return 0;
		file->size = -1;
		err_sys(err, ERR_CONFIG, "cannot read %s", file->path);
		return users_failed(file, err);
	}
	if (users_is_read(file, &st))
		return 0;
	/* Also if it is wrong: it is not read, and not told, again. */
	file->inode = st.st_ino;
	file->changed = st.st_mtim;
	file->size = st.st_size;
	if (users_check_mode(file->path, &st, err) != 0)
		return users_failed(file, err);
	r = secret_read(file->path, &next.text, err);
	if (r == 0)
		r = err_set(err, ERR_CONFIG, "cannot read %s: it is gone",
			    file->path);
	else if (r == 1)
		r = users_parse(&next, read_line, err);
	if (r != 0) {
		users_file_done(&next);
		return users_failed(file, err);
	}
	users_file_done(file);
	file->text = next.text;
	file->lines = next.lines;
	file->n = next.n;
	return 0;
}

struct web_users *
users_new(const char *users_path, const char *tokens_path, struct err *err)
{
	struct web_users *users = calloc(1, sizeof(*users));

	if (users == NULL || (users->users.path = strdup(users_path)) == NULL ||
	    (users->tokens.path = strdup(tokens_path)) == NULL) {
		users_free(users);
		err_nomem(err);
		return NULL;
	}
	users->users.key = "users";
	users->tokens.key = "tokens";
	if (users_load(&users->users, users_read_user, err) != 0 ||
	    users_load(&users->tokens, users_read_token, err) != 0) {
		users_free(users);
		return NULL;
	}
	users->looked_us = clock_mono_us();
	return users;
}

void
users_free(struct web_users *users)
{
	if (users == NULL)
		return;
	users_file_done(&users->users);
	users_file_done(&users->tokens);
	free(users->users.path);
	free(users->tokens.path);
	free(users);
}

/* At most once a second: it is called with each request, and stat() may be
 * slow. */
void
users_refresh(struct web_users *users)
{
	struct err err;

	if (clock_mono_us() - users->looked_us < 1000000)
		return;
	users->looked_us = clock_mono_us();
	if (users_load(&users->users, users_read_user, &err) != 0 ||
	    users_load(&users->tokens, users_read_token, &err) != 0)
		log_error("%s; what was read before stays in use", err.msg);
}

/* --- looking up ------------------------------------------------------------
 */

/* A file of people, not of a directory service: it is short. */
static const struct token *
users_find(const struct users_file *file, const char *name)
{
	size_t i;

	for (i = 0; i < file->n; i++)
		if (strcmp(file->lines[i].name, name) == 0)
			return &file->lines[i];
	return NULL;
}

const char *
users_hash(const struct web_users *users, const char *name)
{
	const struct token *line = users_find(&users->users, name);

	return line != NULL ? line->digest : NULL;
}

/* The hash of the first user, which takes as long to check as any. It does no harm if
 * the password happens to be right: auth_password() finds no such user. */
const char *
users_decoy(const struct web_users *users)
{
	return users->users.n > 0 ? users->users.lines[0].digest : users_nobody;
}

/* For a session, which remembers the name of its token. */
const struct token *
users_token_named(const struct web_users *users, const char *name)
{
	return users_find(&users->tokens, name);
}

/* All are compared, whether or not one was found: the time does not tell which. */
const struct token *
users_token(const struct web_users *users, const char *text)
{
	const struct token *found = NULL;
	char digest[SECRET_HEX_SIZE];
	size_t i;

	secret_digest(text, digest);
	for (i = 0; i < users->tokens.n; i++)
		if (secret_same(users->tokens.lines[i].digest, digest))
			found = &users->tokens.lines[i];
	return found;
}
