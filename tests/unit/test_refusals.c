#include "runtime/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policies/seccomp.h"
#include "policies/seccomp_choice.h"
#include "runtime/base/fd.h"
#include "runtime/sync.h"
#include "tests/unit/unit.h"

static const struct seccomp_choice plain = { NULL, NULL, "ptrace" };

static struct seccomp_data call_of(long nr, uint64_t first)
{
	return (struct seccomp_data){ .nr = (int)nr,
		                      .arch = seccomp_abis[0].arch,
		                      .args = { first } };
}

static const struct seccomp_set *rules(void)
{
	static struct seccomp_chosen chosen;
	struct err err = { 0 };

	assert_int_equal(seccomp_choose(&plain, SECCOMP_ASK, &chosen, &err), 0);
	return &chosen.set;
}

/* What who listens says has to be what the filter would have said. */
static void test_answers(void **state)
{
	static const struct {
		long nr;
		uint64_t first;
		int refused, permitted;
	} cases[] = {
		{ SYS_keyctl, 0, ENOSYS, 0 },
		{ SYS_bpf, 0, EPERM, 0 },
		{ SYS_ptrace, 0, EPERM, 0 },
		{ SYS_socket, AF_ALG, EAFNOSUPPORT, 0 },
		{ SYS_socket, 1ULL << 32 | AF_ALG, EAFNOSUPPORT, 0 },
		{ SYS_personality, 0x400000, EPERM, 0 },
		/* Never allowed, so never let through. */
		{ SYS_kexec_load, 0, EPERM, EPERM },
		{ SYS_open_by_handle_at, 0, EPERM, EPERM },
		/* The filter does not ask of these: whoever says that it does is not believed. */
		{ SYS_read, 0, ENOSYS, 0 },
		{ 4000, 0, ENOSYS, ENOSYS },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ledger refuse = { .rules = rules() };
		struct ledger permit = { .rules = rules(), .permit = true };
		const struct seccomp_data call = call_of(cases[i].nr, cases[i].first);

		assert_int_equal(ledger_add(&refuse, &call, "p"), cases[i].refused);
		assert_int_equal(ledger_add(&permit, &call, "p"), cases[i].permitted);
		assert_int_equal(refuse.line[0].refusal.permitted, false);
		assert_int_equal(permit.line[0].refusal.permitted, !cases[i].permitted);
	}
}

static size_t drain(int sock, struct refusal *last)
{
	struct refusal got;
	size_t n = 0;

	while (recv(sock, &got, sizeof(got), MSG_DONTWAIT) == sizeof(got)) {
		*last = got;
		n++;
	}
	return n;
}

/* However many calls there are, few lines come of them, and nobody is waited for. */
static void test_ledger_is_bounded(void **state)
{
	static struct ledger ledger;
	const struct seccomp_data bpf = call_of(SYS_bpf, 0);
	struct refusal last = { .calls = 0 };
	size_t n = 0;
	int pair[2];

	(void)state;
	ledger = (struct ledger){ .rules = rules() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < 1500; i++) {
		assert_int_equal(ledger_add(&ledger, &bpf, "flood"), EPERM);
		assert_true(ledger_tell(&ledger, pair[0], false));
		n += drain(pair[1], &last);
	}
	assert_int_equal(n, 4); /* 1, 10, 100, 1000 */
	assert_string_equal(last.call, "bpf");
	assert_string_equal(last.process, "flood");
	assert_int_equal(last.calls, 1000);
	assert_true(ledger_tell(&ledger, pair[0], true));
	assert_int_equal(drain(pair[1], &last), 1);
	assert_int_equal(last.calls, 1500);

	/* Names are root inside's to choose: what finds no line is counted. */
	for (int i = 0; i < 100000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		(void)ledger_add(&ledger, &bpf, name);
	}
	assert_int_equal(ledger.n, REFUSALS_MAX);
	assert_int_equal(ledger.more, 100000 - (REFUSALS_MAX - 1));
	/* A socket that is full makes nobody wait, and loses nothing. */
	n = 0;
	for (int i = 0; i < 1000 && !ledger_tell(&ledger, pair[0], false); i++)
		n += drain(pair[1], &last);
	n += drain(pair[1], &last);
	assert_int_equal(n, REFUSALS_MAX - 1 + 1);
	assert_int_equal(last.untold, ledger.more);
	assert_true(ledger_tell(&ledger, pair[0], true));
	assert_int_equal(drain(pair[1], &last), 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* A process under the filter, whose listener is in another's hand. */
struct inside {
	pid_t pid;
	int listener;
	struct shared {
		int error[4];
		bool done;
	} * shared;
};

static void confine(int sock)
{
	static struct seccomp_made made;
	struct err err = { 0 };
	int fd;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "inside");
	if (seccomp_make(&plain, SECCOMP_ASK, &made, &err) < 0)
		_exit(1);
	fd = seccomp_load_listener(&made.filter, &err);
	if (fd < 0 || sync_send(sock, SYNC_LISTENER, 0, &fd, 1, &err) < 0)
		_exit(1);
	(void)close(fd);
}

static struct inside begin(void (*body)(struct shared *shared))
{
	struct inside in = { .listener = -EBADF };
	struct err err = { 0 };
	int pair[2];

	in.shared = mmap(NULL, sizeof(*in.shared), PROT_READ | PROT_WRITE,
	                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(in.shared != MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	in.pid = fork();
	assert_true(in.pid >= 0);
	if (in.pid == 0) {
		(void)close(pair[0]);
		confine(pair[1]);
		body(in.shared);
		in.shared->done = true;
		_exit(0);
	}
	(void)close(pair[1]);
	assert_int_equal(sync_expect(pair[0], SYNC_LISTENER, NULL, &in.listener, 1, &err),
	                 0);
	(void)close(pair[0]);
	return in;
}

static void end(struct inside *in)
{
	int status = 0;

	assert_int_equal(waitpid(in->pid, &status, 0), in->pid);
	assert_int_equal(status, 0);
	assert_true(in->shared->done);
	(void)munmap(in->shared, sizeof(*in->shared));
}

/* What the supervisor would write down. */
struct notes {
	struct refusal refusal[64];
	size_t n, lost;
};

static void on_told(void *ctx, const struct refusal *refusal)
{
	struct notes *notes = ctx;

	assert_true(notes->n < N_ELEMENTS(notes->refusal));
	notes->refusal[notes->n++] = *refusal;
}

static void on_lost(void *ctx, const char *text)
{
	assert_non_null(strstr(text, "ENOSYS"));
	((struct notes *)ctx)->lost++;
}

static struct refusals listen_to(struct notes *notes, struct loop *loop, bool permit,
                                 int listener)
{
	struct refusals refusals;
	struct err err = { 0 };

	refusals_init(&refusals);
	refusals.loop = loop;
	refusals.ctx = notes;
	refusals.told = on_told;
	refusals.lost = on_lost;
	refusals.rules = rules();
	refusals.permit = permit;
	refusals.clone3 = true;
	assert_int_equal(refusals_start(&refusals, listener, &err), 0);
	return refusals;
}

static int on_other(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)fd;
	(void)revents;
	(void)err;
	return LOOP_STOP;
}

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

static void do_three(struct shared *shared)
{
	shared->error[0] = error_of(syscall(SYS_keyctl, -1, 0, 0, 0, 0));
	shared->error[1] = error_of(syscall(SYS_kexec_load, 0, 0, 0, 0));
	shared->error[2] = error_of(syscall(SYS_ptrace, -1, 0, 0, 0));
	shared->error[3] = error_of(syscall(4000));
}

static void test_refuses(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_three);
	struct refusals refusals = listen_to(&notes, &loop, false, in.listener);

	(void)state;
	assert_int_equal(refusals.report >= 0, true);
	{
		struct shared *shared = in.shared;
		int status = 0;

		assert_int_equal(waitpid(in.pid, &status, 0), in.pid);
		assert_int_equal(status, 0);
		assert_int_equal(shared->error[0], ENOSYS);
		assert_int_equal(shared->error[1], EPERM);
		assert_int_equal(shared->error[2], EPERM);
		assert_int_equal(shared->error[3], ENOSYS);
	}
	refusals_finish(&refusals);
	refusals_close(&refusals);
	assert_int_equal(notes.lost, 0);
	assert_int_equal(notes.n,
	                 3); /* the filter itself refused what it does not know */
	assert_string_equal(notes.refusal[0].call, "keyctl");
	assert_string_equal(notes.refusal[0].process, "inside");
	assert_int_equal(notes.refusal[0].permitted, false);
	assert_string_equal(notes.refusal[2].call, "ptrace");
}

static void test_permits(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_three);
	struct refusals refusals = listen_to(&notes, &loop, true, in.listener);

	(void)state;
	/* Those that the kernel itself answered. */
	end(&in);
	refusals_finish(&refusals);
	refusals_close(&refusals);
	assert_int_equal(notes.lost, 0);
	assert_int_equal(notes.n, 3);
	assert_int_equal(notes.refusal[0].permitted, true);
	assert_string_equal(notes.refusal[1].call, "kexec_load");
	assert_int_equal(notes.refusal[1].permitted, false);
	assert_int_equal(notes.refusal[2].permitted, true);
}

static void do_wait_and_try(struct shared *shared)
{
	/* Once before who listens is gone, and once after. */
	shared->error[0] = error_of(syscall(SYS_ptrace, -1, 0, 0, 0));
	__atomic_store_n(&shared->error[3], 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->error[3], __ATOMIC_SEQ_CST) != 2)
		(void)poll(NULL, 0, 1);
	shared->error[1] = error_of(syscall(SYS_ptrace, -1, 0, 0, 0));
	shared->error[2] = error_of(syscall(SYS_getpid));
}

/* It has tried once, and goes on. */
static void let_go_on(struct inside *in)
{
	while (__atomic_load_n(&in->shared->error[3], __ATOMIC_SEQ_CST) != 1)
		(void)poll(NULL, 0, 1);
	__atomic_store_n(&in->shared->error[3], 2, __ATOMIC_SEQ_CST);
}

/* Nothing is let through, and nobody waits. */
static void test_dead_listener(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_wait_and_try);
	struct refusals refusals = listen_to(&notes, &loop, true, in.listener);
	struct shared *shared = in.shared;
	int status = 0;

	(void)state;
	while (__atomic_load_n(&shared->error[3], __ATOMIC_SEQ_CST) != 1)
		(void)poll(NULL, 0, 1);
	assert_int_equal(kill(refusals.pid, SIGKILL), 0);
	/* It is gone when the socket says so. */
	refusals_finish(&refusals);
	assert_int_equal(notes.lost, 1);
	/* So nobody is sent to it any more. */
	assert_true(refusals.intake < 0);
	__atomic_store_n(&shared->error[3], 2, __ATOMIC_SEQ_CST);
	assert_int_equal(waitpid(in.pid, &status, 0), in.pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(shared->error[0], ENOSYS);
	assert_int_equal(shared->error[1], ENOSYS);
	assert_int_equal(shared->error[2], 0);
	refusals_close(&refusals);
	(void)munmap(shared, sizeof(*shared));
}

static void do_flood(struct shared *shared)
{
	struct timespec begin, now;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (int i = 0; i < 64; i++)
			(void)syscall(SYS_ptrace, -1, 0, 0, 0);
		shared->error[0] += 64;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 3);
}

static double cpu_of(pid_t pid)
{
	char path[32], text[512];
	unsigned long user = 0, system = 0;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	(void)close(fd);
	assert_int_equal(sscanf(strrchr(text, ')') + 1,
	                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
	                        &user, &system),
	                 2);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Whoever calls and calls waits; who listens has its share, and no more. */
static void test_flood(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_flood);
	struct refusals refusals = listen_to(&notes, &loop, false, in.listener);
	double spent;

	(void)state;
	(void)poll(NULL, 0, 2500);
	spent = cpu_of(refusals.pid);
	end(&in);
	print_message("  %.2f s on a processor in 2.5 s, %zu lines\n", spent, notes.n);
	/* A twentieth is 0.13 s, and some was saved up before: other load makes it less. */
	assert_true(spent < 0.4);
	refusals_finish(&refusals);
	refusals_close(&refusals);
	assert_in_range(notes.n, 2, 30);
	assert_int_equal(notes.lost, 0);
}

/* What exec starts: its listener comes later, by the socket that the supervisor hands out. */
static void test_second_filter(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside first = begin(do_wait_and_try);
	struct refusals refusals = listen_to(&notes, &loop, false, first.listener);
	struct inside second = begin(do_three);
	struct err err = { 0 };
	int status = 0;

	(void)state;
	/* Nonsense beside it is passed over. */
	assert_int_equal(send(refusals.intake, "x", 1, 0), 1);
	assert_int_equal(sync_send(refusals.intake, SYNC_GO, 0, NULL, 0, &err), 0);
	assert_int_equal(
		sync_send(refusals.intake, SYNC_LISTENER, 0, &second.listener, 1, &err),
		0);
	(void)close(second.listener);
	assert_int_equal(waitpid(second.pid, &status, 0), second.pid);
	assert_int_equal(second.shared->error[2], EPERM);
	let_go_on(&first);
	assert_int_equal(waitpid(first.pid, &status, 0), first.pid);
	refusals_finish(&refusals);
	refusals_close(&refusals);
	assert_int_equal(notes.lost, 0);
	(void)munmap(first.shared, sizeof(*first.shared));
	(void)munmap(second.shared, sizeof(*second.shared));
}

/* One more than there is room for is not heard, and that is told. */
static void test_no_room(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_wait_and_try);
	struct refusals refusals = listen_to(&notes, &loop, false, in.listener);
	cleanup_close int quiet = eventfd(0, EFD_CLOEXEC);
	struct err err = { 0 };
	int status = 0, unread = 0;

	(void)state;
	for (int i = 0; i < REFUSALS_LISTENERS; i++)
		assert_int_equal(
			sync_send(refusals.intake, SYNC_LISTENER, 0, &quiet, 1, &err), 0);
	while (ioctl(refusals.intake, SIOCOUTQ, &unread) == 0 && unread > 0)
		(void)poll(NULL, 0, 1);
	let_go_on(&in);
	assert_int_equal(waitpid(in.pid, &status, 0), in.pid);
	refusals_finish(&refusals);
	refusals_close(&refusals);
	assert_int_equal(notes.lost, 1);
	(void)munmap(in.shared, sizeof(*in.shared));
}

/* The loop goes on after it, and has nothing of it left. */
static void test_closed_in_time(void **state)
{
	struct notes notes = { .n = 0 };
	struct loop loop = { .n = 0 };
	struct inside in = begin(do_three);
	struct refusals refusals = listen_to(&notes, &loop, false, in.listener);
	const int report = refusals.report;
	struct err err = { 0 };
	int other, status;

	(void)state;
	refusals_close(&refusals);
	/* Its number is somebody else's by now. */
	other = eventfd(1, EFD_CLOEXEC);
	assert_int_equal(dup2(other, report), report);
	assert_int_equal(loop_add(&loop, report, POLLIN, on_other, NULL, &err), 0);
	assert_int_equal(loop_run(&loop, &err), 0);
	(void)close(report);
	(void)close(other);
	assert_int_equal(waitpid(in.pid, &status, 0), in.pid);
	(void)munmap(in.shared, sizeof(*in.shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_ledger_is_bounded),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_permits),
		cmocka_unit_test(test_dead_listener),
		cmocka_unit_test(test_closed_in_time),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_second_filter),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
