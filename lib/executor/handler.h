/* SPDX-License-Identifier: MIT */
/*
 * What flowrra/module.h gives to all handlers; flowrra_finish() is in async.c,
 * flowrra_task_submit() in submit.c.
 *
 * The executor's own code calls handler_link() so that the linker takes this
 * file out of its archive: nobody but the modules uses the rest.
 */
#ifndef EXECUTOR_HANDLER_H
#define EXECUTOR_HANDLER_H

void handler_link(void);

#endif
