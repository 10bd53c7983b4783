/*
 * The airlock: see airlock.h. Linked by itself, without a libc and without a writable
 * page; runtime/airlock.c carries the result.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "airlock.h"
#include "sync.h"

#if defined(__x86_64__)
/* The stack as the kernel leaves it: argc, argv, NULL, environment, NULL. */
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall airlock\n");

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
	                 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl airlock\n");

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
	                 : "memory");
	return x0;
}
#else
#error "the airlock knows the system calls of x86_64 and aarch64 only"
#endif

/* As in exec.c: a failure that says "not here", so that the search goes on. */
static bool is_absent(long code)
{
	return code == -ENOENT || code == -ENOTDIR || code == -ENAMETOOLONG;
}

__attribute__((noreturn)) static void leave(long status)
{
	for (;;)
		(void)call(__NR_exit_group, status, 0, 0, 0);
}

__attribute__((noreturn, used)) void airlock(char **stack);

void airlock(char **stack)
{
	char **file = stack + 1;
	char **argv = file;
	char **envp = stack + (long)stack[0] + 2;
	struct sync_word report = { SYNC_UNEXECUTED, ENOENT };
	bool only;
	int32_t there = 0;

	while (*argv && **argv)
		argv++;
	/* Somebody's "#!/proc/self/exe" led the kernel to us: these are no words of init's. */
	if (!*argv)
		leave(126);
	only = argv == file + 1;
	/* It had to stay open for this program, and must not for the next one. */
	(void)call(__NR_fcntl, AIRLOCK_SOCKET, F_SETFD, FD_CLOEXEC, 0);
	for (; **file; file++) {
		long r = call(__NR_execve, (long)*file, (long)(argv + 1), (long)envp, 0);

		if (is_absent(r) &&
		    call(__NR_faccessat, AT_FDCWD, (long)*file, F_OK, 0) == 0)
			there = SYNC_THERE;
		if (is_absent(r) && !only)
			continue;
		report.value = (int32_t)-r;
		/* EACCES may be a directory of that name: another may do. */
		if (r != -EACCES)
			break;
	}
	report.value |= there;
	(void)call(__NR_write, AIRLOCK_SOCKET, (long)&report, sizeof(report), 0);
	leave(125);
}
