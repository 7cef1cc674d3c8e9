/* SPDX-License-Identifier: MIT */
/* Private PostgreSQL and MariaDB servers for tests. */
#include "sql_server.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"
#include "server.h"
#include "util/buf.h"

#define START_MS 30000

struct sql_server {
	enum sql_server_kind kind;
	char *dir, *data, *socket;
	int port;     /* with TLS; 0: none */
	pid_t pid;    /* 0: not running */
	pid_t pooler; /* the same */
};

#define POOLER_PORT 6432

/* --- processes ----------------------------------------------------------- */

/* The servers refuse to run as root. */
static const struct passwd *
server_user(void)
{
	const struct passwd *user = getpwnam("postgres");

	if (geteuid() != 0)
		return NULL;
	if (user == NULL && (user = getpwnam("nobody")) == NULL)
		server_die("there is no user to run a server as");
	return user;
}

static pid_t
spawn(struct sql_server *s, const char *const *argv)
{
	const struct passwd *user = server_user();
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		server_die("cannot fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	if (chdir(s->dir) != 0)
		_exit(127);
	if (user != NULL &&
	    (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
	     setuid(user->pw_uid) != 0))
		_exit(127);
	setpgid(0, 0);
	/* A change of user would undo it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
	dup2(open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	     STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	closefrom(3);
	unsetenv("LD_PRELOAD");
	/* A starting mariadbd removes what others have in a shared one. */
	setenv("TMPDIR", s->dir, 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void
run(struct sql_server *s, const char *const *argv)
{
	pid_t pid = spawn(s, argv);
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		server_die("%s fails; see %s/log", argv[0], s->dir);
}

/* Debian has PostgreSQL's own programs out of the way. */
static char *
postgresql_program(const char *name)
{
	char *pattern = server_text("/usr/lib/postgresql/*/bin/%s", name);
	char *found = NULL;
	glob_t paths;

	if (glob(pattern, 0, NULL, &paths) == 0)
		found = server_text("%s", paths.gl_pathv[paths.gl_pathc - 1]);
	globfree(&paths);
	free(pattern);
	return found != NULL ? found : server_text("%s", name);
}

/* --- talking to it ------------------------------------------------------- */

static char *
ask_postgresql(struct sql_server *s, const char *database, const char *sql,
	       bool *ret_up)
{
	char *info = server_text("host=%s port=%d user=postgres dbname=%s",
				 s->dir, s->port != 0 ? s->port : 5432,
				 database != NULL ? database : "postgres");
	PGconn *pg = PQconnectdb(info);
	struct buf out = BUF_INIT;
	PGresult *result;
	int i, j;

	free(info);
	*ret_up = PQstatus(pg) == CONNECTION_OK;
	result = *ret_up ? PQexec(pg, sql) : NULL;
	if (result != NULL && PQresultStatus(result) != PGRES_COMMAND_OK &&
	    PQresultStatus(result) != PGRES_TUPLES_OK)
		server_die("%s: %s", sql, PQerrorMessage(pg));
	for (i = 0; i < PQntuples(result); i++)
		for (j = 0; j < PQnfields(result); j++)
			buf_addf(&out, "%s%c", PQgetvalue(result, i, j),
				 j + 1 < PQnfields(result) ? '|' : '\n');
	PQclear(result);
	PQfinish(pg);
	buf_addc(&out, '\0');
	return buf_take(&out);
}

static char *
ask_mariadb(struct sql_server *s, const char *database, const char *sql,
	    bool *ret_up)
{
	MYSQL *mysql = mysql_init(NULL);
	struct buf out = BUF_INIT;
	unsigned int j, n;
	MYSQL_RES *result;
	MYSQL_ROW row;

	*ret_up = mysql_real_connect(mysql, NULL, "root", NULL, database, 0,
				     s->socket, 0) != NULL;
	if (*ret_up && mysql_query(mysql, sql) != 0)
		server_die("%s: %s", sql, mysql_error(mysql));
	result = *ret_up ? mysql_store_result(mysql) : NULL;
	n = result != NULL ? mysql_num_fields(result) : 0;
	while (result != NULL && (row = mysql_fetch_row(result)) != NULL)
		for (j = 0; j < n; j++)
			buf_addf(&out, "%s%c", row[j] != NULL ? row[j] : "",
				 j + 1 < n ? '|' : '\n');
	mysql_free_result(result);
	mysql_close(mysql);
	buf_addc(&out, '\0');
	return buf_take(&out);
}

static char *
ask(struct sql_server *s, const char *database, const char *sql, bool *ret_up)
{
	return s->kind == SQL_SERVER_POSTGRESQL
		   ? ask_postgresql(s, database, sql, ret_up)
		   : ask_mariadb(s, database, sql, ret_up);
}

char *
sql_server_ask(struct sql_server *s, const char *database, const char *sql)
{
	bool up;
	char *answer = ask(s, database, sql, &up);

	if (!up)
		server_die("the server does not answer; see %s/log", s->dir);
	return answer;
}

void
sql_server_run(struct sql_server *s, const char *database, const char *sql)
{
	free(sql_server_ask(s, database, sql));
}

char *
sql_server_database(struct sql_server *s, const char *name)
{
	char *sql;

	/* A test that failed may have left it paused. */
	sql_server_continue(s);
	sql = server_text("CREATE DATABASE %s", name);
	sql_server_run(s, NULL, sql);
	free(sql);
	if (s->kind == SQL_SERVER_POSTGRESQL) {
		sql = server_text("ALTER DATABASE %s OWNER TO flowrra", name);
		sql_server_run(s, NULL, sql);
		free(sql);
		return server_text("postgresql://flowrra:secret@/%s?host=%s",
				   name, s->dir);
	}
	sql = server_text("GRANT ALL ON %s.* TO flowrra@localhost", name);
	sql_server_run(s, NULL, sql);
	free(sql);
	return server_text("mysql://flowrra:secret@/%s?socket=%s", name,
			   s->socket);
}

/* --- starting and stopping ----------------------------------------------- */

static void
spawn_postgresql(struct sql_server *s)
{
	char *program = postgresql_program("postgres");
	char *port = server_text("%d", s->port != 0 ? s->port : 5432);
	const bool tls = s->port != 0;
	const char *const argv[] = {program,
				    "-D",
				    s->data,
				    "-k",
				    s->dir,
				    "-p",
				    port,
				    "-c",
				    tls ? "listen_addresses=127.0.0.1"
					: "listen_addresses=",
				    "-c",
				    tls ? "ssl=on" : "ssl=off",
				    "-c",
				    "ssl_cert_file=../server.crt",
				    "-c",
				    "ssl_key_file=../server.key",
				    "-c",
				    "max_connections=40",
				    "-c",
				    "shared_buffers=64MB",
				    NULL};

	s->pid = spawn(s, argv);
	free(program);
	free(port);
}

static void
spawn_mariadb(struct sql_server *s)
{
	char *socket_arg = server_text("--socket=%s", s->socket);
	char *data_arg = server_text("--datadir=%s", s->data);
	char *port = server_text("--port=%d", s->port);
	char *cert = server_text("--ssl-cert=%s/server.crt", s->dir);
	char *key = server_text("--ssl-key=%s/server.key", s->dir);
	const bool tls = s->port != 0;
	/* Without TLS the list ends earlier. From 11.4 on, MariaDB makes itself
	 * a certificate unless it is told to have none. */
	const char *const argv[] = {"mariadbd",
				    "--no-defaults",
				    socket_arg,
				    data_arg,
				    "--pid-file=mariadbd.pid",
				    "--innodb-buffer-pool-size=64M",
				    tls ? "--bind-address=127.0.0.1"
					: "--skip-networking",
				    tls ? port : "--skip-ssl",
				    tls ? cert : NULL,
				    key,
				    NULL};

	s->pid = spawn(s, argv);
	free(socket_arg);
	free(data_arg);
	free(port);
	free(cert);
	free(key);
}

static void
launch(struct sql_server *s)
{
	int64_t end = server_now_ms() + START_MS;
	bool up = false;

	if (s->kind == SQL_SERVER_POSTGRESQL)
		spawn_postgresql(s);
	else
		spawn_mariadb(s);
	while (!up) {
		free(ask(s, NULL, "SELECT 1", &up));
		if (!up && (waitpid(s->pid, NULL, WNOHANG) == s->pid ||
			    server_now_ms() > end))
			server_die("the server does not start; see %s/log",
				   s->dir);
		if (!up)
			nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
}

/* PostgreSQL's key is to be its own. */
static void
make_tls(struct sql_server *s)
{
	const struct passwd *user = server_user();
	char *key = server_text("%s/server.key", s->dir);

	if ((s->port = server_free_port()) < 0 ||
	    server_certificates(s->dir) != 0 ||
	    (user != NULL && chown(key, user->pw_uid, user->pw_gid) != 0))
		server_die("cannot set up TLS; see %s/openssl.log", s->dir);
	free(key);
}

static void
make_data(struct sql_server *s)
{
	char *initdb = postgresql_program("initdb");
	char *data_arg = server_text("--datadir=%s", s->data);

	if (s->kind == SQL_SERVER_POSTGRESQL)
		run(s, (const char *const[]){initdb, "-D", s->data, "-U",
					     "postgres", "-A", "trust",
					     "--no-sync", "-E", "UTF8",
					     "--locale=C.UTF-8", NULL});
	else
		run(s, (const char *const[]){
			   "mariadb-install-db", "--no-defaults", data_arg,
			   "--auth-root-authentication-method=normal",
			   "--skip-test-db", NULL});
	free(initdb);
	free(data_arg);
}

/* Readable for the user that the servers run as. */
static void
write_server_file(const struct sql_server *s, const char *name,
		  const char *content)
{
	const struct passwd *user = server_user();
	char *path = server_text("%s/%s", s->dir, name);
	FILE *file = fopen(path, "we");

	if (file == NULL || fputs(content, file) < 0 || fclose(file) != 0 ||
	    (user != NULL && chown(path, user->pw_uid, user->pw_gid) != 0))
		server_die("cannot write %s", path);
	free(path);
}

/* The administrator comes in as he is, everybody else with a password. */
static void
make_roles(struct sql_server *s)
{
	if (s->kind == SQL_SERVER_POSTGRESQL)
		sql_server_run(s, NULL,
			       "CREATE ROLE flowrra LOGIN PASSWORD 'secret'");
	else
		sql_server_run(s, NULL,
			       "CREATE USER flowrra@localhost IDENTIFIED BY "
			       "'secret'");
}

static struct sql_server *
start(enum sql_server_kind kind, bool tls)
{
	struct sql_server *s = calloc(1, sizeof(*s));
	const struct passwd *user = server_user();

	if (s == NULL)
		server_die("out of memory");
	s->kind = kind;
	s->dir = server_make_dir("sql");
	if (user != NULL && chown(s->dir, user->pw_uid, user->pw_gid) != 0)
		server_die("%s: %s", s->dir, strerror(errno));
	s->data = server_text("%s/data", s->dir);
	s->socket = server_text("%s/mariadb.sock", s->dir);
	make_data(s);
	if (kind == SQL_SERVER_POSTGRESQL)
		write_server_file(s, "data/pg_hba.conf",
				  "local all postgres trust\n"
				  "local all all scram-sha-256\n"
				  "host all all 127.0.0.1/32 scram-sha-256\n");
	if (tls)
		make_tls(s);
	launch(s);
	make_roles(s);
	return s;
}

struct sql_server *
sql_server_start(enum sql_server_kind kind)
{
	return start(kind, false);
}

struct sql_server *
sql_server_start_tls(enum sql_server_kind kind)
{
	return start(kind, true);
}

char *
sql_server_tls_url(const struct sql_server *s, const char *database,
		   const char *mode, const char *ca)
{
	return server_text("%s://flowrra:secret@127.0.0.1:%d/%s?sslmode=%s"
			   "&sslrootcert=%s/%s.crt",
			   s->kind == SQL_SERVER_POSTGRESQL ? "postgresql"
							    : "mysql",
			   s->port, database, mode, s->dir, ca);
}

/* --- the pooler ------------------------------------------------------------ */

/* The sessions take turns, so that what one client leaves in its session, the
 * next one meets. Idle ones go soon: each database has its own. */
static void
write_pooler_files(const struct sql_server *s)
{
	char *ini = server_text("[databases]\n"
				"statements = host=%s dbname=postgres "
				"pool_mode=statement\n"
				"* = host=%s\n"
				"[pgbouncer]\n"
				"listen_addr =\n"
				"listen_port = %d\n"
				"unix_socket_dir = %s\n"
				"auth_type = scram-sha-256\n"
				"auth_file = users.txt\n"
				"pool_mode = transaction\n"
				"min_pool_size = 2\n"
				"default_pool_size = 3\n"
				"server_round_robin = 1\n"
				"server_idle_timeout = 2\n",
				s->dir, s->dir, POOLER_PORT, s->dir);

	write_server_file(s, "pgbouncer.ini", ini);
	write_server_file(s, "users.txt", "\"flowrra\" \"secret\"\n");
	free(ini);
}

static void
start_pooler(struct sql_server *s)
{
	/* Not in everybody's PATH. */
	const char *program = access("/usr/sbin/pgbouncer", X_OK) == 0
				  ? "/usr/sbin/pgbouncer"
				  : "pgbouncer";
	char *path = server_text("%s/.s.PGSQL.%d", s->dir, POOLER_PORT);
	const int64_t end = server_now_ms() + START_MS;

	write_pooler_files(s);
	s->pooler = spawn(
	    s, (const char *const[]){program, "-q", "pgbouncer.ini", NULL});
	while (access(path, F_OK) != 0) {
		if (waitpid(s->pooler, NULL, WNOHANG) == s->pooler ||
		    server_now_ms() > end)
			server_die("pgbouncer does not start; see %s/log",
				   s->dir);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	free(path);
}

char *
sql_server_pool(struct sql_server *s, const char *database)
{
	if (s->pooler == 0)
		start_pooler(s);
	return server_text("postgresql://flowrra:secret@/%s?host=%s&port=%d",
			   database, s->dir, POOLER_PORT);
}

/* --- signals --------------------------------------------------------------- */

/* All of its processes: PostgreSQL has many, and they leave the group. */
static void
signal_all(const struct sql_server *s, int sig)
{
	char *command = server_text("pkill -%d -P %d; true", sig, (int)s->pid);

	if (s->kind == SQL_SERVER_POSTGRESQL && system(command) != 0)
		server_die("cannot signal the server's processes");
	free(command);
	kill(s->pid, sig);
}

/*
 * A backend that lives a moment longer than its postmaster keeps the shared
 * memory, and the next postmaster refuses to start: so the children go first,
 * while their parent is stopped and begins no more of them.
 */
static void
kill_children(const struct sql_server *s)
{
	char *command = server_text("pkill -KILL -P %d; true", (int)s->pid);
	const int64_t end = server_now_ms() + START_MS;

	kill(s->pid, SIGSTOP);
	while (!threads_are(s->pid, "TZ") || has_children(s->pid)) {
		if (system(command) != 0 || server_now_ms() > end)
			server_die("cannot end the server's processes");
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	free(command);
}

void
sql_server_kill(struct sql_server *s)
{
	if (s->pid == 0)
		return;
	if (s->kind == SQL_SERVER_POSTGRESQL)
		kill_children(s);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
sql_server_restart(struct sql_server *s)
{
	sql_server_kill(s);
	launch(s);
}

void
sql_server_pause(struct sql_server *s)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	unsigned int turn;

	signal_all(s, SIGSTOP);
	/* A server of many threads is not stopped at once, and only its parent,
	 * which need not be this process, could wait for it. */
	for (turn = 0; turn < 5000 && !threads_are(s->pid, "T"); turn++)
		nanosleep(&moment, NULL);
	if (!threads_are(s->pid, "T"))
		server_die("cannot pause the server");
}

void
sql_server_continue(struct sql_server *s)
{
	signal_all(s, SIGCONT);
}

void
sql_server_stop(struct sql_server *s)
{
	if (s == NULL)
		return;
	sql_server_kill(s);
	if (s->pooler != 0) {
		kill(s->pooler, SIGKILL);
		waitpid(s->pooler, NULL, 0);
	}
	server_remove_dir(s->dir);
	free(s->dir);
	free(s->data);
	free(s->socket);
	free(s);
}
