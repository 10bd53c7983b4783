#include "pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/syscall.h"

pid_t pidfd_pid(int proc, int pidfd, struct err *err)
{
	char path[64], text[4096];
	const char *line;
	long pid;

	(void)snprintf(path, sizeof(path), "%sself/fdinfo/%d",
	               proc == AT_FDCWD ? "/proc/" : "", pidfd);
	if (file_read(proc, path, text, sizeof(text), err) < 0)
		return -err->code;
	line = strstr(text, "Pid:\t");
	pid = line ? strtol(line + 5, NULL, 10) : 0;
	if (pid <= 0)
		return err_set(err, ESRCH, "find the process behind a pidfd");
	return (pid_t)pid;
}

int pidfd_kill(int pidfd, int signal, struct err *err)
{
	if (sys_pidfd_send_signal(pidfd, signal) < 0 && errno != ESRCH)
		return err_set(err, errno, "send signal %d", signal);
	return 0;
}
