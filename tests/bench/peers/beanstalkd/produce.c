/* SPDX-License-Identifier: MIT */
#include "../common/load.h"
#include "link.h"

#define GROUP 1000
static const char put[] = "put 0 0 60 0\r\n\r\n";

static void *
connect_link(void)
{
	return link_open();
}

static void
submit(void *f)
{
	char line[128];

	link_send(f, put, sizeof(put) - 1);
	link_expect(f, "INSERTED", line, sizeof(line));
}

/* Many in one packet. */
static void
submit_many(void *f, long n)
{
	static char all[GROUP * (sizeof(put) - 1)];
	char line[128];
	long i, group;

	for (i = 0; i < GROUP; i++)
		memcpy(all + i * (long)(sizeof(put) - 1), put, sizeof(put) - 1);
	for (; n > 0; n -= group) {
		group = n < GROUP ? n : GROUP;
		link_send(f, all, (size_t)group * (sizeof(put) - 1));
		for (i = 0; i < group; i++)
			link_expect(f, "INSERTED", line, sizeof(line));
	}
}

/* It keeps no results. */
static void
call(void *f, const char *text)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "put 0 0 60 %zu\r\n%s\r\n",
			 strlen(text), text);

	link_send(f, line, (size_t)n);
	link_expect(f, "INSERTED", line, sizeof(line));
}

int
main(int argc, char **argv)
{
	struct load load = {.connect = connect_link,
			    .submit = submit,
			    .submit_many = submit_many,
			    .call = call};

	return load_main(&load, argv);
}
