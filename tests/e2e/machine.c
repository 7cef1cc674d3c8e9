/* SPDX-License-Identifier: MIT */
/* A machine of a test's own. */
#include "e2e/machine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

bool
own_mounts(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

struct world *
machine_start(bool embedded)
{
	const struct world_options options = {.no_worker = true,
					      .embedded = embedded};
	struct world *w;

	if (!own_mounts())
		return NULL;
	umask(022);
	w = world_start(&options);
	ck_run(run(w, "chmod 755 . && install -d -o " USER
		      " home && mkdir -p etc var run &&"
		      "cp -aL /etc/passwd /etc/group /etc/nsswitch.conf "
		      "/etc/ld.so.cache etc && mount --bind etc /etc &&"
		      "mount --bind var /var/lib && mount --bind run /run &&"
		      "install -d -m 755 /etc/flowrra/credentials &&"
		      "install -d -m 755 -o " SERVICE " -g " SERVICE
		      " /run/flowrra &&"
		      "install -d -m 750 -o " SERVICE " -g " SERVICE
		      " /var/lib/flowrra"),
	       0, "");
	/* Programs find their libraries and each other for anybody. */
	setenv("FLOWRRA_WORKER_MODULES", world_built(w, "modules/plain.so"), 1);
	/* It has a /run of its own. */
	unsetenv("RUNTIME_DIRECTORY");
	return w;
}
