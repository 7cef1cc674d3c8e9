/* SPDX-License-Identifier: MIT */
/*
 * Which daemons run on this machine: their files.
 *
 * The directory may belong to the services' user, while root reads and writes there. So
 * no symbolic link is followed, and what is read is only ever text in messages.
 */
#include "util/running.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alive.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/path.h"

#define SERVICES "/run/flowrra"
#define FOLDER "where"
/* The longest that a daemon writes: five paths, or URLs with as many hosts. */
#define FILE_MAX 65536
/* More daemons than a machine has; a directory may be full of other things. */
#define LIST_MAX 256
/* Of the services, and the user's. */
#define PLACES_MAX 2

struct running_file {
	int dir_fd, fd;
	char name[96];
};

void
running_done(struct running *r)
{
#define X(name) free(r->name);
	RUNNING_FIELDS(X)
#undef X
}

/* --- places -------------------------------------------------------------- */

/* A service of another unit has directories of its own, where nobody looks. */
static bool
place_of_unit(struct buf *out)
{
	const char *p = getenv("RUNTIME_DIRECTORY");
	size_t len;

	for (; p != NULL && *p == '/'; p += len + (p[len] == ':')) {
		len = strcspn(p, ":");
		if (len >= 8 && strncmp(p + len - 8, "/flowrra", 8) == 0) {
			buf_add(out, p, len);
			return true;
		}
	}
	return false;
}

static bool
place_of_user(struct buf *out)
{
	const char *user = getenv("XDG_RUNTIME_DIR");

	if (user == NULL || user[0] != '/')
		return false;
	buf_addf(out, "%s/flowrra", user);
	return true;
}

/* Where this process announces itself. */
static bool
place_of_daemon(struct buf *out)
{
	if (place_of_unit(out))
		return true;
	if (path_is_personal()) {
		if (!place_of_user(out))
			return false;
		/* No unit makes it for a worker that a command has started. */
		if (!out->failed)
			mkdir(out->data, 0700);
		return true;
	}
	buf_adds(out, SERVICES);
	return true;
}

/* --- telling ------------------------------------------------------------- */

/* A new one is of the owner of the directory above it, so that a daemon of root does not
 * keep those of the services' user out. By its descriptor: the services' user may have
 * put something else in the name's place. */
static int
folder_give(int parent, int fd)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	return fstat(parent, &st) == 0 ? fchown(fd, st.st_uid, st.st_gid) : -1;
}

/* -1 with errno; ENOENT: there is no such place on this machine. */
static int
folder_open(const char *place, bool make)
{
	const int parent =
	    open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool made;
	int fd = -1;

	if (parent < 0)
		return -1;
	made = make && mkdirat(parent, FOLDER, 0755) == 0;
	if (!make || made || errno == EEXIST)
		fd = openat(parent, FOLDER,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && made && folder_give(parent, fd) != 0) {
		close(fd);
		fd = -1;
	}
	/* Whatever the umask was. */
	if (fd >= 0 && make)
		fchmod(fd, 0755);
	close(parent);
	return fd;
}

/* A line break in a path would make another line. */
static void
add_line(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s=", name);
	for (; value != NULL && *value != '\0'; value++)
		buf_addc(out, *value == '\n' ? '?' : *value);
	buf_addc(out, '\n');
}

static void
write_lines(const struct running *me, struct buf *out)
{
	buf_addf(out, "pid=%ld\n", (long)getpid());
#define X(name) add_line(out, #name, me->name);
	RUNNING_FIELDS(X)
#undef X
}

/* Under a name that readers ignore, until it is complete and locked. */
static int
file_write(struct running_file *f, const struct buf *text)
{
	char temporary[sizeof(f->name) + 1];

	snprintf(temporary, sizeof(temporary), ".%s", f->name);
	unlinkat(f->dir_fd, temporary, 0);
	f->fd =
	    openat(f->dir_fd, temporary,
		   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return -1;
	if (write(f->fd, text->data, text->len) == (ssize_t)text->len &&
	    alive_begin(f->fd) == 0 && fchmod(f->fd, 0644) == 0 &&
	    renameat(f->dir_fd, temporary, f->dir_fd, f->name) == 0)
		return 0;
	unlinkat(f->dir_fd, temporary, 0);
	return -1;
}

/* Removes the files of daemons that were killed. */
static void
sweep(int dir_fd)
{
	DIR *dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
	struct dirent *entry;
	int fd;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		fd = entry->d_name[0] == '.'
			 ? -1
			 : openat(dir_fd, entry->d_name,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
				      O_CLOEXEC);
		if (fd < 0)
			continue;
		if (alive_ask_fd(fd) == ALIVE_NO)
			unlinkat(dir_fd, entry->d_name, 0);
		close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

struct running_file *
running_tell(const struct running *me, struct err *err)
{
	struct running_file *f = calloc(1, sizeof(*f));
	struct buf place = BUF_INIT, text = BUF_INIT;

	*err = (struct err)ERR_INIT;
	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	*f = (struct running_file){.dir_fd = -1, .fd = -1};
	snprintf(f->name, sizeof(f->name), "%.64s.%ld", me->program,
		 (long)getpid());
	write_lines(me, &text);
	if (!place_of_daemon(&place))
		goto out;
	if (place.failed || text.failed)
		err_nomem(err);
	else if ((f->dir_fd = folder_open(place.data, true)) < 0 &&
		 errno != ENOENT)
		err_sys(err, ERR_SYSTEM, "cannot open %s/" FOLDER, place.data);
	if (f->dir_fd < 0)
		goto out;
	sweep(f->dir_fd);
	if (file_write(f, &text) != 0)
		err_sys(err, ERR_SYSTEM, "cannot write %s/" FOLDER "/%s",
			place.data, f->name);
out:
	buf_done(&place);
	buf_done(&text);
	if (f->fd >= 0 && err->code == ERR_NONE)
		return f;
	running_withdraw(f);
	return NULL;
}

void
running_withdraw(struct running_file *f)
{
	if (f == NULL)
		return;
	if (f->dir_fd >= 0) {
		unlinkat(f->dir_fd, f->name, 0);
		close(f->dir_fd);
	}
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

/* --- asking -------------------------------------------------------------- */

static void
take_line(struct running *r, const char *name, const char *value)
{
	if (strcmp(name, "pid") == 0)
		r->pid = (pid_t)strtol(value, NULL, 10);
#define X(field)                                                               \
	else if (r->field == NULL && strcmp(name, #field) == 0) r->field =     \
	    strdup(value);
	RUNNING_FIELDS(X)
#undef X
}

/* Ignores unknown lines, which other versions may write. False if a line is missing, or
 * memory runs out. */
static bool
take_text(struct running *r, char *text)
{
	char *line, *value, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if ((value = strchr(line, '=')) == NULL)
			continue;
		*value++ = '\0';
		take_line(r, line, value);
	}
#define X(field) &&r->field != NULL
	return r->pid > 0 RUNNING_FIELDS(X);
#undef X
}

static bool
read_open(int fd, uid_t owner, struct running *r)
{
	char *text = malloc(FILE_MAX);
	struct stat st;
	bool good = false;
	ssize_t n;

	if (text != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == owner || st.st_uid == 0) &&
	    alive_ask_fd(fd) != ALIVE_NO &&
	    (n = read(fd, text, FILE_MAX - 1)) > 0) {
		text[n] = '\0';
		good = take_text(r, text);
	}
	free(text);
	return good;
}

static void
add_file(struct running_list *list, int dir_fd, const char *name, uid_t owner)
{
	const int fd = openat(dir_fd, name,
			      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct running r = {.pid = 0}, *items;

	if (fd < 0)
		return;
	items = reallocarray(list->items, list->n + 1, sizeof(r));
	if (items != NULL)
		list->items = items;
	if (items != NULL && read_open(fd, owner, &r))
		items[list->n++] = r;
	else
		running_done(&r);
	close(fd);
}

static void
add_place(struct running_list *list, const char *place)
{
	const int fd = folder_open(place, false);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fstat(fd, &st) == 0)
		while (list->n < LIST_MAX && (entry = readdir(dir)) != NULL)
			if (entry->d_name[0] != '.')
				add_file(list, fd, entry->d_name, st.st_uid);
	closedir(dir);
}

void
running_find(struct running_list *ret)
{
	struct buf places[PLACES_MAX] = {BUF_INIT, BUF_INIT};
	size_t i;

	*ret = (struct running_list){.items = NULL};
	if (!place_of_unit(&places[0]))
		buf_adds(&places[0], SERVICES);
	place_of_user(&places[1]);
	for (i = 0; i < PLACES_MAX; i++) {
		if (places[i].data != NULL && !places[i].failed)
			add_place(ret, places[i].data);
		buf_done(&places[i]);
	}
}

void
running_list_done(struct running_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		running_done(&list->items[i]);
	free(list->items);
}
