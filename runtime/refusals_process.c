#include "refusals_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "policies/caps.h"
#include "policies/seccomp.h"
#include "sync.h"

#define CALLS_A_TURN 32
#define BURST_NS 50000000  /* of a processor, saved up while nobody calls */
#define RETRY_MS 200       /* where the supervisor has no room for what is new */
#define LAST_WORDS_MS 2000 /* at the end it may have to make some */

enum { EARS_REPORT, EARS_INTAKE, EARS_FIRST };

/* The kernel's may be larger than those we know; they have to be zero. */
union question {
	struct seccomp_notif notif;
	char room[512];
};
union answer {
	struct seccomp_notif_resp resp;
	char room[512];
};

/**
 * struct budget - Of time on a processor
 * @credit_ns:	what may be spent now; below zero: what has to be slept off
 * @wall_ns, @cpu_ns: when that was
 */
struct budget {
	int64_t credit_ns, wall_ns, cpu_ns;
};

static void keep_to(struct budget *budget)
{
	const int64_t wall = clock_ns(CLOCK_MONOTONIC);
	const int64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	budget->credit_ns += (wall - budget->wall_ns) / REFUSALS_SHARE;
	if (budget->credit_ns > BURST_NS)
		budget->credit_ns = BURST_NS;
	budget->credit_ns -= cpu - budget->cpu_ns;
	budget->wall_ns = wall;
	budget->cpu_ns = cpu;
	if (budget->credit_ns < 0) {
		const int64_t ns = -budget->credit_ns * REFUSALS_SHARE;
		const struct timespec rest = { ns / 1000000000, ns % 1000000000 };

		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
	}
}

/* What a process calls itself: whatever it likes. It may be gone. */
static void name_of(int proc, uint32_t pid, char ret[16])
{
	char path[32];
	cleanup_close int fd = -EBADF;
	ssize_t n = -1;

	(void)snprintf(path, sizeof(path), "%u/comm", pid);
	if (pid > 0)
		fd = openat(proc, path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, ret, 15);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (ret[0] == '\0')
		(void)strcpy(ret, "?");
}

/**
 * struct ears - What is listened to
 * @pfd:	report, intake, then listeners; the first of them is the workspace's own
 * @n:		length of @pfd
 */
struct ears {
	struct pollfd pfd[EARS_FIRST + REFUSALS_LISTENERS];
	size_t n;
};

/* Return: whether there was a call. */
static bool serve_one(const struct refusals_process *p, int listener,
                      struct ledger *ledger)
{
	union question question = { 0 };
	union answer answer = { 0 };
	char process[16];
	int code;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) < 0)
		return false;
	name_of(p->proc, question.notif.pid, process);
	/* Its number may have been another's meanwhile. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &question.notif.id) < 0)
		return true;
	code = ledger_add(ledger, &question.notif.data, process);
	/* Told before it is done. */
	(void)ledger_tell(ledger, p->report, false);
	answer.resp.id = question.notif.id;
	answer.resp.error = -code;
	answer.resp.flags = code ? 0 : (uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	return true;
}

/* Some calls of each, so that none has to wait for all of another's. */
static void serve_each(const struct refusals_process *p, struct ears *ears,
                       struct ledger *ledger)
{
	for (size_t i = EARS_FIRST; i < ears->n; i++)
		for (int n = 0; n < CALLS_A_TURN && ears->pfd[i].revents & POLLIN; n++)
			if (!serve_one(p, ears->pfd[i].fd, ledger) ||
			    poll(&ears->pfd[i], 1, 0) < 0)
				break;
}

/* Those of which no process is left. The workspace's own stays: it is the end. */
static void forget_ended(struct ears *ears)
{
	size_t kept = EARS_FIRST + 1;

	for (size_t i = kept; i < ears->n; i++) {
		if (ears->pfd[i].revents & (POLLHUP | POLLERR))
			(void)close(ears->pfd[i].fd);
		else
			ears->pfd[kept++] = ears->pfd[i];
	}
	ears->n = kept;
}

/* What speaks there is a berth exec; what makes no sense is passed over. */
static void take_listener(struct ears *ears)
{
	struct pollfd *intake = &ears->pfd[EARS_INTAKE];
	const struct refusal none = { .unheard = true };
	struct err ignored = { 0 };
	int fd = -EBADF;
	int r = sync_expect(intake->fd, SYNC_LISTENER, NULL, &fd, 1, &ignored);

	if (r == -ECONNRESET)
		intake->fd = -EBADF;
	if (r < 0 || fd < 0)
		return;
	if (ears->n < EARS_FIRST + REFUSALS_LISTENERS) {
		ears->pfd[ears->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		return;
	}
	drop_fd(&fd);
	(void)send(ears->pfd[EARS_REPORT].fd, &none, sizeof(none),
	           MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void serve(const struct refusals_process *p, struct ledger *ledger)
{
	struct budget budget = { 0, clock_ns(CLOCK_MONOTONIC),
		                 clock_ns(CLOCK_PROCESS_CPUTIME_ID) };
	struct ears ears = { .n = EARS_FIRST + 1 };
	bool told = true;

	ears.pfd[EARS_REPORT] = (struct pollfd){ .fd = p->report };
	ears.pfd[EARS_INTAKE] = (struct pollfd){ .fd = p->intake, .events = POLLIN };
	ears.pfd[EARS_FIRST] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
	for (;;) {
		if (poll(ears.pfd, ears.n, told ? -1 : RETRY_MS) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		/* Nobody hears us any more. */
		if (ears.pfd[EARS_REPORT].revents)
			return;
		serve_each(p, &ears, ledger);
		told = ledger_tell(ledger, p->report, false);
		/* No process is left that has the workspace's filter. */
		if (ears.pfd[EARS_FIRST].revents & (POLLHUP | POLLERR))
			return;
		forget_ended(&ears);
		if (ears.pfd[EARS_INTAKE].revents)
			take_listener(&ears);
		keep_to(&budget);
	}
}

/* The supervisor reads, sooner or later. */
static void say_last(const struct refusals_process *p, struct ledger *ledger)
{
	const int64_t end = clock_ns(CLOCK_MONOTONIC) + LAST_WORDS_MS * INT64_C(1000000);
	const struct refusal last = { .end = true };
	struct pollfd pfd = { .fd = p->report, .events = POLLOUT };

	while (!ledger_tell(ledger, p->report, true) && clock_ns(CLOCK_MONOTONIC) < end)
		if (poll(&pfd, 1, RETRY_MS) < 0 || pfd.revents & POLLHUP)
			return;
	if (poll(&pfd, 1, RETRY_MS) > 0)
		(void)send(p->report, &last, sizeof(last), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Should: keep the listener, the report's socket, and /proc to read names in.
 * Mustn't: keep a capability, another descriptor, or a system call it does not need.
 */
static int confine(const struct refusals_process *p, struct err *err)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int keep[] = { p->listener, p->report, p->intake, p->proc };
	int r;

	if (null < 0)
		return err_set(err, errno, "open '/dev/null'");
	r = fd_replace_stdio(null, null, null, err);
	drop_fd(&null);
	if (r == 0)
		r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
	if (r == 0)
		r = caps_keep_only(NULL, 0, err);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, errno, "set no_new_privs");
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "berth-listener");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return r < 0 ? r : seccomp_load(seccomp_find("listener"), err);
}

/**
 * refusals_process() - Who is asked: from its birth to its end
 * @arg:	struct refusals_process
 *
 * Where we are: the supervisor's namespaces, a child of the supervisor. We end when nobody is
 * left inside who could ask, or when the supervisor is gone.
 */
int refusals_process(void *arg)
{
	const struct refusals_process *p = arg;
	struct ledger ledger = { .rules = p->rules, .permit = p->permit };
	struct err err = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	if (confine(p, &err) < 0)
		return 1;
	serve(p, &ledger);
	say_last(p, &ledger);
	return 0;
}
