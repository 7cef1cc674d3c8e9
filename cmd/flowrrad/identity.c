/* SPDX-License-Identifier: MIT */
/* Who this worker is. */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "util/path.h"

/* The directory as conf_keys.def says; free() it. */
static char *
state_dir(const struct conf *conf)
{
	if (conf->worker.state_dir[0] != '\0')
		return strdup(conf->worker.state_dir);
	return path_state_dir();
}

static char *
make_id(const struct conf *conf)
{
	char host[256], *id = NULL;

	if (conf->worker.id[0] != '\0')
		return strdup(conf->worker.id);
	if (gethostname(host, sizeof(host)) != 0)
		return NULL;
	host[sizeof(host) - 1] = '\0';
	return asprintf(&id, "%s:main", host) < 0 ? NULL : id;
}

static char *
beside(const char *dir, const char *id, const char *what)
{
	char *path = NULL;

	return asprintf(&path, "%s/worker-%s.%s", dir, id, what) < 0 ? NULL
								     : path;
}

static int
take_lock(struct identity *who, struct err *err)
{
	who->lock_fd =
	    open(who->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (who->lock_fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot open the lock %s",
			       who->path);
	if (flock(who->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_sys(err, ERR_SYSTEM, "cannot lock %s", who->path);
	return err_set(err, ERR_REFUSED,
		       "a worker with ID %s is already running (it holds %s); "
		       "set another [worker] id",
		       who->id, who->path);
}

int
identity_take(const struct conf *conf, struct identity *ret, struct err *err)
{
	char *dir = state_dir(conf);
	int status = -1;

	*ret = (struct identity){.lock_fd = -1, .id = make_id(conf)};
	if (dir == NULL || ret->id == NULL ||
	    (ret->path = beside(dir, ret->id, "lock")) == NULL ||
	    (ret->spool = beside(dir, ret->id, "spool")) == NULL) {
		err_nomem(err);
	} else if (path_make_dir(dir, err) == 0 && take_lock(ret, err) == 0) {
		status = 0;
	}
	free(dir);
	return status;
}

void
identity_drop(struct identity *who)
{
	if (who->lock_fd >= 0)
		close(who->lock_fd);
	free(who->id);
	free(who->path);
	free(who->spool);
}
