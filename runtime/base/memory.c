#include "base/memory.h"

#include <assert.h>
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

/*
 * Of the linker (end(3), and its script): where the program's text and constants begin, which nobody
 * writes to, and, in the page of the second one, what is written to by relocation at least.
 */
extern const char __executable_start[], __preinit_array_start[];

/*
 * The first instructions of a static berth (configure.ac): before libc relocates it, which writes to
 * each page of tables with pointers, these are mapped in at once, and not page by page, where each
 * costs a fault: a microsecond, and 15 where one virtual machine runs in another. One madvise(2),
 * whose failure changes nothing (before Linux 5.14); all that _start looks at is the stack and rdx.
 */
#ifdef __x86_64__
static_assert(MADV_POPULATE_WRITE == 23, "as below");
__asm__(".pushsection .text\n"
        "\t.globl memory_entry\n"
        "\t.hidden memory_entry\n"
        "\t.type memory_entry, @function\n"
        "memory_entry:\n"
        "\tmov %rdx, %r12\n"
        "\tlea __preinit_array_start(%rip), %rdi\n"
        "\tand $-4096, %rdi\n"
        "\tlea _end(%rip), %rsi\n"
        "\tsub %rdi, %rsi\n"
        "\tmov $23, %edx\n"
        "\tmov $28, %eax\n"
        "\tsyscall\n"
        "\tmov %r12, %rdx\n"
        "\tjmp _start\n"
        "\t.size memory_entry, . - memory_entry\n"
        ".popsection\n");
#endif

__attribute__((noinline)) void memory_settle(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t begin = (uintptr_t)__executable_start & ~(page - 1);
	const uintptr_t end = (uintptr_t)__preinit_array_start & ~(page - 1);
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	(void)malloc_trim(0);
	/* The page below ours holds what this call itself leaves there. */
	(void)madvise((void *)(here - page - STACK_BELOW), STACK_BELOW, MADV_DONTNEED);
	/* Mapped in as it was touched; what is used again comes from the page cache. */
	(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
