/* SPDX-License-Identifier: MIT */
/* Fuzz target: frames of any content, read in both directions. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ipc/ipc.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_all(struct slice bytes, enum ipc_direction direction)
{
	struct ipc_run_parts parts;
	struct ipc_message m;
	union ipc_fixed fixed;
	struct err err = ERR_INIT;
	volatile unsigned char sum = 0;
	size_t need = 0, i;
	ssize_t n;

	while ((n = ipc_parse(bytes, direction, &fixed, &m, &need, &err)) > 0) {
		/* Touches all that the message says is there. */
		for (i = 0; i < m.rest.len; i++)
			sum ^= (unsigned char)m.rest.p[i];
		if (m.type == IPC_RUN && ipc_run_parts(&m, &parts, &err) == 0 &&
		    parts.kwargs.p + parts.kwargs.len != m.rest.p + m.rest.len)
			abort();
		if ((size_t)n > bytes.len || ipc_name(m.type)[0] == '?')
			abort();
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
	/* "More bytes" must be true, or a reader would spin. */
	if (n == 0 && (need <= bytes.len || need > IPC_FRAME_MAX))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};

	read_all(bytes, IPC_TO_EXECUTOR);
	read_all(bytes, IPC_TO_DAEMON);
	return 0;
}
