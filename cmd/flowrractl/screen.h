/* SPDX-License-Identifier: MIT */
/* A terminal that is drawn upon: the alternate screen, and single keys. */
#ifndef FLOWRRACTL_SCREEN_H
#define FLOWRRACTL_SCREEN_H

#include <stddef.h>

/* Takes the terminal over. It is given back by screen_close(), and by any
 * signal that ends the program. -1: it is not a terminal. */
int screen_open(void);
void screen_close(void);

void screen_size(size_t *ret_columns, size_t *ret_rows);
/* Draws lines of text, as many as there is room for, in place of what was
 * there. */
void screen_draw(const char *text);
/* Waits for a key, at most so long. The key, or -1 if none came, or -2 if none
 * will ever come. */
int screen_key(int timeout_ms);

#endif
