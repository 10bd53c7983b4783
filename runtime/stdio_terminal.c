#include <errno.h>
#include <unistd.h>

#include "stdio_internal.h"

bool stdio_in_background(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group >= 0 && group != getpgrp();
}

int stdio_go_raw(struct stdio *io, struct err *err)
{
	struct termios raw;

	if (!(io->tty && io->interactive && io->foreground))
		return 0;
	io->background = stdio_in_background(STDIN_FILENO);
	if (io->background)
		return 0;
	if (tcgetattr(STDIN_FILENO, &io->saved) < 0)
		return err_set(err, errno, "read the terminal's settings");
	raw = io->saved;
	cfmakeraw(&raw);
	/* TCSANOW: TCSADRAIN would wait for a terminal that was stopped with ^S. */
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_set(err, errno, "make the terminal raw");
	io->raw = true;
	return 0;
}

struct winsize stdio_size(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	return size;
}

void stdio_send_size(struct stdio *io)
{
	struct winsize size = stdio_size();

	if (io->tty && io->foreground && io->master >= 0 && size.ws_row > 0)
		(void)ioctl(io->master, TIOCSWINSZ, &size);
}
