/* SPDX-License-Identifier: MIT */
/*
 * Orders for a program as bytes, and back. They go to the spawner in a file in
 * memory: a command line and an environment may have megabytes, far more than
 * a message of its socket. Both sides are built together, so numbers are in
 * host order and nothing has a version.
 */
#include <stdlib.h>
#include <string.h>

#include "spawn/spawn.h"
#include "util/buf.h"

/* In front; then the groups, then NUL-ended strings: directory, argv, envp. */
struct head {
	uint32_t has_user;
	uint32_t uid;
	uint32_t gid;
	uint32_t n_groups;
	uint32_t has_directory;
	uint32_t n_argv;
	uint32_t n_envp;
	int32_t mask;
};

static uint32_t
orders_count(const char *const *list)
{
	uint32_t n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

static void
orders_add_string(struct buf *out, const char *s)
{
	buf_add(out, s, strlen(s) + 1);
}

void
spawn_orders_write(const struct spawn_orders *o, struct buf *out)
{
	struct head head = {.has_user = o->user != NULL,
			    .has_directory = o->directory != NULL,
			    .n_argv = orders_count(o->argv),
			    .n_envp = orders_count(o->envp),
			    .mask = o->mask};
	uint32_t i;

	if (o->user != NULL) {
		head.uid = o->user->uid;
		head.gid = o->user->gid;
		head.n_groups = (uint32_t)o->user->n_groups;
	}
	buf_add(out, &head, sizeof(head));
	if (o->user != NULL)
		buf_add(out, o->user->groups, head.n_groups * sizeof(gid_t));
	if (o->directory != NULL)
		orders_add_string(out, o->directory);
	for (i = 0; i < head.n_argv; i++)
		orders_add_string(out, o->argv[i]);
	for (i = 0; i < head.n_envp; i++)
		orders_add_string(out, o->envp[i]);
}

/* What is left to be read. */
struct rest {
	char *p;
	size_t len;
};

static char *
take_string(struct rest *r)
{
	char *s = r->p, *end = memchr(s, '\0', r->len);

	if (end == NULL)
		return NULL;
	r->len -= (size_t)(end + 1 - s);
	r->p = end + 1;
	return s;
}

static int
take_strings(struct rest *r, const char **list, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if ((list[i] = take_string(r)) == NULL)
			return -1;
	list[n] = NULL;
	return 0;
}

static int
take_user(struct rest *r, const struct head *head, struct spawn_parsed *ret)
{
	size_t size = head->n_groups * sizeof(gid_t);

	if (r->len < size)
		return -1;
	/* The head's size keeps them aligned. They stay in the bytes: there may
	 * be 65536 of them (NGROUPS_MAX). */
	ret->user = (struct spawn_user){.uid = head->uid,
					.gid = head->gid,
					.groups = (gid_t *)(void *)r->p,
					.n_groups = head->n_groups};
	ret->orders.user = &ret->user;
	r->p += size;
	r->len -= size;
	return 0;
}

int
spawn_orders_read(char *bytes, size_t len, struct spawn_parsed *ret)
{
	struct rest r = {bytes + sizeof(struct head),
			 len - sizeof(struct head)};
	struct head head;
	size_t n;

	*ret = (struct spawn_parsed){.strings = NULL};
	if (len < sizeof(head))
		return -1;
	memcpy(&head, bytes, sizeof(head));
	n = (size_t)head.n_argv + head.n_envp;
	/* Each takes one byte at least: numbers that the bytes cannot hold are
	 * refused before memory is asked for. argv[0] names the program. */
	if (head.n_argv == 0 || n > r.len ||
	    (ret->strings = calloc(n + 2, sizeof(char *))) == NULL)
		return -1;
	/* One array for both lists, each with its NULL. */
	ret->orders.argv = ret->strings;
	ret->orders.envp = ret->strings + head.n_argv + 1;
	ret->orders.mask = head.mask;
	if ((head.has_user && take_user(&r, &head, ret) != 0) ||
	    (head.has_directory &&
	     (ret->orders.directory = take_string(&r)) == NULL) ||
	    take_strings(&r, ret->strings, head.n_argv) != 0 ||
	    take_strings(&r, ret->strings + head.n_argv + 1, head.n_envp) !=
		0 ||
	    r.len != 0) {
		spawn_parsed_done(ret);
		return -1;
	}
	return 0;
}

void
spawn_parsed_done(struct spawn_parsed *p)
{
	free(p->strings);
	p->strings = NULL;
}
