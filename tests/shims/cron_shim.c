/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into Debian's cron(8): its files are those below $CRON_ROOT, its time
 * goes from $CRON_FROM to $CRON_TO (seconds since 1970) as fast as it sleeps, and
 * nothing is run: what it says of each job goes into $CRON_ROOT/log, a line each,
 * behind the time. It needs no rights.
 */
/* Else open() is called open64() here, and not there. */
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What syslog() is there, with _FORTIFY_SOURCE; no header has it. */
void __syslog_chk(int priority, int flag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
char **pam_getenvlist(void *pam);

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static time_t now, end;
static const char *root;
static int log_fd = -1;

__attribute__((constructor)) static void
begin(void)
{
	char path[4096];

	root = getenv("CRON_ROOT");
	now = (time_t)atoll(getenv("CRON_FROM"));
	end = (time_t)atoll(getenv("CRON_TO"));
	snprintf(path, sizeof(path), "%s/log", root);
	log_fd =
	    REAL(open)(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log_fd < 0)
		_exit(99);
}

/* --- files ------------------------------------------------------------------ */

/* What cron looks at, and the lock of the one that there is on a machine. */
static const char *
below_root(const char *path, char to[static 4096])
{
	static const char *const places[] = {"/etc/cron", "/var/spool/cron",
					     "/var/run/crond", "/run/crond"};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0) {
			snprintf(to, 4096, "%s%s", root, path);
			return to;
		}
	return path;
}

int
open(const char *path, int flags, ...)
{
	char to[4096];
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return REAL(open)(below_root(path, to), flags, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	char to[4096];

	return REAL(fopen)(below_root(path, to), mode);
}

DIR *
opendir(const char *path)
{
	char to[4096];

	return REAL(opendir)(below_root(path, to));
}

int
chdir(const char *path)
{
	char to[4096];

	return REAL(chdir)(below_root(path, to));
}

int
access(const char *path, int mode)
{
	char to[4096];

	return REAL(access)(below_root(path, to), mode);
}

/* Only what is root's is believed. */
int
stat(const char *restrict path, struct stat *restrict st)
{
	char to[4096];
	const int result = REAL(stat)(below_root(path, to), st);

	st->st_uid = st->st_gid = 0;
	return result;
}

int
lstat(const char *restrict path, struct stat *restrict st)
{
	char to[4096];
	const int result = REAL(lstat)(below_root(path, to), st);

	st->st_uid = st->st_gid = 0;
	return result;
}

int
fstat(int fd, struct stat *st)
{
	const int result = REAL(fstat)(fd, st);

	st->st_uid = st->st_gid = 0;
	return result;
}

/* --- time ------------------------------------------------------------------- */

time_t
time(time_t *ret)
{
	if (ret != NULL)
		*ret = now;
	return now;
}

/* Of the daemon alone. All jobs of a minute have said what they do before the
 * next one begins. */
unsigned int
sleep(unsigned int seconds)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	now += seconds;
	if (now >= end)
		_exit(0);
	return 0;
}

/* --- what it says, and does not do -------------------------------------------- */

void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%lld ", (long long)now);
	va_list ap;

	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	if (text[n - 1] != '\n')
		text[n++] = '\n';
	if (write(log_fd, text, (size_t)n) != n)
		_exit(99);
}

int
execle(const char *path, const char *arg, ...)
{
	_exit(0);
}

/* Rights that the test need not have. */
#define NOTHING(declaration)                                                   \
	declaration;                                                           \
	declaration                                                            \
	{                                                                      \
		return 0;                                                      \
	}
NOTHING(uid_t getuid(void))
NOTHING(uid_t geteuid(void))
NOTHING(int setuid(uid_t uid))
NOTHING(int setgid(gid_t gid))
NOTHING(int initgroups(const char *user, gid_t group))
NOTHING(int chown(const char *path, uid_t uid, gid_t gid))
NOTHING(int pam_start(const char *service, const char *user, const void *conv,
		      void **ret))
NOTHING(int pam_set_item(void *pam, int item, const void *value))
NOTHING(int pam_acct_mgmt(void *pam, int flags))
NOTHING(int pam_open_session(void *pam, int flags))
NOTHING(int pam_close_session(void *pam, int flags))
NOTHING(int pam_setcred(void *pam, int flags))
NOTHING(int pam_end(void *pam, int status))

char **
pam_getenvlist(void *pam)
{
	return calloc(1, sizeof(char *));
}
