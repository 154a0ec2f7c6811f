/* A part of a file that a client is to have, sent by the kernel (sendfile(2)). */
#include <sys/sendfile.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/budget.h"
#include "shardd/client/outfile.h"

#define OUTFILE_TURN	(256 << 10)	/* bytes at one go */

struct outfile {
	int		 fd;
	off_t		 at;
	uint64_t	 left;
};

struct outfile *
outfile_new(int fd, uint64_t at, uint64_t len)
{
	struct outfile	*o;

	if ((o = malloc(sizeof(*o))) == NULL)
		return (NULL);
	if ((o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(o);
		return (NULL);
	}
	o->at = (off_t)at;
	o->left = len;
	/* So that what is read next is there when its turn comes. */
	posix_fadvise(o->fd, o->at, (off_t)len, POSIX_FADV_SEQUENTIAL);
	return (o);
}

void
outfile_free(struct outfile *o)
{
	if (o == NULL)
		return;
	close(o->fd);
	free(o);
}

int
outfile_send(struct outfile *o, int sock)
{
	uint64_t	 turn = OUTFILE_TURN;
	size_t		 want;
	ssize_t		 n;

	while (o->left > 0 && turn > 0) {
		want = o->left < turn ? (size_t)o->left : (size_t)turn;
		n = sendfile(sock, o->fd, &o->at, want);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (errno == EAGAIN ? 1 : -1);
		if (n == 0) {
			errno = ENODATA;
			return (-1);
		}
		budget_bytes((uint64_t)n);
		o->left -= (uint64_t)n;
		turn -= (uint64_t)n;
	}
	return (o->left > 0);
}
