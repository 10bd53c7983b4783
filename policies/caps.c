#include "policies/caps.h"

#include <errno.h>
#include <sys/capability.h>

int caps_keep_only(const int *keep, size_t n, struct err *err)
{
	cap_t caps = cap_init();
	int r = 0;

	if (!caps)
		return err_set(err, ENOMEM, "drop capabilities");
	if (n > 0 && (cap_set_flag(caps, CAP_PERMITTED, (int)n, keep, CAP_SET) < 0 ||
	              cap_set_flag(caps, CAP_EFFECTIVE, (int)n, keep, CAP_SET) < 0))
		r = err_set(err, errno, "choose capabilities");
	if (r == 0 && cap_set_proc(caps) < 0)
		r = err_set(err, errno, "drop capabilities");
	(void)cap_free(caps);
	return r;
}
