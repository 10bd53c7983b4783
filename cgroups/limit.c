#include "cgroups/limit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

int cgroup_limit(int dir, const char *path, enum knob knob, const char *value,
                 struct err *err)
{
	/* What is in force may be less than what was written (cgroup-v2.rst). */
	const char *const suffix[] = { "", ".effective" };
	const size_t n = knob_info[knob].kind == KNOB_CPU_LIST ? 2 : 1;
	char shown[4096], name[512];

	if (file_write(dir, path, value, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		if (file_read(dir, name, shown, sizeof(shown), err) < 0)
			return -err->code;
		if (!knob_holds(knob, value, shown))
			return err_set(err, EOPNOTSUPP,
			               "'%s' was written to '%s', and it says '%.*s'",
			               value, name, (int)strcspn(shown, "\n"), shown);
	}
	return 0;
}
