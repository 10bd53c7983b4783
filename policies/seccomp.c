#include "policies/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct seccomp_filter *seccomp_find(const char *name)
{
	for (size_t i = 0; i < seccomp_filters_n; i++)
		if (strcmp(seccomp_filters[i].name, name) == 0)
			return &seccomp_filters[i];
	return NULL;
}

static int load(const struct seccomp_filter *f, unsigned long flags, struct err *err)
{
	/* The kernel only reads; the field lacks the const. */
	struct sock_fprog prog = { .len = f->n, .filter = (struct sock_filter *)f->insn };
	long fd;

	/*
	 * Before Linux 5.16 a filter also turns off speculative store bypass in the
	 * thread (kernel/seccomp.c, arch_seccomp_spec_mitigate()), which costs
	 * interpreters up to half their speed. It guards secrets against code of the
	 * same address space, and our processes share none. runc and crun do the same.
	 */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	             SECCOMP_FILTER_FLAG_SPEC_ALLOW | flags, &prog);
	if (fd >= 0)
		return (int)fd;
	(void)err_set(err, errno, "load seccomp filter '%s'", f->name);
	if (err->code == EACCES)
		return err_hint(err, "load it before CAP_SYS_ADMIN leaves the effective "
		                     "set, or set no_new_privs");
	return -err->code;
}

int seccomp_load(const struct seccomp_filter *f, struct err *err)
{
	return load(f, 0, err);
}

int seccomp_load_listener(const struct seccomp_filter *f, struct err *err)
{
	int fd = load(f, SECCOMP_FILTER_FLAG_NEW_LISTENER, err);

	if (fd == -EBUSY)
		return err_hint(err, "the pod's own filter has a listener, and the "
		                     "kernel permits one: go without --audit-syscalls "
		                     "and --audit-permissive");
	return fd;
}
