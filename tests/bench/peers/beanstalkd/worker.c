/* SPDX-License-Identifier: MIT */
#include "link.h"

int
main(void)
{
	FILE *f = link_open();
	char line[128], text[128];
	long long id;
	int n;

	link_send(f, "reserve\r\n", 9);
	for (;;) {
		link_expect(f, "RESERVED", line, sizeof(line));
		if (fgets(text, sizeof(text), f) == NULL ||
		    sscanf(line, "RESERVED %lld", &id) != 1)
			errx(1, "beanstalkd is gone");
		text[strcspn(text, "\r")] = '\0';
		ledger_run(text);
		/* Two commands in one packet. */
		n = snprintf(line, sizeof(line), "delete %lld\r\nreserve\r\n",
			     id);
		link_send(f, line, (size_t)n);
		link_expect(f, "DELETED", line, sizeof(line));
	}
}
