#include "image_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#define OUR_ARCH 0 /* nothing is caught */
#endif

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUAL(value, then, otherwise) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

int image_devices_catch(void)
{
	/* Others than devices, pipes above all, are the kernel's to make. */
	const struct sock_filter insn[] = {
		LOAD(arch),
		EQUAL(OUR_ARCH, 1, 0),
		ANSWER(SECCOMP_RET_ALLOW),
		LOAD(nr),
#ifdef SYS_mknod
		EQUAL(SYS_mknod, 0, 2),
		LOAD(args[1]),
		BPF_STMT(BPF_JMP | BPF_JA, 2),
#endif
		EQUAL(SYS_mknodat, 0, 5),
		LOAD(args[2]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT),
		EQUAL(S_IFCHR, 1, 0),
		EQUAL(S_IFBLK, 0, 1),
		ANSWER(SECCOMP_RET_USER_NOTIF),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(insn) / sizeof(insn[0]),
		.filter = (struct sock_filter *)insn,
	};
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);

	return fd < 0 ? -errno : fd;
}

/* The path that was given, NUL-terminated, or why it cannot be had. */
static int read_path(pid_t pid, uint64_t address, char ret[PATH_MAX])
{
	/* A read that crosses into a page that is not there ends before it. */
	const size_t page = 4096;
	size_t n = 0;

	while (n < PATH_MAX) {
		size_t part = page - (address + n) % page;
		struct iovec here = { ret + n,
			              part < PATH_MAX - n ? part : PATH_MAX - n };
		struct iovec there = { (void *)(uintptr_t)(address + n), here.iov_len };
		ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

		if (got <= 0)
			return -EFAULT;
		if (memchr(ret + n, '\0', (size_t)got))
			return 0;
		n += (size_t)got;
	}
	return -ENAMETOOLONG;
}

static int stand_in(const struct seccomp_notif *asked)
{
	const __u64 *args = asked->data.args;
	const bool at = asked->data.nr == SYS_mknodat;
	cleanup_close int fd = -EBADF;
	char path[PATH_MAX];
	int r = read_path((pid_t)asked->pid, args[at ? 1 : 0], path);

	if (r < 0)
		return r;
	if (path[0] != '/') /* below a descriptor or directory of its own */
		return -EPERM;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	          (mode_t)args[at ? 2 : 1] & 0777);
	return fd < 0 ? -errno : 0;
}

void image_devices_answer(int listener)
{
	union {
		struct seccomp_notif notif;
		char room[512]; /* the kernel's may be larger than the one we know */
	} asked = { 0 };
	union {
		struct seccomp_notif_resp resp;
		char room[512];
	} answer = { 0 };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return;
	answer.resp.id = asked.notif.id;
	answer.resp.error = stand_in(&asked.notif);
	/* Who has died meanwhile needs no answer. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}
