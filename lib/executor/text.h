/* SPDX-License-Identifier: MIT */
/* Text that modules wrote, made fit to be sent. */
#ifndef EXECUTOR_TEXT_H
#define EXECUTOR_TEXT_H

#include <stdarg.h>
#include <stdint.h>

/* Longest text of an error, and of a line of the log, in bytes. */
#define TEXT_ERROR_MAX (64u << 10)
#define TEXT_LOG_MAX (8u << 10)

/* Puts "?" for every byte that is not UTF-8. */
void text_clean(char *text);

/* Formats; cuts off at `max` bytes, and puts "?" for what is not UTF-8. free()
 * it; NULL when memory runs out. */
char *text_format(uint32_t max, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

#endif
