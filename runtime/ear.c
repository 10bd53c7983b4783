#include "ear.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/syscall.h"

#define READY "READY=1"
#define RATE_MESSAGES 64
#define RATE_MS 100

static bool refuses_descriptors(int sock)
{
	int passes = 1;
	socklen_t len = sizeof(passes);

	return getsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &passes, &len) == 0 && !passes;
}

int ear_rest_ms(struct ear_rate *rate, int64_t now_ms)
{
	if (now_ms - rate->since_ms >= RATE_MS)
		*rate = (struct ear_rate){ .since_ms = now_ms };
	if (++rate->n < RATE_MESSAGES)
		return 0;
	return (int)(rate->since_ms + RATE_MS - now_ms);
}

static bool is_ready(char *text)
{
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strcmp(line, READY))
			return true;
	return false;
}

/* The child, until it is killed. */
static void hear(int sock, int ours, pid_t parent)
{
	const int keep[] = { sock, ours };
	struct pollfd source = { .fd = sock, .events = POLLIN };
	struct ear_rate rate = { 0 };
	struct err ignored = { 0 };
	bool told = false;
	int rest_ms;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || fd_keep_only(keep, 2, &ignored) < 0)
		_exit(1);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)close(fd);
	for (;;) {
		char text[4096];
		const ssize_t n = recv(sock, text, sizeof(text) - 1, MSG_DONTWAIT);

		if (n < 0)
			(void)poll(&source, 1, -1);
		else if ((rest_ms = ear_rest_ms(&rate, clock_ms(CLOCK_MONOTONIC))) > 0)
			(void)poll(NULL, 0, rest_ms);
		if (n <= 0 || told)
			continue;
		text[n] = '\0';
		if (is_ready(text))
			told = send(ours, READY, strlen(READY), MSG_NOSIGNAL) > 0;
	}
}

int ear_open(struct ear *ear, int *sock, struct err *err)
{
	cleanup_close int its = -EBADF;
	const pid_t parent = getpid();
	int pair[2];

	if (refuses_descriptors(*sock))
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	its = pair[1];
	ear->pid = fork();
	if (ear->pid == 0)
		hear(*sock, its, parent);
	if (ear->pid < 0) {
		ear->pid = 0;
		(void)err_set(err, errno, "start a process");
		(void)close(pair[0]);
		return -err->code;
	}
	/* Not the last one: what waits in it is the child's. */
	(void)close(*sock);
	*sock = pair[0];
	return 0;
}

void ear_close(struct ear *ear)
{
	if (ear->pid <= 0)
		return;
	(void)kill(ear->pid, SIGKILL);
	while (waitpid(ear->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	ear->pid = 0;
}
