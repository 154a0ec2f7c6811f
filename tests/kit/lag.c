/*
 * lag: a shard that sends a connection to another one stands still for a moment before it
 * does, so that much is said to the group while the connection is on its way.  Loaded by
 * LD_PRELOAD.
 *
 *	LAG_COMM	name of the program, as in /proc/self/comm
 *	LAG_MS		so long, at most
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef ssize_t	lag_send(int, const struct msghdr *, int);

/* Is this the process that is meant? */
static int
lag_meant(void)
{
	static int	 meant = -1;
	char		 comm[64] = "";
	const char	*name = getenv("LAG_COMM");
	ssize_t		 n = -1;
	int		 fd;

	if (meant != -1)
		return (meant);
	if ((fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC)) != -1) {
		n = read(fd, comm, sizeof(comm) - 1);
		close(fd);
	}
	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = '\0';
	return (meant = name != NULL && strcmp(comm, name) == 0);
}

/* Descriptors of which the first is a socket. */
static int
lag_carries(const struct msghdr *m)
{
	struct cmsghdr	*c;
	struct stat	 st;
	int		 fd;

	if (m->msg_controllen < sizeof(*c))
		return (0);
	c = CMSG_FIRSTHDR(m);
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return (0);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
}

ssize_t
sendmsg(int sock, const struct msghdr *m, int flags)
{
	static lag_send	*real;
	const char	*ms = getenv("LAG_MS");
	struct timespec	 wait = { 0, 0 };

	if (real == NULL)
		real = (lag_send *)(uintptr_t)dlsym(RTLD_NEXT, "sendmsg");
	if (lag_carries(m) && lag_meant() && ms != NULL) {
		wait.tv_nsec = random() % (atol(ms) * 1000000 + 1);
		nanosleep(&wait, NULL);
	}
	return (real(sock, m, flags));
}
