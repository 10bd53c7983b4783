#include "policies/caps.h"

#include <errno.h>
#include <sys/capability.h>

int caps_keep_only(const int *keep, size_t n, struct err *err)
{
	cap_t caps = cap_init(), now = cap_get_proc();
	int r = 0;

	if (!caps || !now)
		r = err_set(err, errno, "look at our capabilities");
	for (size_t i = 0; i < n && r == 0; i++) {
		cap_flag_value_t had = CAP_CLEAR;

		if (cap_get_flag(now, keep[i], CAP_PERMITTED, &had) < 0 ||
		    cap_set_flag(caps, CAP_PERMITTED, 1, &keep[i], had) < 0 ||
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &keep[i], had) < 0)
			r = err_set(err, errno, "choose capability %d", keep[i]);
	}
	if (r == 0 && cap_set_proc(caps) < 0)
		r = err_set(err, errno, "drop capabilities");
	(void)cap_free(caps);
	(void)cap_free(now);
	return r;
}
