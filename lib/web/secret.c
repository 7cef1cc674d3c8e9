/* SPDX-License-Identifier: MIT */
/*
 * Secrets: random bytes, digests, files that are never half-written, and the codes
 * that log in once.
 *
 * Random bytes are the kernel's (getrandom(2)), which does not fail once it was
 * seeded; a daemon without them must not go on. What had a secret in it is
 * overwritten before it is given back.
 */
#include "web/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/path.h"
#include "util/sha.h"

/* Tokens of a whole company fit. */
#define FILE_MAX (1 << 20)

void
secret_random(void *p, size_t len)
{
	if (getrandom(p, len, 0) != (ssize_t)len)
		abort();
}

/* --- texts ---------------------------------------------------------------- */

static const char secret_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Six bits a digit, most significant first (RFC 4648, section 5). */
void
secret_encode(const void *bytes, size_t len, struct buf *out)
{
	const unsigned char *p = bytes;
	unsigned int bits = 0, n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (n += 8; n >= 6; n -= 6)
			buf_addc(out, secret_digits[bits >> (n - 6) & 63]);
	}
	if (n > 0)
		buf_addc(out, secret_digits[bits << (6 - n) & 63]);
}

/* Both alphabets of RFC 4648: base64url is ours, base64 is that of Basic. Bits that
 * are left over must be zero: one value has one text, so that no cookie has a
 * twin that is not logged out with it. */
int
secret_decode(struct slice text, struct buf *out)
{
	unsigned int bits = 0, n = 0;
	const char *digit;
	size_t i;
	char c;

	while (text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	for (i = 0; i < text.len; i++) {
		c = text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i];
		digit = c != '\0' ? strchr(secret_digits, c) : NULL;
		if (digit == NULL)
			return -1;
		bits = bits << 6 | (unsigned int)(digit - secret_digits);
		if ((n += 6) >= 8)
			buf_addc(out, (char)(bits >> (n -= 8) & 255));
	}
	/* What is left must be padding: one text for one value. */
	return text.len % 4 != 1 && (bits & ((1u << n) - 1)) == 0 &&
		       !out->failed
		   ? 0
		   : -1;
}

void
secret_make(char text[SECRET_TEXT_SIZE])
{
	unsigned char bytes[SECRET_BYTES];
	struct buf out = BUF_INIT;

	secret_random(bytes, sizeof(bytes));
	secret_encode(bytes, sizeof(bytes), &out);
	snprintf(text, SECRET_TEXT_SIZE, "%s",
		 out.data != NULL ? out.data : "");
	buf_done(&out);
}

/* Tokens are random, so that a fast digest without salt will do; passwords are
 * not (users.c). */
void
secret_digest(const char *text, char hex[SECRET_HEX_SIZE])
{
	unsigned char digest[SHA256_SIZE];

	sha256(slice_of(text), digest);
	sha_hex(digest, sizeof(digest), hex);
}

void
secret_hmac(const unsigned char key[SECRET_BYTES], struct slice text,
	    unsigned char mac[SECRET_BYTES])
{
	sha256_hmac((struct slice){(const char *)key, SECRET_BYTES}, text, mac);
}

/* The length may show: it is that of a digest, or of a MAC. */
bool
secret_same(const char *a, const char *b)
{
	const size_t len = strlen(a);
	/* The compiler must not stop at the first that differs. */
	volatile unsigned char differs = 0;
	size_t i;

	if (len != strlen(b))
		return false;
	for (i = 0; i < len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

/* --- files ---------------------------------------------------------------- */

/* Of an open file, which it closes. */
static int
secret_read_fd(int fd, const char *path, struct buf *out, struct err *err)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0 && out->len < FILE_MAX)
		buf_add(out, part, (size_t)n);
	close(fd);
	explicit_bzero(part, sizeof(part));
	if (n < 0)
		return err_sys(err, ERR_CONFIG, "cannot read %s", path);
	if (n > 0)
		return err_set(err, ERR_CONFIG, "%s: longer than 1 MiB", path);
	return out->failed ? err_nomem(err) : 1;
}

/* What open() has failed with: 0, or -1 and *err. */
static int
secret_open_failed(const char *path, struct err *err)
{
	if (errno == ENOENT)
		return 0;
	return err_sys(err, errno == EACCES ? ERR_REFUSED : ERR_CONFIG,
		       "cannot read %s", path);
}

/* O_NONBLOCK: a FIFO in its place would have the daemon wait for ever. */
int
secret_read(const char *path, struct buf *out, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return secret_open_failed(path, err);
	return secret_read_fd(fd, path, out, err);
}

/* O_NOFOLLOW: a link would let somebody who may write to the directory choose the
 * file. */
int
secret_read_own(const char *path, struct buf *out, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
				      O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return secret_open_failed(path, err);
	if (fstat(fd, &st) != 0)
		err_sys(err, ERR_CONFIG, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_CONFIG,
			"%s: not a plain file; remove it, and start again",
			path);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		/* Root's own file would lock the service out. */
		err_set(err, ERR_REFUSED,
			"%s belongs to user %u, but this process runs as user "
			"%u; run it as that user",
			path, (unsigned int)st.st_uid, (unsigned int)geteuid());
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		err_set(err, ERR_CONFIG,
			"%s: others may change it; remove it, and start again",
			path);
	else
		return secret_read_fd(fd, path, out, err);
	close(fd);
	return -1;
}

/* A file of another name beside it, which is complete; its name in `ret`. */
static int
secret_write_beside(const char *path, struct slice bytes, unsigned int mode,
		    struct buf *ret)
{
	uint64_t number;
	int fd, r;

	/* Two daemons with one directory may have the same process id. */
	secret_random(&number, sizeof(number));
	buf_addf(ret, "%s.%016" PRIx64, path, number);
	if (ret->failed)
		return -1;
	fd = open(ret->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	r = fchmod(fd, mode) == 0 &&
		    write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len &&
		    fsync(fd) == 0
		? 0
		: -1;
	close(fd);
	if (r != 0)
		unlink(ret->data);
	return r;
}

/* Replaced in one step (rename(2)): a reader finds the old file or the new one. */
int
secret_write(const char *path, struct slice bytes, unsigned int mode,
	     struct err *err)
{
	struct buf other = BUF_INIT;
	int r = secret_write_beside(path, bytes, mode, &other);

	if (r == 0 && (r = rename(other.data, path)) != 0)
		unlink(other.data);
	if (r != 0)
		r = err_sys(err, ERR_CONFIG, "cannot write %s", path);
	buf_done(&other);
	return r;
}

/* link(2), which fails where there is one already, as rename(2) would not: of two
 * that are made at the same time the first stays. */
int
secret_create(const char *path, struct slice bytes, unsigned int mode,
	      struct err *err)
{
	struct buf other = BUF_INIT;
	int r = secret_write_beside(path, bytes, mode, &other);

	if (r == 0) {
		r = link(other.data, path) == 0 || errno == EEXIST ? 0 : -1;
		unlink(other.data);
	}
	if (r != 0)
		r = err_sys(err, ERR_CONFIG, "cannot write %s", path);
	buf_done(&other);
	return r;
}

/* The directory that conf_keys.def says. */
static void
secret_runtime_dir(const struct conf *conf, struct buf *out)
{
	const char *systemd = getenv("RUNTIME_DIRECTORY");
	const char *user = getenv("XDG_RUNTIME_DIR");

	if (conf->web.runtime_dir[0] != '\0')
		buf_adds(out, conf->web.runtime_dir);
	else if (systemd != NULL && systemd[0] == '/')
		/* The first of them. */
		buf_addf(out, "%.*s", (int)strcspn(systemd, ":"), systemd);
	else if (!path_is_personal() || user == NULL || user[0] != '/')
		buf_adds(out, "/run/flowrra");
	else
		buf_addf(out, "%s/flowrra", user);
}

/* Where `flowrractl web` looks for it, by the same configuration. */
char *
secret_token_path(const struct conf *conf)
{
	struct buf path = BUF_INIT;

	secret_runtime_dir(conf, &path);
	buf_adds(&path, "/web.token");
	if (path.failed) {
		buf_done(&path);
		return NULL;
	}
	return buf_take(&path);
}

/* --- codes ---------------------------------------------------------------- */

/* "TIME.NONCE.MAC", all but the last in hexadecimal digits. */
static void
secret_code_sign(const char *token, int64_t until_s, uint64_t nonce,
		 char code[SECRET_CODE_SIZE])
{
	unsigned char key[SECRET_BYTES], mac[SECRET_BYTES];
	char text[64];
	struct buf out = BUF_INIT;

	sha256(slice_of(token), key);
	snprintf(text, sizeof(text), "%" PRIx64 ".%016" PRIx64,
		 (uint64_t)until_s, nonce);
	secret_hmac(key, slice_of(text), mac);
	secret_encode(mac, sizeof(mac), &out);
	snprintf(code, SECRET_CODE_SIZE, "%s.%s", text,
		 out.data != NULL ? out.data : "");
	buf_done(&out);
}

/* Made of the token alone: `flowrractl web` needs no daemon for it, and who can read
 * the token may log in anyway. */
void
secret_code_make(const char *token, char code[SECRET_CODE_SIZE])
{
	uint64_t nonce;

	secret_random(&nonce, sizeof(nonce));
	secret_code_sign(token, clock_wall_us() / 1000000 + SECRET_CODE_LIFE_S,
			 nonce, code);
}

/* The code is made once more of its own time and nonce, and compared as a whole:
 * nothing of it is believed before that. */
bool
secret_code_check(const char *token, const char *code, uint64_t *ret_nonce,
		  int64_t *ret_until_s)
{
	char same[SECRET_CODE_SIZE];
	const int64_t now_s = clock_wall_us() / 1000000;
	uint64_t until = 0;

	/* Read with bounds: what does not fit is not one of ours. */
	if (strlen(code) >= SECRET_CODE_SIZE ||
	    /* NOLINTNEXTLINE(cert-err34-c): the digits have a bound */
	    sscanf(code, "%15" SCNx64 ".%16" SCNx64, &until, ret_nonce) != 2)
		return false;
	*ret_until_s = (int64_t)until;
	secret_code_sign(token, *ret_until_s, *ret_nonce, same);
	return secret_same(code, same) && *ret_until_s >= now_s &&
	       *ret_until_s <= now_s + SECRET_CODE_LIFE_S;
}
