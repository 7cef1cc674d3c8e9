/* SPDX-License-Identifier: MIT */
/* Whether a module's file can be trusted. */
#ifndef MODULE_FILE_H
#define MODULE_FILE_H

struct err;

/*
 * Checks what loader.h says of a module's file. Returns the path with links
 * resolved, which is the one to load; free() it. NULL with *err if the file is
 * refused.
 *
 * The path is loaded, not a descriptor that was checked: the dynamic linker
 * takes equal names ("/proc/self/fd/5" again) for the same object, and $ORIGIN
 * and debuggers need the real one. No race is left by that: nobody but root
 * and the owner can change anything on a path that passes.
 */
char *file_check(const char *path, struct err *err);

#endif
