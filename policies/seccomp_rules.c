#include "policies/seccomp_rules.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/personality.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Everything below is about a workspace whose root is an ordinary user of the node.
 * The kernel refuses that user most of what stands under "refused" by itself; the
 * rules keep the code behind those calls out of reach when the kernel errs, and they
 * hold in a pod without a user namespace of its own too.
 *
 * EPERM is what the kernel says to somebody without the privilege, so programs are
 * ready for it. ENOSYS is for calls whose users cope with their absence only.
 */
/* clang-format off */
#define ALLOW(calls, why)        { calls, SECCOMP_ALLOW, why, 0, 0, 0, false }
#define REFUSE(calls, code, why) { calls, code, why, 0, 0, 0, false }
#define WHERE(call, arg, mask, value, answer, why) \
	{ call, answer, why, arg, mask, value, false }
/* clang-format on */
#define WORD 0xffffffffU

/* What personality(2) may set: 32-bit uname, "2.6" uname, no address randomisation. */
#define PERSONA_OK ((uint32_t)PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE)

/* clang-format off */
static const struct seccomp_rule workspace_rules[] = {
	/* Refused: the machine itself. */
	REFUSE("kexec_load kexec_file_load", EPERM,
	       "would replace the node's kernel"),
	REFUSE("init_module finit_module delete_module", EPERM,
	       "kernel modules are the node's"),
	REFUSE("swapon swapoff", EPERM,
	       "swap is the node's; dockerd and systemd only read it"),
	REFUSE("acct", EPERM,
	       "has the kernel write a record of every process that ends"),
	REFUSE("settimeofday clock_settime clock_settime64 stime", EPERM,
	       "the clock is the node's; a time namespace shifts only the monotonic "
	       "ones"),
	REFUSE("syslog", EPERM,
	       "the kernel's log is the node's; journald reads /dev/kmsg and copes "
	       "without"),
	REFUSE("ioperm iopl", EPERM,
	       "I/O ports are the node's hardware"),
	REFUSE("vhangup", EPERM,
	       "takes a terminal from everybody who has it open, outside too"),
	REFUSE("nfsservctl", EPERM,
	       "steered the node's NFS server, before Linux 3.1"),

	/* Refused: what turned kernel bugs into escapes. */
	REFUSE("bpf", EPERM,
	       "runs code in the kernel; runc and crun ask it for the device cgroup and "
	       "go on without in a user namespace, where the kernel says EPERM itself"),
	REFUSE("perf_event_open", EPERM,
	       "measures the whole node, and has a long record of kernel bugs"),
	REFUSE("userfaultfd", EPERM,
	       "stops the kernel in the middle of a copy, which makes its races "
	       "winnable"),
	REFUSE("io_uring_setup io_uring_enter io_uring_register", EPERM,
	       "does calls that no filter sees; EPERM is what kernel.io_uring_disabled "
	       "says, and libuv goes back to epoll"),
	REFUSE("open_by_handle_at", EPERM,
	       "opens any inode of a file system, past the root of the mount"),
	REFUSE("lookup_dcookie", EPERM,
	       "names the files of every process, for a profiler that is gone"),
	REFUSE("uselib", EPERM,
	       "loaded a.out libraries, a format that is gone"),
	REFUSE("vm86 vm86old", EPERM,
	       "16-bit mode on 32-bit kernels; emulators have their own"),
	REFUSE("add_key keyctl request_key", ENOSYS,
	       "key names were the node's before Linux 5.3 and quotas are per user; runc "
	       "stops at EPERM, and takes ENOSYS as a kernel without keyrings, as crun, "
	       "systemd and pam do"),

	/* An argument decides. */
	WHERE("socket", 0, WORD, AF_ALG, EAFNOSUPPORT,
	      "the kernel's crypto wrote to the page cache (CVE-2026-31431); libraries "
	      "have their own"),
	WHERE("socket", 0, WORD, AF_VSOCK, EAFNOSUPPORT,
	      "reaches the hypervisor and its other guests past every network namespace"),
	WHERE("socketcall", 0, WORD, SYS_SOCKET, ENOSYS,
	      "i386: the family is behind a pointer, so AF_ALG would pass; musl makes "
	      "sockets by socket(2), glibc needs the filter 'workspace-i386'"),
	WHERE("ioctl", 1, WORD, TIOCSTI, EPERM,
	      "types into the terminal that berth was started from"),
	WHERE("ioctl", 1, WORD, TIOCLINUX, EPERM,
	      "pastes into the terminal that berth was started from"),
	WHERE("personality", 0, WORD & ~PERSONA_OK, 0, SECCOMP_ALLOW,
	      "setarch, and gdb without address randomisation"),
	WHERE("personality", 0, WORD, WORD, SECCOMP_ALLOW,
	      "only asks"),
	REFUSE("personality", EPERM,
	       "the other bits weaken mappings, or emulate systems nobody runs"),
	ALLOW("socket socketpair",
	      "all other families, those a network namespace holds"),
	ALLOW("socketcall",
	      "i386: all but making a socket; ones that are open work"),
	ALLOW("ioctl",
	      "devices, terminals, namespaces: each checks by itself"),

	/* Allowed: files. */
	ALLOW("close close_range creat dup dup2 dup3 fcntl fcntl64 flock open openat "
	      "openat2",
	      "files: open and close"),
	ALLOW("_llseek lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv "
	      "write writev",
	      "files: read and write"),
	ALLOW("copy_file_range sendfile sendfile64 splice tee vmsplice",
	      "files: copy without reading"),
	ALLOW("arm_fadvise64_64 arm_sync_file_range cachestat fadvise64 fadvise64_64 "
	      "fallocate fdatasync fsync ftruncate ftruncate64 readahead sync "
	      "sync_file_range syncfs truncate truncate64",
	      "files: size, caching and flushing"),
	ALLOW("access faccessat faccessat2 file_getattr fstat fstat64 fstatat64 fstatfs "
	      "fstatfs64 lstat lstat64 newfstatat oldfstat oldlstat oldstat stat stat64 "
	      "statfs statfs64 statx",
	      "files: look"),
	ALLOW("chmod chown chown32 fchmod fchmodat fchmodat2 fchown fchown32 fchownat "
	      "file_setattr futimesat lchown lchown32 umask utime utimensat "
	      "utimensat_time64 utimes",
	      "files: mode, owner and times"),
	ALLOW("fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr "
	      "listxattr listxattrat llistxattr lremovexattr lsetxattr removexattr "
	      "removexattrat setxattr setxattrat",
	      "files: extended attributes, for overlay and capabilities"),
	ALLOW("chdir fchdir getcwd getdents getdents64 link linkat mkdir mkdirat mknod "
	      "mknodat readdir readlink readlinkat rename renameat renameat2 rmdir "
	      "symlink symlinkat unlink unlinkat",
	      "directories; a device node is the kernel's EPERM in a user namespace"),
	ALLOW("name_to_handle_at",
	      "systemd tells mount points by it; a handle alone opens nothing"),
	ALLOW("fanotify_init fanotify_mark inotify_add_watch inotify_init inotify_init1 "
	      "inotify_rm_watch",
	      "file watchers, within the budget one level up"),
	ALLOW("quotactl quotactl_fd",
	      "one's own quota; setting any needs CAP_SYS_ADMIN of the node"),

	/* Allowed: waiting and messages. */
	ALLOW("_newselect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 "
	      "epoll_wait eventfd eventfd2 pipe pipe2 poll ppoll ppoll_time64 pselect6 "
	      "pselect6_time64 select",
	      "pipes and waiting"),
	ALLOW("accept accept4 bind connect getpeername getsockname getsockopt listen "
	      "recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg "
	      "sendto setsockopt shutdown",
	      "sockets that are open"),
	ALLOW("ipc mq_getsetattr mq_notify mq_open mq_timedreceive "
	      "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl "
	      "msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 "
	      "shmat shmctl shmdt shmget",
	      "System V and POSIX IPC of the workspace's IPC namespace"),
	ALLOW("io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
	      "io_setup io_submit",
	      "the older asynchronous I/O, for databases"),

	/* Allowed: memory. */
	ALLOW("brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock "
	      "mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall "
	      "munmap pkey_alloc pkey_free pkey_mprotect process_madvise "
	      "process_mrelease remap_file_pages",
	      "a program's own memory"),
	ALLOW("get_mempolicy mbind migrate_pages move_pages set_mempolicy "
	      "set_mempolicy_home_node",
	      "memory placement, for java and databases; cpusets bound it"),

	/* Allowed: processes. */
	ALLOW("clone clone3 execve execveat exit exit_group fork vfork wait4 waitid "
	      "waitpid",
	      "processes, in new namespaces too: nesting is the product"),
	ALLOW("kill pidfd_getfd pidfd_open pidfd_send_signal rt_sigaction rt_sigpending "
	      "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	      "rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack "
	      "signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend "
	      "ssetmask tgkill tkill",
	      "signals, within the PID namespace"),
	ALLOW("futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
	      "get_robust_list membarrier rseq set_robust_list set_tid_address",
	      "threads, and the C library's locks"),
	ALLOW("kcmp process_vm_readv process_vm_writev ptrace",
	      "debuggers, over one's own processes"),
	ALLOW("uprobe uretprobe",
	      "the node's tracers plant them in a program; refused, the program dies"),
	ALLOW("getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 "
	      "getpgid getpgrp getpid getppid getresgid getresgid32 getresuid "
	      "getresuid32 getsid gettid getuid getuid32",
	      "IDs: who a process is"),
	ALLOW("setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
	      "setgroups32 setpgid setregid setregid32 setresgid setresgid32 setresuid "
	      "setresuid32 setreuid setreuid32 setsid setuid setuid32",
	      "sudo, su and services, within the ID map"),
	ALLOW("capget capset landlock_add_rule landlock_create_ruleset "
	      "landlock_restrict_self lsm_get_self_attr lsm_list_modules "
	      "lsm_set_self_attr prctl seccomp",
	      "programs confine themselves; a nested filter or listener works"),
	ALLOW("getcpu getpriority getrlimit getrusage ioprio_get ioprio_set nice "
	      "prlimit64 sched_get_priority_max sched_get_priority_min sched_getaffinity "
	      "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	      "sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
	      "sched_setparam sched_setscheduler sched_yield setpriority setrlimit "
	      "ugetrlimit",
	      "scheduling and resource limits, never above what the workspace got"),
	ALLOW("arch_prctl breakpoint cacheflush get_thread_area get_tls modify_ldt "
	      "riscv_flush_icache riscv_hwprobe set_thread_area set_tls usr26 usr32",
	      "what one processor needs: thread pointers, caches, segments for wine"),
	ALLOW("restart_syscall",
	      "the kernel goes on with a call that a signal interrupted"),

	/* Allowed: time. */
	ALLOW("adjtimex alarm clock_adjtime clock_adjtime64 clock_getres "
	      "clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
	      "clock_nanosleep_time64 getitimer gettimeofday nanosleep pause setitimer "
	      "time timer_create timer_delete timer_getoverrun timer_gettime "
	      "timer_gettime64 timer_settime timer_settime64 timerfd_create "
	      "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times",
	      "time; timedatectl reads by adjtimex, whose writes need CAP_SYS_TIME of "
	      "the node"),

	/* Allowed: the system inside. */
	ALLOW("chroot fsconfig fsmount fsopen fspick listmount mount mount_setattr "
	      "move_mount open_tree open_tree_attr pivot_root statmount umount umount2",
	      "mounts of the workspace's mount namespace: systemd, dockerd, bwrap"),
	ALLOW("setns unshare",
	      "nested namespaces: bwrap, rootless podman, docker exec"),
	ALLOW("setdomainname sethostname",
	      "names of the workspace's UTS namespace"),
	ALLOW("reboot",
	      "in a PID namespace it only ends that: power-off and restart of the "
	      "workspace"),
	ALLOW("getrandom olduname oldolduname sysinfo uname",
	      "facts about the system"),

	REFUSE("_sysctl afs_syscall bdflush break create_module epoll_ctl_old "
	       "epoll_wait_old ftime get_kernel_syms getpmsg gtty idle lock mpx "
	       "pciconfig_iobase pciconfig_read pciconfig_write prof profil putpmsg "
	       "query_module security stty sysfs tuxcall ulimit ustat vserver", ENOSYS,
	       "gone from Linux, never in it, or asked by nothing any more"),
};

static const struct seccomp_rule warden_rules[] = {
	ALLOW("close fcntl lseek poll ppoll read recvfrom recvmsg sendmsg sendto "
	      "signalfd4 write",
	      "the event loop and its messages"),
	WHERE("socket", 0, WORD, AF_INET, SECCOMP_ALLOW,
	      "sockets of the gateway, which the relay asks for"),
	WHERE("socket", 0, WORD, AF_INET6, SECCOMP_ALLOW,
	      "likewise"),
	REFUSE("socket", EAFNOSUPPORT,
	       "no other family has a use here"),
	ALLOW("fchmod fstat fstatfs fsync ftruncate getdents64 newfstatat openat openat2 "
	      "pread64 renameat renameat2 unlinkat",
	      "the state entry and the cgroup directories, removed by descriptor at the "
	      "end"),
	ALLOW("kill pidfd_send_signal tgkill wait4 waitid",
	      "init and what init left behind"),
	ALLOW("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
	      "its signal mask and handlers"),
	ALLOW("brk futex madvise mmap mprotect mremap munmap",
	      "malloc and its lock"),
	ALLOW("clock_gettime clock_nanosleep getegid geteuid getgid getpid getrandom "
	      "gettid getuid restart_syscall",
	      "time, and what the C library asks by itself"),
	ALLOW("exit exit_group",
	      "the warden's own end"),
};

static const struct seccomp_rule relay_rules[] = {
	ALLOW("accept4 bind connect getpeername getsockname getsockopt recvfrom "
	      "recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown",
	      "the connections of the workspace"),
	WHERE("socket", 0, WORD, AF_INET, SECCOMP_ALLOW,
	      "from the pod's network"),
	WHERE("socket", 0, WORD, AF_INET6, SECCOMP_ALLOW,
	      "likewise"),
	REFUSE("socket", EAFNOSUPPORT,
	       "no other family has a use here"),
	ALLOW("close epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait fcntl "
	      "pipe2 poll ppoll read splice tee write writev",
	      "the event loop, and bytes from one socket to another"),
	ALLOW("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
	      "its signal mask and handlers"),
	ALLOW("brk futex madvise mmap mprotect mremap munmap",
	      "malloc and its lock"),
	ALLOW("clock_gettime clock_nanosleep getegid geteuid getgid getpid getrandom "
	      "gettid getuid restart_syscall timerfd_create timerfd_settime",
	      "time, and what the C library asks by itself"),
	WHERE("prlimit64", 0, WORD, 0, SECCOMP_ALLOW,
	      "its own limit of open files"),
	REFUSE("prlimit64", EPERM,
	       "a process of the pod with the same user would be in reach by its number"),
	ALLOW("exit exit_group",
	      "the relay's own end"),
};

static const struct seccomp_rule listener_rules[] = {
	ALLOW("close lseek openat pread64 read",
	      "the names of processes in /proc"),
	WHERE("ioctl", 1, WORD, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_ALLOW,
	      "what a filter asks"),
	WHERE("ioctl", 1, WORD, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_ALLOW,
	      "the answer"),
	WHERE("ioctl", 1, WORD, SECCOMP_IOCTL_NOTIF_ID_VALID, SECCOMP_ALLOW,
	      "whether who asked is still there"),
	REFUSE("ioctl", EPERM,
	       "no other request has a use here"),
	ALLOW("poll ppoll recvmsg sendmsg sendto",
	      "reports, and listeners of what exec starts"),
	ALLOW("clock_gettime clock_nanosleep getpid gettid restart_syscall",
	      "its share of a processor"),
	ALLOW("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
	      "its signal mask and handlers"),
	ALLOW("brk futex madvise mmap mprotect mremap munmap",
	      "malloc and its lock"),
	ALLOW("exit exit_group",
	      "its own end"),
};

static const struct seccomp_rule metrics_rules[] = {
	ALLOW("accept4 close fcntl getpeername getsockname getsockopt recvfrom recvmsg "
	      "sendmsg sendto setsockopt shutdown",
	      "the connections of who asks, by a socket that was made before"),
	ALLOW("epoll_ctl epoll_pwait epoll_pwait2 epoll_wait poll ppoll read write writev",
	      "the event loop"),
	ALLOW("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
	      "its signal mask and handlers"),
	ALLOW("brk futex madvise mmap mprotect mremap munmap",
	      "malloc and its lock"),
	ALLOW("clock_gettime clock_nanosleep getegid geteuid getgid getpid getrandom "
	      "gettid getuid gettimeofday restart_syscall time",
	      "time, and what the C library asks by itself"),
	ALLOW("exit exit_group",
	      "its own end"),
};
/* clang-format on */

#undef ALLOW
#undef REFUSE
#undef WHERE

#define N(rules) (sizeof(rules) / sizeof((rules)[0]))

const struct seccomp_set seccomp_sets[] = {
	{
		.name = "workspace",
		.why = "everything below the workspace's init",
		.rules = workspace_rules,
		.n = N(workspace_rules),
		.compat = true,
	},
	{
		/*
		 * glibc for i386 makes every socket by socketcall(2), so 32-bit Debian
		 * programs, wine and 32-bit Go have no network under "workspace". Who
		 * needs them more than the refusal of AF_ALG takes this one.
		 */
		.name = "workspace-i386",
		.why = "as workspace, with sockets for 32-bit glibc: AF_ALG passes there",
		.rules = workspace_rules,
		.n = N(workspace_rules),
		.compat = true,
		.waive = "socketcall",
	},
	{
		/*
		 * What is not listed gets ENOSYS here too. KILL_PROCESS would take the
		 * whole workspace down when a newer C library or a sanitizer tries one
		 * call more; EPERM would keep the library from its older way. Whoever
		 * took the warden over gains the same from all three: nothing.
		 */
		.name = "warden",
		.why = "berth's own PID 1 of level 1, after the launch",
		.rules = warden_rules,
		.n = N(warden_rules),
	},
	{
		.name = "relay",
		.why = "what carries the workspace's bytes to the pod's network",
		.rules = relay_rules,
		.n = N(relay_rules),
	},
	{
		.name = "metrics",
		.why = "what tells a workspace's numbers to strangers by HTTP",
		.rules = metrics_rules,
		.n = N(metrics_rules),
	},
	{
		.name = "listener",
		.why = "what hears of refused system calls",
		.rules = listener_rules,
		.n = N(listener_rules),
	},
};
const size_t seccomp_sets_n = N(seccomp_sets);

/* From scripts/syscall.tbl and arch/x86/entry/syscalls/syscall_64.tbl of Linux. */
const struct seccomp_number seccomp_numbers[] = {
	{ "riscv_hwprobe", 258, AUDIT_ARCH_RISCV64 },
	{ "uretprobe", 335, AUDIT_ARCH_X86_64 },
	{ "uprobe", 336, AUDIT_ARCH_X86_64 },
	{ "set_mempolicy_home_node", 450, 0 },
	{ "cachestat", 451, 0 },
	{ "fchmodat2", 452, 0 },
	{ "map_shadow_stack", 453, 0 },
	{ "futex_wake", 454, 0 },
	{ "futex_wait", 455, 0 },
	{ "futex_requeue", 456, 0 },
	{ "statmount", 457, 0 },
	{ "listmount", 458, 0 },
	{ "lsm_get_self_attr", 459, 0 },
	{ "lsm_set_self_attr", 460, 0 },
	{ "lsm_list_modules", 461, 0 },
	{ "mseal", 462, 0 },
	{ "setxattrat", 463, 0 },
	{ "getxattrat", 464, 0 },
	{ "listxattrat", 465, 0 },
	{ "removexattrat", 466, 0 },
	{ "open_tree_attr", 467, 0 },
	{ "file_getattr", 468, 0 },
	{ "file_setattr", 469, 0 },
};
const size_t seccomp_numbers_n = N(seccomp_numbers);

bool seccomp_next_call(const char **calls, char *name, size_t size)
{
	size_t len = strcspn(*calls, " ");

	if (len == 0 || len >= size)
		return false;
	memcpy(name, *calls, len);
	name[len] = '\0';
	*calls += len;
	if (**calls == ' ')
		(*calls)++;
	return true;
}

bool seccomp_rule_has(const struct seccomp_rule *rule, const char *call)
{
	const char *calls = rule->calls;
	char name[SECCOMP_NAME_MAX];

	while (seccomp_next_call(&calls, name, sizeof(name)))
		if (strcmp(name, call) == 0)
			return true;
	return false;
}
