/* How much was written to a TCP socket. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

#include <errno.h>
#include <stddef.h>

#include "common/written.h"

#define WRITTEN_LOOKS	8	/* acknowledgements may come between two calls */

/* Bytes that its peer has acknowledged.  0, or -1 with errno. */
static int
written_acked(int fd, uint64_t *n)
{
	struct tcp_info	 info = { 0 };
	socklen_t	 len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return (-1);
	if (len < offsetof(struct tcp_info, tcpi_bytes_acked) +
	    sizeof(info.tcpi_bytes_acked)) {
		errno = EOPNOTSUPP;
		return (-1);
	}
	*n = info.tcpi_bytes_acked;
	return (0);
}

int
written_total(int fd, uint32_t *n)
{
	uint64_t	 acked;
	int		 before, after;

	if (ioctl(fd, SIOCOUTQ, &before) == -1)
		return (-1);
	for (int i = 0; i < WRITTEN_LOOKS; i++) {
		if (written_acked(fd, &acked) == -1)
			return (-1);
		/* Nothing waits: nothing is acknowledged any more. */
		after = before;
		if (before != 0 && ioctl(fd, SIOCOUTQ, &after) == -1)
			return (-1);
		if (after == before) {
			*n = (uint32_t)acked + (uint32_t)after;
			return (0);
		}
		before = after;
	}
	errno = EAGAIN;
	return (-1);
}
