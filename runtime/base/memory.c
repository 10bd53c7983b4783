#include "base/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Less than the gap that the kernel keeps below a stack (256 pages, stack_guard_gap in its
 * admin-guide/kernel-parameters), so that nothing else lies there. Parts that are not mapped are
 * passed over (madvise(2), ENOMEM).
 */
#define STACK_BELOW (512 * 1024)

/* Of the linker (end(3)): the program's own text, which nobody writes to. */
extern const char __executable_start[], etext[];

__attribute__((noinline)) void memory_settle(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t begin = (uintptr_t)__executable_start & ~(page - 1);
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	(void)malloc_trim(0);
	/* The page below ours holds what this call itself leaves there. */
	(void)madvise((void *)(here - page - STACK_BELOW), STACK_BELOW, MADV_DONTNEED);
	/* Mapped in as it was touched; what is used again comes from the page cache. */
	(void)madvise((void *)begin, (uintptr_t)etext - begin, MADV_DONTNEED);
}
