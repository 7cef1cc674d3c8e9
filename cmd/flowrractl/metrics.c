/* SPDX-License-Identifier: MIT */
/* The verb metrics: what flowrra-web serves for Prometheus, as text, for those who
 * have no flowrra-web: node_exporter reads such files. */
#include "manager/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "manager/series.h"
#include "metrics/text.h"
#include "schedules/schedules.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

struct metrics_options {
	const char *output;
};

/* --- the file ---------------------------------------------------------- */

/* What reads it is another user. */
static int
write_whole(int fd, const struct buf *text)
{
	size_t at = 0;
	ssize_t n = 0;

	for (; at < text->len && n >= 0; at += n > 0 ? (size_t)n : 0)
		n = write(fd, text->data + at, text->len - at);
	return n >= 0 && fchmod(fd, 0644) == 0 ? 0 : -1;
}

/* Replaced in one step: a reader finds the old text or the new one. The name in
 * between does not end in ".prom", so that it is not read. */
static int
replace_file(const char *path, const struct buf *text, struct err *err)
{
	struct buf name = BUF_INIT;
	int fd = -1, r = -1;

	buf_addf(&name, "%s.XXXXXX", path);
	if (name.failed)
		r = err_nomem(err);
	else if ((fd = mkostemp(name.data, O_CLOEXEC)) < 0)
		r = err_sys(err, ERR_SYSTEM, "cannot write %s", path);
	else if ((r = write_whole(fd, text)) != 0 ||
		 (r = rename(name.data, path)) != 0)
		err_sys(err, ERR_SYSTEM, "cannot write %s", path);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && r != 0)
		unlink(name.data);
	buf_done(&name);
	return r;
}

/* --- the verb ---------------------------------------------------------- */

/* As far as it is there: a monitor has to see what is out of reach. */
static struct schedules *
open_for_stats(struct ctl *ctl, bool *ret_none)
{
	const struct schedules_options options = {
	    .url = ctl->client->conf->scheduler.database_url, .reads = true};
	struct schedules *s = NULL;
	struct err err = ERR_INIT;

	if (conf_check_client(ctl->client->conf, CONF_STORE_SCHEDULES, &err) ==
	    0)
		s = schedules_open(&options, &err);
	*ret_none = s == NULL && err.code == ERR_NOT_FOUND;
	return s;
}

static int
make_text(struct ctl *ctl, struct buf *text, struct err *err)
{
	struct metrics_text m = {.text = text};
	struct metrics_stores stores = {.client = ctl->client};

	if ((stores.series = series_new(err)) == NULL)
		return -1;
	stores.schedules = open_for_stats(ctl, &stores.no_schedules);
	metrics_write_stores(&m, &stores);
	metrics_end(&m);
	schedules_close(stores.schedules);
	series_free(stores.series);
	return text->failed ? err_nomem(err) : 0;
}

/* A store that is out of reach is no failure of this verb: flowrra_up tells it. */
static int
run_metrics(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct metrics_options *o = options;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int status;

	if ((status = ctl_open_all(ctl)) != 0)
		return status;
	if (make_text(ctl, &text, &err) != 0 ||
	    (o->output != NULL && replace_file(o->output, &text, &err) != 0))
		status = complain_of_err(ctl, &err);
	else if (o->output == NULL)
		fwrite(text.data, 1, text.len, stdout);
	buf_done(&text);
	return status;
}

static const struct option_spec metrics_options[] = {
    VERB_OPTION(struct metrics_options, 0, "output", "FILE", TEXT, output, 0, 0,
		"replace this file in one step"),
};

const struct verb verb_metrics = {
    .name = "metrics",
    .looks = true,
    .summary = "Print metrics for Prometheus, or write them to a file",
    .usage = "[--output FILE]",
    .options = metrics_options,
    .n_options = sizeof(metrics_options) / sizeof(metrics_options[0]),
    .options_size = sizeof(struct metrics_options),
    .run = run_metrics,
};
