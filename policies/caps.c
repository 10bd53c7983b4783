#include "policies/caps.h"

#include <errno.h>
#include <sys/capability.h>

int caps_drop_all(struct err *err)
{
	cap_t none = cap_init();
	int r = 0;

	if (!none)
		return err_set(err, ENOMEM, "drop capabilities");
	if (cap_set_proc(none) < 0)
		r = err_set(err, errno, "drop capabilities");
	(void)cap_free(none);
	return r;
}
