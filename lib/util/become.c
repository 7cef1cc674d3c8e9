/* SPDX-License-Identifier: MIT */
/* Giving up root's rights, for good. */
#include "util/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <unistd.h>

#include "util/err.h"
#include "util/proc.h"

/* The groups first: they are root's to change. */
static int
become_groups(uid_t uid)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];
	const int r = getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);

	/* A directory service that is down has not said that there is none. */
	if (r != 0 && r != ENOENT && r != ESRCH) {
		errno = r;
		return -1;
	}
	if (found == NULL)
		return setgroups(0, NULL) == 0 ? setresgid(uid, uid, uid) : -1;
	if (initgroups(found->pw_name, found->pw_gid) != 0)
		return -1;
	return setresgid(found->pw_gid, found->pw_gid, found->pw_gid);
}

/* By what the kernel says, not by what the calls returned. */
static bool
become_is(uid_t uid)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real == uid &&
	       effective == uid && saved == uid && setuid(0) != 0;
}

int
become_user(uid_t uid, struct err *err)
{
	/* Before: as the user, one could be traced in between. */
	proc_forbid_dumps();
	if (become_groups(uid) != 0 || setresuid(uid, uid, uid) != 0 ||
	    !become_is(uid))
		return err_sys(err, ERR_SYSTEM,
			       "cannot go on as user %u instead of root",
			       (unsigned int)uid);
	/* A change of the user may have set it to what the system prefers. */
	proc_forbid_dumps();
	return 0;
}
