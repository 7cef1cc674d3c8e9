/* SPDX-License-Identifier: MIT */
/* The journal of systemd, for lines that are about a task: `journalctl
 * FLOWRRA_TASK_ID=…` finds all that happened to it, across workers. */
#include "util/journal.h"

#include <ctype.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "util/buf.h"
#include "util/log.h"

/* The message, its priority, the program, and the fields. */
#define ITEMS_MAX (3 + LOG_N_FIELDS)

/* Offsets instead of pointers, since `text` moves while it grows. */
struct items {
	struct buf text; /* one after the other */
	size_t end[ITEMS_MAX];
	int n;
};

static void
end_item(struct items *i)
{
	i->end[i->n++] = i->text.len;
}

/* FLOWRRA_TASK_ID=… */
static void
add_field(struct items *i, const char *name, const char *value)
{
	buf_adds(&i->text, "FLOWRRA_");
	for (; *name != '\0'; name++)
		buf_addc(&i->text, (char)toupper((unsigned char)*name));
	buf_addc(&i->text, '=');
	buf_adds(&i->text, value);
	end_item(i);
}

/* The native protocol of sd_journal_sendv(3). -1 makes log.c print the line
 * after all, so nothing is lost when the journal is down. */
int
journal_send(const struct log_entry *entry)
{
	struct items items = {.n = 0};
	struct iovec parts[ITEMS_MAX];
	size_t begin = 0;
	int i, status = -1;

	buf_addf(&items.text, "PRIORITY=%d", entry->priority);
	end_item(&items);
	buf_addf(&items.text, "SYSLOG_IDENTIFIER=%s", entry->program);
	end_item(&items);
	buf_addf(&items.text, "MESSAGE=%s", entry->message);
	end_item(&items);
	for (i = 0; i < LOG_N_FIELDS; i++)
		if (entry->fields[i] != NULL)
			add_field(&items, log_field_name((enum log_field)i),
				  entry->fields[i]);
	for (i = 0; i < items.n; begin = items.end[i++])
		parts[i] = (struct iovec){.iov_base = items.text.data + begin,
					  .iov_len = items.end[i] - begin};
	if (!items.text.failed && sd_journal_sendv(parts, items.n) == 0)
		status = 0;
	buf_done(&items.text);
	return status;
}
