/* One packet with descriptors across a Unix SOCK_SEQPACKET socket. */
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/fdpass.h"

union fdpass_control {
	struct cmsghdr	 align;
	char		 buf[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
};

int
fdpass_send(int sock, const int *fds, size_t n, const void *buf, size_t len)
{
	union fdpass_control	 control;
	struct iovec		 iov = { (void *)(uintptr_t)buf, len };
	struct msghdr		 m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr		*c;
	ssize_t			 w;

	if (len == 0 || n > FDPASS_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (n > 0) {
		memset(&control, 0, CMSG_SPACE(sizeof(int) * n));
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		w = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (w == -1 && errno == EINTR);
	return (w == -1 ? -1 : 0);
}

ssize_t
fdpass_recv(int sock, int *fds, size_t *n, void *buf, size_t size, int *cut)
{
	union fdpass_control	 control;
	struct iovec		 iov = { buf, size };
	struct msghdr		 m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr		*c;
	ssize_t			 r;

	*n = 0;
	*cut = 0;
	m.msg_control = control.buf;
	m.msg_controllen = sizeof(control.buf);
	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return (-1);
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		size_t	 k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + *n, CMSG_DATA(c), k * sizeof(int));
		*n += k;
	}
	*cut = (m.msg_flags & MSG_CTRUNC) != 0;
	/* An empty packet reads as the end: nobody would take what it has. */
	if (r == 0 || (m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0)
		while (*n > 0)
			close(fds[--*n]);
	if (m.msg_flags & MSG_TRUNC) {
		errno = EMSGSIZE;
		return (-1);
	}
	return (r);
}
