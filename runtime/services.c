#include "services.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock.h"
#include "base/clock.h"
#include "base/fd.h"
#include "exec.h"
#include "pid1.h"

/**
 * struct daemon - A service as it is now
 * @pid:	0 while it does not run
 * @ready:	it said so in this life
 * @asked:	SIGTERM was sent
 * @begun:	when this life began
 * @next:	when the next one begins
 * @pause:	before this life, ms
 */
struct daemon {
	const struct service *service;
	int sock;
	char *const *env;
	pid_t pid;
	bool ready, asked;
	int64_t begun, next;
	int pause;
};

/**
 * struct manager - All of them
 * @log:	where we speak; not blocking, or a stopped reader would stop us
 * @rest_until:	when those that are left are given up, 0 before they were asked
 */
struct manager {
	struct daemon daemon[SERVICES_MAX];
	size_t n;
	int signals, log, airlock, null;
	const char *ready;
	bool announced, stopping;
	int64_t rest_until;
};

__attribute__((format(printf, 2, 3))) static void say(const struct manager *m,
                                                      const char *fmt, ...)
{
	char line[256] = "berth-init: ";
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	(void)!write(m->log, line, n);
}

int service_pause(int last_ms, int64_t lived_ms)
{
	if (last_ms == 0 || lived_ms >= SERVICE_LIFE_MS)
		return SERVICE_PAUSE_MS;
	return last_ms >= SERVICE_PAUSE_MAX_MS / 2 ? SERVICE_PAUSE_MAX_MS : 2 * last_ms;
}

static void address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path);
}

int services_open(const struct service *service, struct err *err)
{
	struct sockaddr_un address;
	cleanup_close int sock =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return err_set(err, errno, "make a socket");
	address_of(service->notify, &address);
	if (bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, errno, "make the socket '%s'", service->notify);
	if (chmod(service->notify, 0600) < 0)
		return err_set(err, errno, "set the mode of '%s'", service->notify);
	return take_fd(&sock);
}

/* @env and the service's own socket. */
static char *const *environment(const struct service *service, const char *const *env)
{
	char *notify;
	const char **list;
	size_t n = 0;

	while (env[n])
		n++;
	list = calloc(n + 2, sizeof(*list));
	if (!list || asprintf(&notify, "NOTIFY_SOCKET=%s", service->notify) < 0)
		return NULL;
	memcpy(list, env, n * sizeof(*list));
	list[n] = notify;
	return exec_environment(list, "/root");
}

/* The child: the service itself. */
static void become(const struct manager *m, const struct daemon *d)
{
	struct err err = { 0 };

	(void)setsid();
	/* Nobody reads what the airlock reports: its exit status tells enough. */
	if (fd_cloexec_all(&err) == 0 &&
	    (m->airlock < 0 || fd_hand_down(m->null, AIRLOCK_SOCKET, &err) == 0))
		(void)exec_command(d->service->argv, d->env, NULL, m->airlock, &err);
	(void)dprintf(STDERR_FILENO, "berth-init: %s: %s\n", err.text,
	              strerror(err.code));
	_exit(exec_exit_code(&err));
}

static void start(const struct manager *m, struct daemon *d)
{
	pid_t pid = fork();

	if (pid == 0)
		become(m, d);
	d->begun = clock_ms(CLOCK_MONOTONIC);
	d->asked = false;
	if (pid < 0) {
		say(m, "cannot start %s: %s", d->service->name, strerror(errno));
		d->pause = service_pause(d->pause, 0);
		d->next = d->begun + d->pause;
		return;
	}
	d->pid = pid;
}

static void ended(const struct manager *m, struct daemon *d, int status)
{
	int64_t lived = clock_ms(CLOCK_MONOTONIC) - d->begun;
	char how[64];

	if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "was killed by signal %d",
		               WTERMSIG(status));
	else
		(void)snprintf(how, sizeof(how), "ended with status %d",
		               WEXITSTATUS(status));
	d->pid = 0;
	d->ready = false;
	if (m->stopping) {
		say(m, "%s %s", d->service->name, how);
		return;
	}
	d->pause = service_pause(d->pause, lived);
	d->next = clock_ms(CLOCK_MONOTONIC) + d->pause;
	say(m, "%s %s, starting it again in %d ms", d->service->name, how, d->pause);
}

static void reap(struct manager *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < m->n; i++)
			if (m->daemon[i].pid == pid)
				ended(m, &m->daemon[i], status);
}

/* sd_notify(3): lines, of which we want one. Only root inside can reach the socket. */
static void hear(const struct manager *m, struct daemon *d)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(d->sock, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			if (strcmp(line, "READY=1") != 0 || d->ready || d->pid == 0)
				continue;
			d->ready = true;
			say(m, "%s is ready after %lld ms", d->service->name,
			    (long long)(clock_ms(CLOCK_MONOTONIC) - d->begun));
		}
	}
}

static bool is_ready(const struct manager *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (name && !strcmp(m->daemon[i].service->name, name))
			return m->daemon[i].ready;
	return true;
}

static void announce(struct manager *m)
{
	static const char text[] = "READY=1";
	struct sockaddr_un address;
	cleanup_close int sock = -EBADF;

	for (size_t i = 0; i < m->n; i++)
		if (!m->daemon[i].ready)
			return;
	m->announced = true;
	if (!m->ready)
		return;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	address_of(m->ready, &address);
	if (sock < 0 || sendto(sock, text, strlen(text), 0,
	                       (const struct sockaddr *)&address, sizeof(address)) < 0)
		say(m, "cannot report that all is ready: %s", strerror(errno));
}

/* Return: when to look again, ms from now, -1 for an event only. */
static int go_on(struct manager *m)
{
	int64_t next = INT64_MAX, now = clock_ms(CLOCK_MONOTONIC);

	for (size_t i = 0; i < m->n; i++) {
		struct daemon *d = &m->daemon[i];

		if (d->pid == 0 && now >= d->next && is_ready(m, d->service->needs))
			start(m, d);
		if (d->pid == 0 && d->next > now && d->next < next)
			next = d->next;
		if (d->pid == 0 || d->ready)
			continue;
		if (now - d->begun >= SERVICE_START_MS && !d->asked) {
			say(m, "%s is not ready after %d s, killing it", d->service->name,
			    SERVICE_START_MS / 1000);
			(void)kill(d->pid, SIGKILL);
			d->asked = true;
		} else if (!d->asked && d->begun + SERVICE_START_MS < next) {
			next = d->begun + SERVICE_START_MS;
		}
	}
	if (!m->announced)
		announce(m);
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

/* Return: as go_on(); -2 when nobody is left. */
static int go_down(struct manager *m)
{
	for (size_t i = m->n; i-- > 0;) {
		struct daemon *d = &m->daemon[i];

		if (d->pid == 0)
			continue;
		if (!d->asked) {
			say(m, "stopping %s", d->service->name);
			(void)kill(d->pid, SIGTERM);
			d->asked = true;
		}
		return -1;
	}
	if (m->rest_until == 0) {
		m->rest_until = clock_ms(CLOCK_MONOTONIC) + SERVICE_REST_MS;
		(void)kill(-1, SIGTERM);
	}
	/* Those who joined from outside are not our children: no signal tells their end. */
	if ((kill(-1, 0) < 0 && errno == ESRCH) ||
	    clock_ms(CLOCK_MONOTONIC) >= m->rest_until)
		return -2;
	return 20;
}

static void on_signals(struct manager *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo;

		if (signal != SIGTERM && signal != SIGINT && signal != SIGHUP &&
		    signal != SIGQUIT)
			continue;
		if (m->stopping)
			continue;
		m->stopping = true;
		for (size_t i = 0; i < m->n; i++)
			m->daemon[i].asked = false;
	}
}

static int loop(struct manager *m)
{
	struct pollfd source[SERVICES_MAX + 1] = { { m->signals, POLLIN, 0 } };

	for (size_t i = 0; i < m->n; i++)
		source[i + 1] = (struct pollfd){ m->daemon[i].sock, POLLIN, 0 };
	for (;;) {
		int timeout;

		reap(m);
		timeout = m->stopping ? go_down(m) : go_on(m);
		if (timeout == -2)
			return 0;
		if (poll(source, (nfds_t)m->n + 1, timeout) < 0 && errno != EINTR)
			return EXEC_FAILED;
		on_signals(m);
		for (size_t i = 0; i < m->n; i++)
			hear(m, &m->daemon[i]);
	}
}

int services_run(const struct service *service, size_t n, const int *sock,
                 const char *const *env, int airlock, const char *ready)
{
	struct manager m = { .n = n < SERVICES_MAX ? n : SERVICES_MAX, .ready = ready };
	struct err ignored = { 0 };
	int keep[SERVICES_MAX + 4];
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	m.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Our own description of it: the flag is not the services'. */
	m.log = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	m.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Out of the way of AIRLOCK_SOCKET. */
	m.airlock = airlock < 0 ? airlock
	                        : fcntl(airlock, F_DUPFD_CLOEXEC, AIRLOCK_SOCKET + 1);
	if (m.signals < 0 || m.null < 0 || dup2(m.null, STDIN_FILENO) < 0 ||
	    (airlock >= 0 && m.airlock < 0))
		return EXEC_FAILED;
	for (size_t i = 0; i < m.n; i++) {
		m.daemon[i] = (struct daemon){ .service = &service[i],
			                       .sock = sock[i],
			                       .env = environment(&service[i], env) };
		keep[i] = sock[i];
	}
	keep[m.n] = m.signals;
	keep[m.n + 1] = m.log;
	keep[m.n + 2] = m.null;
	keep[m.n + 3] = m.airlock;
	(void)fd_keep_only(keep, m.n + 4, &ignored);
	return loop(&m);
}
