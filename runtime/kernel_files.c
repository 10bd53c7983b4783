#include "kernel_files.h"

#include <errno.h>
#include <string.h>

#include "base/nearest.h"

/* clang-format off */
const struct kernel_file kernel_files[KERNEL_FILES_N] = {
	{ "/proc/kcore",         COVER_FILE,      "the node's memory" },
	{ "/proc/keys",          COVER_FILE,      "keyrings of others" },
	{ "/proc/latency_stats", COVER_FILE,      "what the node is busy with" },
	{ "/proc/timer_list",    COVER_FILE,      "kernel addresses and processes of others" },
	{ "/proc/sched_debug",   COVER_FILE,      "processes of others" },
	{ "/proc/interrupts",    COVER_FILE,      "keystroke and packet timing of the node" },
	{ "/proc/acpi",          COVER_DIRECTORY, "the node's hardware" },
	{ "/proc/asound",        COVER_DIRECTORY, "the node's hardware" },
	{ "/proc/scsi",          COVER_DIRECTORY, "the node's hardware" },
	{ "/proc/bus",           COVER_READ_ONLY, "the node's hardware" },
	{ "/proc/fs",            COVER_READ_ONLY, "knobs of the node's file systems" },
	{ "/proc/irq",           COVER_READ_ONLY, "the node's interrupt routing" },
	{ "/proc/sysrq-trigger", COVER_READ_ONLY, "reboots the node" },
	{ "/sys/firmware",       COVER_DIRECTORY, "the node's firmware tables" },
	{ "/sys/devices/virtual/powercap", COVER_DIRECTORY, "power readings leak what others compute" },
	/* systemd would mount these and fail; an empty mount there skips the units. */
	{ "/sys/kernel/debug",   COVER_DIRECTORY, "sys-kernel-debug.mount would fail" },
	{ "/sys/kernel/tracing", COVER_DIRECTORY, "sys-kernel-tracing.mount would fail" },
	{ "/sys/kernel/config",  COVER_DIRECTORY, "sys-kernel-config.mount would fail" },
};
/* clang-format on */

int kernel_files_parse(const char *text, uint64_t *ret, struct err *err)
{
	struct nearest near;

	if (!strcmp(text, "all")) {
		*ret |= KERNEL_FILES_ALL;
		return 0;
	}
	nearest_begin(&near, text);
	for (size_t i = 0; i < KERNEL_FILES_N; i++) {
		if (!strcmp(kernel_files[i].path, text)) {
			*ret |= UINT64_C(1) << i;
			return 0;
		}
		nearest_try(&near, kernel_files[i].path);
	}
	(void)err_set(err, EINVAL, "'%s' is no file that is covered%s%s%s", text,
	              near.ret ? ", did you mean '" : "", near.ret ? near.ret : "",
	              near.ret ? "'?" : "");
	return err_hint(err, "'berth plan' shows those that are; all is all of them");
}
