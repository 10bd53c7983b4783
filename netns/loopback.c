#include "netns/loopback.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

int loopback_up(struct err *err)
{
	cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (sock < 0)
		return err_set(err, errno, "make a socket");
	if (ioctl(sock, SIOCSIFFLAGS, &lo) < 0)
		return err_set(err, errno, "bring up 'lo'");
	return 0;
}
