/* SPDX-License-Identifier: MIT */
/* Files of workflows that schedules begin: each mistake is told in its line. */
#include "manager/schedule_flow.h"
#include "schedule.h"
#include "text_file.h"
#include "util/err.h"
#include "verb.h"

struct source {
	struct ctl *ctl;
	const char *name;
};

static void
tell(void *arg, int line, const char *text)
{
	const struct source *s = arg;

	text_file_complain(s->ctl, s->name, line, text);
}

int
schedule_flow_file(struct ctl *ctl, const char *path, struct buf *out)
{
	struct source source = {ctl, path};
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int status = text_file_read(ctl, path, &text);

	if (status == 0 &&
	    schedule_flow_write(text.data != NULL ? text.data : "", tell,
				&source, out, &err) != 0) {
		complain(ctl, "nothing was changed");
		status = err_exit_status(err.code);
	}
	buf_done(&text);
	buf_addc(out, '\0');
	if (status == 0 && out->failed) {
		err_nomem(&err);
		status = complain_of_err(ctl, &err);
	}
	return status;
}
