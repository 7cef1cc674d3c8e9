/* SPDX-License-Identifier: MIT */
/*
 * What may be wrong with the database's file and the place it lies in: the part
 * of "flowrractl doctor" that knows files. Nothing here takes longer than some
 * system calls, however large the file is: a running service is not disturbed,
 * so there is no integrity check, which reads all of it.
 *
 * A check that cannot look (a system call fails) finds nothing: the operator
 * learns of that trouble elsewhere.
 */
#include "sqlite/examine.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "loaded/sqlite3.h"
#include "sqlite/file.h"
#include "sqlite/holder.h"
#include "sqlite/relay.h"
#include "util/err.h"

/* What the log grows by with a small change is some pages of 4 KiB. */
#define ROOM_CHANGE 65536
/* Below these, the disk is nearly full. An error: what the log needs before
 * readers are waited for (checkpoint.c). A warning: little both in bytes and in
 * proportion, since a small disk may well have less than a GiB. */
#define ROOM_ERROR_MIB 64
#define ROOM_WARNING_MIB 1024
#define ROOM_WARNING_PERCENT 5
/* Twice the length at which readers are waited for: one of them does not end. */
#define LOG_WARNING_MIB 128

#define MIB (INT64_C(1) << 20)

struct examination {
	struct tx *tx;
	char dir[EXAMINE_TEXT_MAX / 2];
	struct stat file;
	int64_t log_size; /* -1: there is none */
	int64_t page_size, pages;
	char mode[16]; /* of the journal */
};

/* A look for one thing: whether it is there, and what to say of it. */
typedef bool check_fn(const struct examination *e, struct finding *f);

/* --- the disk ---------------------------------------------------------- */

static bool
check_room(const struct examination *e, struct finding *f)
{
	struct statfs fs;
	int64_t mib;

	if (statfs(e->dir, &fs) != 0 || fs.f_blocks == 0)
		return false;
	mib = (int64_t)fs.f_bavail * fs.f_bsize / MIB;
	f->error = mib < ROOM_ERROR_MIB;
	if (!f->error && (mib >= ROOM_WARNING_MIB ||
			  (int64_t)fs.f_bavail * 100 / (int64_t)fs.f_blocks >=
			      ROOM_WARNING_PERCENT))
		return false;
	snprintf(f->what, sizeof(f->what),
		 "the disk that holds %s has only %" PRId64 " MiB left",
		 e->tx->path, mib);
	snprintf(f->remedy, sizeof(f->remedy),
		 "free space; submissions fail when the disk is full");
	return true;
}

/* Numbers without a name are those that linux/magic.h does not have in all
 * versions; statfs(2) lists them. */
static bool
check_file_system(const struct examination *e, struct finding *f)
{
	static const struct {
		long magic;
		const char *name;
		bool network;
	} kinds[] = {
	    {NFS_SUPER_MAGIC, "NFS", true}, {SMB_SUPER_MAGIC, "SMB", true},
	    {0xfe534d42, "SMB", true},	    {0xff534d42, "CIFS", true},
	    {AFS_SUPER_MAGIC, "AFS", true}, {0x00c36400, "Ceph", true},
	    {TMPFS_MAGIC, "tmpfs", false},  {RAMFS_MAGIC, "ramfs", false},
	};
	struct statfs fs;
	size_t i;

	if (statfs(e->dir, &fs) != 0)
		return false;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((uint32_t)fs.f_type == (uint32_t)kinds[i].magic)
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return false;
	f->error = kinds[i].network;
	snprintf(
	    f->what, sizeof(f->what), "%s is on a file system (%s) that %s",
	    e->tx->path, kinds[i].name,
	    kinds[i].network
		? "other machines also write to, and its locks are not reliable"
		: "is empty after a reboot");
	snprintf(f->remedy, sizeof(f->remedy),
		 "move the file to a local disk, or name another file in "
		 "[broker] url");
	return true;
}

/* --- who may do what --------------------------------------------------- */

/* To read it is a warning: a site may want that. To write it is an error. */
static bool
check_file_mode(const struct examination *e, struct finding *f)
{
	if ((e->file.st_mode & 077) == 0)
		return false;
	f->error = (e->file.st_mode & 022) != 0;
	snprintf(f->what, sizeof(f->what),
		 "users other than the owner may %s %s (mode %03o), including "
		 "the arguments and results of all tasks",
		 f->error ? "change" : "read", e->tx->path,
		 e->file.st_mode & 0777);
	snprintf(f->remedy, sizeof(f->remedy), "chmod 600 %s", e->tx->path);
	return true;
}

/* In a directory that others may write to, such as /tmp, the sticky bit keeps
 * them from replacing files of ours. */
static bool
check_directory_mode(const struct examination *e, struct finding *f)
{
	struct stat st;

	if (stat(e->dir, &st) != 0 || (st.st_mode & 022) == 0 ||
	    (st.st_mode & S_ISVTX) != 0)
		return false;
	f->error = true;
	snprintf(
	    f->what, sizeof(f->what),
	    "users other than the owner may replace files in %s (mode %03o)",
	    e->dir, st.st_mode & 0777);
	snprintf(f->remedy, sizeof(f->remedy), "chmod go-w %s", e->dir);
	return true;
}

/* The file itself belongs to us, or we are root; what lies beside it must
 * belong to the same user, or that one is locked out. */
static bool
examine_beside(const struct examination *e, const char *suffix,
	       struct finding *f)
{
	char path[EXAMINE_TEXT_MAX / 2];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", e->tx->path, suffix);
	if (stat(path, &st) != 0 || st.st_uid == e->file.st_uid)
		return false;
	f->error = true;
	snprintf(f->what, sizeof(f->what),
		 "%s belongs to user %u and the database to user %u, so one of "
		 "them may be unable to use it",
		 path, (unsigned int)st.st_uid, (unsigned int)e->file.st_uid);
	snprintf(f->remedy, sizeof(f->remedy), "chown -R %u %s",
		 (unsigned int)e->file.st_uid, path);
	return true;
}

static bool
check_log_owner(const struct examination *e, struct finding *f)
{
	return examine_beside(e, "-wal", f);
}

static bool
check_shm_owner(const struct examination *e, struct finding *f)
{
	return examine_beside(e, "-shm", f);
}

static bool
check_sockets_owner(const struct examination *e, struct finding *f)
{
	return examine_beside(e, "-wake", f) ||
	       examine_beside(e, "-wake/" RELAY_NAME, f);
}

/* --- the file ---------------------------------------------------------- */

/* Our own connection set WAL when it opened the file. */
static bool
check_journal(const struct examination *e, struct finding *f)
{
	if (strcmp(e->mode, "wal") == 0)
		return false;
	f->error = true;
	snprintf(f->what, sizeof(f->what),
		 "%s is in journal mode \"%s\": another program changed it",
		 e->tx->path, e->mode);
	snprintf(f->remedy, sizeof(f->remedy),
		 "restart the programs that use it; they restore the mode");
	return true;
}

static bool
check_log(const struct examination *e, struct finding *f)
{
	char reader[HOLDER_TEXT_MAX];

	if (e->log_size < LOG_WARNING_MIB * MIB)
		return false;
	f->error = false;
	holder_describe_reader(e->tx->db, reader, sizeof(reader));
	snprintf(
	    f->what, sizeof(f->what),
	    "the log %s-wal has grown to %" PRId64
	    " MiB: %s reads the database for a long time, which keeps it from "
	    "being moved into the file",
	    e->tx->path, e->log_size / MIB, reader);
	snprintf(f->remedy, sizeof(f->remedy),
		 "have it end its transaction, or end it; fuser %s lists who "
		 "has the file open",
		 e->tx->path);
	return true;
}

/* The first page is read from the disk, not from memory. The descriptor is
 * SQLite's: to open and close one of our own would drop its locks. */
static bool
check_header(const struct examination *e, struct finding *f)
{
	static const char magic[] = "SQLite format 3";
	sqlite3_file *file = NULL;
	char bytes[100];
	bool sound = false;

	if (sqlite3_file_control(e->tx->db, "main", SQLITE_FCNTL_FILE_POINTER,
				 &file) != SQLITE_OK ||
	    file == NULL || file->pMethods == NULL)
		return false;
	/* Bytes 16 and 17 are the page size. 65536 is stored as 1; we have
	 * SQLite's default, 4096. */
	if (file->pMethods->xRead(file, bytes, sizeof(bytes), 0) == SQLITE_OK)
		sound = memcmp(bytes, magic, sizeof(magic)) == 0 &&
			((unsigned char)bytes[16] << 8 |
			 (unsigned char)bytes[17]) == (e->page_size & 0xffff);
	/* What is not in the file is in the log. */
	sound =
	    sound && e->file.st_size + (e->log_size > 0 ? e->log_size : 0) >=
			 e->pages * e->page_size;
	if (sound)
		return false;
	f->error = true;
	snprintf(f->what, sizeof(f->what), "%s is damaged or truncated",
		 e->tx->path);
	snprintf(f->remedy, sizeof(f->remedy),
		 "stop all programs that use it; sqlite3's .recover, or a "
		 "backup, may bring back what was in it");
	return true;
}

/* --- all of it --------------------------------------------------------- */

/* In the order in which they are reported. */
static check_fn *const checks[] = {
    check_room,		  check_file_system, check_file_mode,
    check_directory_mode, check_log_owner,   check_shm_owner,
    check_sockets_owner,  check_journal,     check_log,
    check_header,
};

static int
examine_on_number(void *arg, int n, char **values, char **names)
{
	*(int64_t *)arg = values[0] != NULL ? strtoll(values[0], NULL, 10) : 0;
	return 0;
}

static int
examine_on_text(void *arg, int n, char **values, char **names)
{
	snprintf(arg, sizeof(((struct examination *)arg)->mode), "%s",
		 values[0] != NULL ? values[0] : "");
	return 0;
}

/* Gathers what the checks are about; they only compare. */
static int
examine_look(struct examination *e, struct err *err)
{
	struct tx *tx = e->tx;
	char path[EXAMINE_TEXT_MAX / 2];
	struct stat st;

	if (sqlite3_exec(tx->db, "PRAGMA page_size", examine_on_number,
			 &e->page_size, NULL) != SQLITE_OK ||
	    sqlite3_exec(tx->db, "PRAGMA page_count", examine_on_number,
			 &e->pages, NULL) != SQLITE_OK ||
	    sqlite3_exec(tx->db, "PRAGMA journal_mode", examine_on_text,
			 e->mode, NULL) != SQLITE_OK)
		return tx_fail(tx, err, "examining");
	if (stat(tx->path, &e->file) != 0)
		return err_sys(err, ERR_UNAVAILABLE, "cannot inspect %s",
			       tx->path);
	snprintf(path, sizeof(path), "%s-wal", tx->path);
	e->log_size = stat(path, &st) == 0 ? st.st_size : -1;
	snprintf(e->dir, sizeof(e->dir), "%.*s",
		 (int)(strrchr(tx->path, '/') - tx->path), tx->path);
	if (e->dir[0] == '\0')
		strcpy(e->dir, "/");
	return 0;
}

int
examine_run(struct tx *tx, finding_fn *on_finding, void *arg, struct err *err)
{
	struct examination e = {.tx = tx};
	struct finding f;
	size_t i;

	if (examine_look(&e, err) != 0)
		return -1;
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](&e, &f))
			on_finding(&f, arg);
	return 0;
}

int
examine_room(const struct tx *tx, struct err *err)
{
	struct statfs fs;

	if (statfs(tx->path, &fs) != 0 || fs.f_blocks == 0 ||
	    (int64_t)fs.f_bavail * fs.f_bsize >= ROOM_CHANGE)
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
		       "%s: the disk is full; make room, and work goes on by "
		       "itself",
		       tx->path);
}

const char *
examine_version(void)
{
	return "SQLite " SQLITE_VERSION;
}
