/* SPDX-License-Identifier: MIT */
/*
 * A worker for commands, started by who needs one.
 *
 * The lock of the worker's own says whether there is one (util/alive.h), and
 * decides when two are started at once: one of them ends. With a user's service
 * manager the worker is a transient unit of that, so that it outlives the login
 * as far as the administrator allows; else it is a process in a session of its
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "util/alive.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/path.h"
#include "util/proc.h"
#include "verb.h"

#define IDLE_EXIT "--idle-exit=10m"
/* A worker that leaves has only to end; one that starts opens a database. */
#define WAIT_MS 10000
#define PAUSE_NS 2000000L
/* The log of workers that no service manager keeps. */
#define LOG_MAX (1 << 20)
/* Options of ours that a worker takes, with the fixed ones around them. */
#define ARGV_MAX (2 * VALUE_LIST_MAX + 24)

struct starting {
	struct ctl *ctl;
	char *lock, *log, *program;
	pid_t pid; /* 0: not ours, or gone */
	int status;
	const char *argv[ARGV_MAX];
	size_t n;
};

static void
starting_add(struct starting *s, const char *word)
{
	if (s->n < ARGV_MAX - 1)
		s->argv[s->n++] = word;
}

/* It has to come to the same store, also by what was said to us alone. */
static void
starting_add_worker(struct starting *s)
{
	const struct globals *g = &s->ctl->globals;
	size_t i;

	starting_add(s, s->program);
	starting_add(s, CONF_PERSONAL);
	starting_add(s, IDLE_EXIT);
	if (g->config_file != NULL) {
		starting_add(s, "-c");
		starting_add(s, g->config_file);
	}
	for (i = 0; i < g->settings.n; i++) {
		if (strcmp(g->settings.items[i], CONF_PERSONAL) == 0)
			continue;
		starting_add(s, "-o");
		starting_add(s, g->settings.items[i]);
	}
}

/* --- a unit ------------------------------------------------------------------ */

/* Its private socket is there as long as it runs. Without XDG_RUNTIME_DIR, as from
 * cron, systemd-run would not find it either. */
static bool
has_user_manager(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[256];

	return dir != NULL && dir[0] == '/' &&
	       snprintf(path, sizeof(path), "%s/systemd/private", dir) <
		   (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

/* What leads a process to its state directory and its configuration. */
static void
add_variables(struct starting *s, char text[][PATH_MAX])
{
	static const char *const names[] = {"HOME", "XDG_STATE_HOME",
					    "XDG_CONFIG_HOME"};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = getenv(names[i]);
		if (value != NULL &&
		    snprintf(text[i], PATH_MAX, "--setenv=%s=%s", names[i],
			     value) < PATH_MAX)
			starting_add(s, text[i]);
	}
}

/* True if systemd-run says that it has started the unit. */
static bool
start_unit(struct starting *s)
{
	static const char *const words[] = {
	    "systemd-run", "--user",	     "--quiet",
	    "--collect",   "--unit=flowrra", "--property=KillMode=mixed"};
	static const char *const places[] = {"/usr/bin/systemd-run",
					     "/bin/systemd-run"};
	char variables[3][PATH_MAX];
	const int fds[] = {-1, -1, -1};
	struct proc_options o = {.argv = s->argv, .fds = fds, .n_fds = 3};
	int status = -1;
	pid_t pid;
	size_t i;

	s->n = 0;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		starting_add(s, words[i]);
	add_variables(s, variables);
	starting_add_worker(s);
	s->argv[s->n] = NULL;
	for (i = 0; i < 2 && status != 0; i++) {
		o.path = places[i];
		if (access(o.path, X_OK) != 0 ||
		    proc_spawn(&o, &pid, NULL) != 0)
			continue;
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
		break;
	}
	return status == 0;
}

/* Where logind notes the users whose manager does not end with their last login; it
 * answers the question in the same way. */
#define LINGER_DIR "/var/lib/systemd/linger"

/* Commands that wait would stand still unseen, so a user learns of it, once: a
 * file says that it was said. */
static void
tell_linger(const struct starting *s)
{
	char user[PATH_USER_SIZE], path[PATH_MAX];
	int fd;

	path_user_name(getuid(), user);
	if (s->ctl->globals.quiet ||
	    snprintf(path, sizeof(path), LINGER_DIR "/%s", user) >=
		(int)sizeof(path) ||
	    access(path, F_OK) == 0 ||
	    snprintf(path, sizeof(path), "%s/linger.told",
		     s->ctl->conf->worker.state_dir) >= (int)sizeof(path))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	close(fd);
	complain(s->ctl, "warning: when you log out, your worker ends, and "
			 "commands wait until you run one again; to let it go "
			 "on: loginctl enable-linger");
}

/* --- a process -------------------------------------------------------------- */

/* A long log is emptied first: no other program rotates it. */
static int
open_log(const struct starting *s)
{
	struct stat st;
	int fd =
	    open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		 0600);

	/* It goes on behind, if that fails. */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > LOG_MAX &&
	    ftruncate(fd, 0) != 0)
		errno = 0;
	return fd;
}

/* A session of its own: it must outlive the terminal, and get none of its signals. */
static int
start_process(struct starting *s, struct err *err)
{
	int fds[] = {-1, -1, -1}, r;
	const struct proc_options o = {.path = s->program,
				       .argv = s->argv,
				       .fds = fds,
				       .n_fds = 3,
				       .new_session = true};

	s->n = 0;
	starting_add_worker(s);
	s->argv[s->n] = NULL;
	fds[1] = fds[2] = open_log(s);
	r = proc_spawn(&o, &s->pid, err);
	if (fds[1] >= 0)
		close(fds[1]);
	return r;
}

/* The last line of the log, where there is one. */
static void
add_reason(const struct starting *s, struct err *err)
{
	char text[1024], *line;
	int fd = open(s->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t n = 0;

	if (end > 0)
		n = pread(fd, text, sizeof(text) - 1,
			  end > (off_t)sizeof(text) - 1
			      ? end - ((off_t)sizeof(text) - 1)
			      : 0);
	if (fd >= 0)
		close(fd);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	line = strrchr(text, '\n');
	err_hint(err, "%s says: %.300s", s->log,
		 line != NULL ? line + 1 : text);
}

/* --- both --------------------------------------------------------------------- */

static void
pause_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = PAUSE_NS};

	nanosleep(&moment, NULL);
}

/* Whether the one that we have started has ended. */
static bool
has_ended(struct starting *s)
{
	if (s->pid > 0 && waitpid(s->pid, &s->status, WNOHANG) == s->pid)
		s->pid = 0;
	return s->pid == 0;
}

/* One that ends may have met another, which is there then. */
static int
await_worker(struct starting *s, bool ours, struct err *err)
{
	const int64_t until = clock_mono_ms() + WAIT_MS;
	bool ended;

	for (;;) {
		ended = ours && has_ended(s);
		if (alive_ask(s->lock) == ALIVE_RUNNING)
			return 0;
		if (ended || clock_mono_ms() >= until)
			break;
		pause_a_moment();
	}
	err_set(err, ERR_UNAVAILABLE,
		ended ? "the worker that was started ended "
			"at once"
		      : "no worker came up");
	add_reason(s, err);
	return -1;
}

static int
ensure(struct starting *s, struct err *err)
{
	const int64_t until = clock_mono_ms() + WAIT_MS;
	enum alive alive;

	while ((alive = alive_ask(s->lock)) == ALIVE_LEAVING &&
	       clock_mono_ms() < until)
		pause_a_moment();
	if (alive != ALIVE_NO)
		return 0;
	s->program = proc_beside("flowrrad", err);
	if (s->program == NULL)
		return -1;
	if (has_user_manager() && start_unit(s)) {
		tell_linger(s);
		return await_worker(s, false, err);
	}
	if (start_process(s, err) != 0)
		return -1;
	return await_worker(s, true, err);
}

int
run_ensure_worker(struct ctl *ctl, struct err *err)
{
	const struct conf_worker *w = &ctl->conf->worker;
	struct starting s = {.ctl = ctl};
	int r = -1;

	if (asprintf(&s.lock, "%s/worker-%s.lock", w->state_dir, w->id) < 0)
		s.lock = NULL;
	if (asprintf(&s.log, "%s/flowrrad.log", w->state_dir) < 0)
		s.log = NULL;
	if (s.lock == NULL || s.log == NULL)
		err_nomem(err);
	else
		r = ensure(&s, err);
	free(s.lock);
	free(s.log);
	free(s.program);
	return r;
}
