/* SPDX-License-Identifier: MIT */
/*
 * A terminal that is drawn upon, for top: the alternate screen, so that what
 * was there comes back, and single keys without an enter.
 *
 * Written by hand rather than with ncurses: one frame of text and three keys
 * need a dozen sequences that every terminal of the last thirty years knows.
 */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "util/buf.h"

/* The alternate screen (1049), no cursor (25), long lines cut off (7): a table
 * that is wider than the terminal must not push the rest off it. LEAVE undoes
 * them in reverse. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before; /* for the signal handler, too */

/* write() and not stdio: it is called from a signal handler. What cannot be
 * written is dropped, since there is nowhere to complain. */
static void
put(const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if ((n = write(STDOUT_FILENO, text, len)) == -1) {
			if (errno == EINTR)
				continue;
			return;
		}
		text += n;
		len -= (size_t)n;
	}
}

void
screen_close(void)
{
	put(LEAVE, sizeof(LEAVE) - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Only what a signal handler may call; SA_RESETHAND has the second one end the
 * program. */
static void
on_signal(int sig)
{
	screen_close();
	raise(sig);
}

static void
on_resize(int sig)
{
	(void)sig; /* it ends the wait for a key */
}

static void
catch_signals(void)
{
	static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	struct sigaction end = {.sa_handler = on_signal,
				.sa_flags = SA_RESETHAND | SA_NODEFER};
	struct sigaction resize = {.sa_handler = on_resize};
	size_t i;

	for (i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &end, NULL);
	sigaction(SIGWINCH, &resize, NULL);
}

int
screen_open(void)
{
	struct termios raw;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
		return -1;
	catch_signals();
	raw = before;
	/* No ISIG: Ctrl-C is a key, so that it ends the view in the ordinary
	 * way and the exit status is 0. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	put(ENTER, sizeof(ENTER) - 1);
	return 0;
}

void
screen_size(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size;

	/* What a terminal is that does not say: a serial line. */
	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
	    size.ws_col > 0) {
		*ret_columns = size.ws_col;
		*ret_rows = size.ws_row;
	}
}

/* Overwrites in place, each line to its end, and then what is below: clearing
 * first would flicker. One write, so that no half frame is seen. The last line
 * has no newline, which would scroll. */
void
screen_draw(const char *text)
{
	struct buf out = BUF_INIT;
	size_t columns, rows, len;

	screen_size(&columns, &rows);
	buf_adds(&out, "\033[H");
	for (; *text != '\0' && rows > 0; rows--) {
		len = strcspn(text, "\n");
		buf_add(&out, text, len);
		buf_adds(&out, "\033[K");
		text += len;
		if (*text == '\n' && rows > 1)
			buf_adds(&out, "\r\n");
		text += *text == '\n';
	}
	buf_adds(&out, "\033[J");
	if (!out.failed)
		put(out.data, out.len);
	buf_done(&out);
}

/* A resize interrupts poll(): -1, and the caller draws again in the new size.
 * -2 where the terminal is gone: to go on would spin. */
int
screen_key(int timeout_ms)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char key;
	int n = poll(&fd, 1, timeout_ms);

	if (n == 0 || (n == -1 && errno == EINTR))
		return -1;
	if (n == -1 || read(STDIN_FILENO, &key, 1) != 1)
		return -2;
	return key;
}
