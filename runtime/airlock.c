#include "airlock.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal.h"

/* The program, as the linker left it: see Makefile.am. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "airlock_begin:\n"
        "\t.incbin \"runtime/airlock\"\n"
        "airlock_end:\n"
        ".previous\n");
extern const char airlock_begin[] __attribute__((visibility("hidden")));
extern const char airlock_end[] __attribute__((visibility("hidden")));

int airlock_open(struct err *err)
{
	cleanup_close int copy = seal_new(err);
	size_t size = (size_t)(airlock_end - airlock_begin);
	ssize_t n;

	if (copy < 0)
		return copy;
	n = write(copy, airlock_begin, size);
	if (n != (ssize_t)size)
		return err_set(err, n < 0 ? errno : EIO, "write the airlock to memory");
	if (seal_close(copy, err) < 0)
		return -err->code;
	return take_fd(&copy);
}
