#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "ns.h"
#include "tests/unit/unit.h"

/* What only the kernel can tell of a process, by processes of our own. */

/* Looks at one step. Return: the rows that differ, each with a space before it. */
static const char *differing(struct verify *verify, const struct packed_step *step)
{
	struct err err = { 0 };
	const char *all = "";

	verify->n = 0;
	assert_int_equal(verify_of(step->step.kind)(verify, step, &err), 0);
	assert_true(verify->n > 0);
	for (size_t i = 0; i < verify->n; i++)
		if (verify->row[i].state == VERIFY_DIFFERS)
			all = arena_printf(verify->arena, "%s %s", all,
			                   verify->row[i].what);
	return all;
}

/* Our own map, where each process stands for warden and init. */
static void test_map(void **state)
{
	static const char *const other = "0 4294900000 7\n";
	char uids[16384], gids[16384];
	struct err err = { 0 };
	const struct {
		const char *name, *target, *uids, *gids, *differs;
	} cases[] = {
		{ "as planned", "warden", uids, gids, "" },
		{ "other uids", "warden", other, gids, " uid_map of the warden" },
		{ "other gids", "warden", uids, other, " gid_map of the warden" },
		{ "through the warden's", "init", uids, gids, "" },
		{ "other uids of init", "init", other, gids, " uid_map of the init" },
		{ "other gids of init", "init", uids, other, " gid_map of the init" },
	};

	(void)state;
	assert_true(file_read(AT_FDCWD, "/proc/self/uid_map", uids, sizeof(uids), &err) >
	            0);
	assert_true(file_read(AT_FDCWD, "/proc/self/gid_map", gids, sizeof(gids), &err) >
	            0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		/* The first is the warden's: for init's sake one that changes nothing. */
		const bool init = !strcmp(cases[i].target, "init");
		const struct packed_step step[] = {
			{ .step = { .kind = STEP_MAP,
			            .why = "",
			            .target = "warden",
			            .value = init ? "0 0 4294967295\n" : cases[i].uids,
			            .source =
			                    init ? "0 0 4294967295\n" : cases[i].gids } },
			{ .step = { .kind = STEP_MAP,
			            .why = "",
			            .target = "init",
			            .value = cases[i].uids,
			            .source = cases[i].gids } },
		};
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = { .arena = &arena,
			                 .plan = { .step = step, .n = 2 },
			                 .init = getpid(),
			                 .warden = getpid() };

		print_message("  %s\n", cases[i].name);
		assert_string_equal(differing(&verify, &step[init]), cases[i].differs);
	}
}

static void test_oom(void **state)
{
	char text[32];
	struct err err = { 0 };
	int own;

	(void)state;
	assert_true(file_read(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text),
	                      &err) > 0);
	own = atoi(text);
	for (int more = -1; more <= 1; more++) {
		cleanup_arena struct arena arena = { 0 };
		const struct packed_step step = {
			.step = { .kind = STEP_OOM,
			          .why = "",
			          .value = arena_printf(&arena, "%d", own + more) }
		};
		struct verify verify = { .arena = &arena, .init = getpid() };

		print_message("  %d beside %d\n", own + more, own);
		assert_string_equal(differing(&verify, &step),
		                    more > 0 ? " oom_score_adj" : "");
	}
}

/**
 * struct family - A workspace's namespaces, and somebody in each
 * @outer:	one level below us, leads to @inner
 * @inner:	another level below
 * @life:	both end when this does
 */
struct family {
	pid_t outer, inner;
	int life;
};

#define INNER (NS_BIT(NS_USER) | NS_BIT(NS_PID) | NS_BIT(NS_UTS) | NS_BIT(NS_IPC))

/* In a child: its number to @fd, from what our /proc says, since it knows another one. */
static void tell(int fd)
{
	char text[16] = "";

	if (readlink("/proc/self", text, sizeof(text) - 1) < 0 ||
	    write(fd, text, sizeof(text)) != (ssize_t)sizeof(text))
		_exit(1);
	(void)close(fd);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(1);
	(void)close(fd);
}

/* In a child: namespaces of its own, and one for what it forks; who it was is root there. */
static void leave(unsigned int set)
{
	char uids[32], gids[32];

	(void)snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	(void)snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	/* Else it could not be looked at. */
	if (unshare((int)ns_clone_flags(set)) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		_exit(1);
	put("/proc/self/uid_map", uids);
	put("/proc/self/setgroups", "deny");
	put("/proc/self/gid_map", gids);
}

static void live(int life)
{
	char c;

	_exit(read(life, &c, 1) != 0);
}

static void outer_and_inner(int told, int life)
{
	leave(NS_BIT(NS_USER) | NS_BIT(NS_PID));
	if (fork() > 0) {
		tell(told);
		live(life);
	}
	leave(INNER);
	if (fork() > 0) {
		(void)close(told);
		live(life);
	}
	tell(told);
	live(life);
}

/* Where we may not make user namespaces: false. */
static bool family_make(struct family *ret)
{
	int told[2], life[2];
	char text[16];
	pid_t child;

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		(void)close(life[1]);
		outer_and_inner(told[1], life[0]);
	}
	assert_int_equal(close(told[1]), 0);
	assert_int_equal(close(life[0]), 0);
	ret->life = life[1];
	ret->outer = child;
	while (read(told[0], text, sizeof(text)) == (ssize_t)sizeof(text))
		if (atoi(text) != child)
			ret->inner = atoi(text);
	return close(told[0]) == 0 && ret->inner > 0;
}

static int namespace_of(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A step that has the namespaces of INNER made, and the plan with it alone. */
static const struct packed_step spawn = {
	.step = { .kind = STEP_SPAWN, .why = "", .target = "init", .flags = INNER }
};

static void test_namespaces(void **state)
{
	/* Who is asked for what: 'i' the inner one, 'o' the outer one, 'u' ourselves, '-' nobody;
	 * the user namespaces of init and of the level above, then PID and UTS. */
	static const struct {
		const char *name, *who, *init, *warden, *unshared;
	} cases[] = {
		{ "as planned", "ioii", "", "", "" },
		{ "the pod's names", "ioi-", " uts", "", " uts" },
		{ "names of the pod's user namespace", "ioiu", " uts", "", " uts" },
		{ "PIDs of the level above", "iooi", " pid", " pid", " pid" },
		{ "the pod's PIDs", "io-i", " pid", " pid", " pid" },
		{ "one level of users only", "ooii", " user pid uts", "",
		  " user pid uts" },
		{ "no level between", "iuii", " user", " user pid", " user" },
		{ "the pod's users", "uuii", " user pid uts", " user pid",
		  " user pid uts" },
	};
	const struct packed_step warden = {
		.step = { .kind = STEP_SPAWN, .why = "", .target = "warden" }
	};
	const struct packed_step unshared = {
		.step = { .kind = STEP_UNSHARE,
		          .why = "",
		          .flags = NS_BIT(NS_USER) | NS_BIT(NS_PID) | NS_BIT(NS_UTS) }
	};
	struct family family = { 0 };

	(void)state;
	if (!family_make(&family))
		skip();
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		static const char *const name[] = { "user", "user", "pid", "uts" };
		static const enum ns ns[] = { NS_USER, NS_MAX, NS_PID, NS_UTS };
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = {
			.arena = &arena,
			.plan = { .step = &spawn, .n = 1 },
			.outer = -EBADF,
			.warden_status = "NoNewPrivs:\t1\nSeccomp:\t2\n"
					 "CapEff:\t0000000000000002\n"
					 "CapPrm:\t0000000000000002\n"
					 "CapInh:\t0000000000000000\n"
					 "CapAmb:\t0000000000000000\n",
		};

		print_message("  %s\n", cases[i].name);
		for (size_t j = 0; j < CONTROL_FDS; j++)
			verify.fd[j] = -EBADF;
		verify.fd[CONTROL_NS + NS_IPC] = namespace_of(
			cases[i].who[0] == 'i' ? family.inner : getpid(), "ipc");
		for (size_t j = 0; j < N_ELEMENTS(name); j++) {
			const char who = cases[i].who[j];
			int *fd = j == 1 ? &verify.outer : &verify.fd[CONTROL_NS + ns[j]];

			if (who != '-')
				*fd = namespace_of(who == 'i'   ? family.inner
				                   : who == 'o' ? family.outer
				                                : getpid(),
				                   name[j]);
		}
		if (cases[i].who[0] == 'i') /* else one more that differs */
			assert_string_equal(differing(&verify, &spawn), cases[i].init);
		assert_string_equal(differing(&verify, &warden), cases[i].warden);
		assert_string_equal(differing(&verify, &unshared), cases[i].unshared);
		/* One that was to be shared. */
		if (i == 0) {
			struct packed_step less = spawn;

			less.step.flags &= ~(unsigned int)NS_BIT(NS_UTS);
			verify.plan.step = &less;
			assert_string_equal(differing(&verify, &less), " uts");
		}
		for (size_t j = 0; j < CONTROL_FDS; j++)
			if (verify.fd[j] >= 0)
				assert_int_equal(close(verify.fd[j]), 0);
		assert_int_equal(close(verify.outer), 0);
	}
	assert_int_equal(close(family.life), 0);
	assert_true(wait(NULL) > 0);
}

/* What our own processes keep: each field beside what it has to be. */
static void test_confined(void **state)
{
	static const struct {
		const char *name, *privs, *seccomp, *eff, *prm, *inh, *amb, *differs;
	} cases[] = {
		{ "as planned", "1", "2", "2", "2", "0", "0", "" },
		{ "may gain privileges", "0", "2", "2", "2", "0", "0", " NoNewPrivs" },
		{ "no filter", "1", "0", "2", "2", "0", "0", " Seccomp" },
		{ "strict is no filter", "1", "1", "2", "2", "0", "0", " Seccomp" },
		{ "more in force", "1", "2", "3", "2", "0", "0", " CapEff" },
		{ "less in force", "1", "2", "0", "2", "0", "0", " CapEff" },
		{ "more permitted", "1", "2", "2", "6", "0", "0", " CapPrm" },
		{ "inherited", "1", "2", "2", "2", "2", "0", " CapInh" },
		{ "ambient", "1", "2", "2", "2", "0", "2", " CapAmb" },
	};
	const struct packed_step step = {
		.step = { .kind = STEP_SPAWN, .why = "", .target = "warden" }
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = { .arena = &arena, .outer = -EBADF };

		print_message("  %s\n", cases[i].name);
		for (size_t j = 0; j < CONTROL_FDS; j++)
			verify.fd[j] = -EBADF;
		verify.warden_status = arena_printf(
			&arena,
			"NoNewPrivs:\t%s\nSeccomp:\t%s\nCapInh:\t000000000000000%s\n"
			"CapPrm:\t000000000000000%s\nCapEff:\t000000000000000%s\n"
			"CapAmb:\t000000000000000%s\n",
			cases[i].privs, cases[i].seccomp, cases[i].inh, cases[i].prm,
			cases[i].eff, cases[i].amb);
		assert_string_equal(
			differing(&verify, &step),
			arena_printf(&arena, " user pid%s", cases[i].differs));
	}
}

/* In a child: no capabilities, and what else berth-metrics has, but for what is left. */
static void confine(bool privileges, bool filter)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = 1, .filter = &allow };
	struct __user_cap_header_struct header = { .version =
		                                           _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &header, none) < 0 ||
	    (!privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) ||
	    (filter && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
		_exit(1);
}

/* Relay and metrics are found by name among the children of who has to be their parent. */
static void test_children(void **state)
{
	static const struct {
		const char *name, *process;
		enum step_kind kind;
		bool optional, privileges, filter;
		const char *differs;
	} cases[] = {
		{ "metrics", "berth-metrics", STEP_METRICS, false, false, true, "" },
		{ "metrics without a filter", "berth-metrics", STEP_METRICS, false, false,
		  false, "" },
		{ "metrics that may gain privileges", "berth-metrics", STEP_METRICS,
		  false, true, false, "" },
		{ "metrics that ended", "berth-other", STEP_METRICS, false, false, true,
		  "" },
		{ "the relay lacks what it needs", "berth-relay", STEP_RELAY, false,
		  false, true, " CapEff CapPrm" },
		{ "no relay", "berth-other", STEP_RELAY, false, false, true, " process" },
		{ "no relay, and none is needed", "berth-other", STEP_RELAY, true, false,
		  true, "" },
	};
	/* What is upon us is upon our children. */
	const bool privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
	const bool filter = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct packed_step step = { .step = { .kind = cases[i].kind,
			                                    .why = "",
			                                    .optional =
			                                            cases[i].optional } };
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = { .arena = &arena,
			                 .warden = getpid(),
			                 .supervisor = getpid() };
		const char *differs = arena_printf(
			&arena, "%s%s%s",
			cases[i].privileges && privileges ? " NoNewPrivs" : "",
			!cases[i].filter && !filter ? " Seccomp" : "", cases[i].differs);
		int ready[2], life[2];
		char c;
		pid_t child;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		assert_int_equal(pipe2(life, O_CLOEXEC), 0);
		child = fork();
		if (child == 0) {
			(void)close(life[1]);
			if (prctl(PR_SET_NAME, cases[i].process) < 0)
				_exit(1);
			confine(cases[i].privileges, cases[i].filter);
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			live(life[0]);
		}
		assert_int_equal(close(ready[1]), 0);
		assert_int_equal(close(life[0]), 0);
		assert_int_equal(read(ready[0], &c, 1), 1);
		assert_string_equal(differing(&verify, &step), differs);
		assert_int_equal(close(life[1]), 0);
		assert_int_equal(close(ready[0]), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),        cmocka_unit_test(test_oom),
		cmocka_unit_test(test_namespaces), cmocka_unit_test(test_confined),
		cmocka_unit_test(test_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
