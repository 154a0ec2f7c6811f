/*
 * killat: ends a process, or spoils a call, at an exact step of a hand-over.
 * Loaded by LD_PRELOAD; obeys only in the process that it is meant for.
 *
 *	KILLAT_COMM	name of the program, as in /proc/self/comm
 *	KILLAT_STEP	send: a sendmsg(2) that carries connections
 *			recv: a recvmsg(2) that brings connections
 *			answer: the next sendmsg(2) on a socket that brought some
 *			read, write: a recv(2), send(2) of KILLAT_BYTES bytes
 *			burst: KILLAT_BYTES sends or more, in one call
 *	KILLAT_NTH	which of them: 1 is the first of this process
 *	KILLAT_WHEN	before, after: the call itself
 *	KILLAT_DO	kill; or -N, the signal N; or an errno, which the call then
 *			fails with; or
 *			ctrunc: the descriptors are lost, as when the receiver has
 *			too many open
 *	KILLAT_MARK	file that is created when it happens; while it exists,
 *			nothing happens again, in no process
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct io_uring;		/* as liburing has it: no header is needed to build this */
int	 io_uring_submit_and_wait(struct io_uring *, unsigned);

#define KILLAT_FDS	1024		/* descriptors watched for an answer */

typedef ssize_t	killat_send(int, const struct msghdr *, int);
typedef ssize_t	killat_recv(int, struct msghdr *, int);

static char	 brought[KILLAT_FDS];	/* 1: descriptors came, no answer yet */
static int	 seen;

static int
killat_is(const char *name, const char *value)
{
	const char	*v = getenv(name);

	return (v != NULL && strcmp(v, value) == 0);
}

static int
killat_meant(void)
{
	static int	 meant = -1;
	char		 comm[64] = "";
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
	/* A program that forks and executes is asked again. */
	if (killat_is("KILLAT_COMM", comm))
		return (meant = 1);
	return (0);
}

/* Descriptors of which the first is a socket: no page of a shard. */
static int
killat_carries(const struct msghdr *m)
{
	struct cmsghdr	*c;
	struct stat	 st;
	int		 fd;

	if (m->msg_controllen < sizeof(*c))
		return (0);
	for (c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			return (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
		}
	return (0);
}

static void
killat_close(struct msghdr *m)
{
	struct cmsghdr	*c;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t	 n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int	 fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
	}
	m->msg_controllen = 0;
}

/* Is this the one?  Then it happens once. */
static int
killat_now(const char *step)
{
	const char	*nth = getenv("KILLAT_NTH"), *mark;
	int		 fd;

	if (!killat_is("KILLAT_STEP", step) || !killat_meant())
		return (0);
	if (++seen != atoi(nth == NULL ? "1" : nth))
		return (0);
	if ((mark = getenv("KILLAT_MARK")) == NULL)
		return (1);
	if ((fd = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600)) == -1)
		return (0);
	close(fd);
	return (1);
}

/* Returns the errno that the call is to fail with; 0 for none. */
static int
killat_act(void)
{
	const char	*what = getenv("KILLAT_DO");

	if (what == NULL || strcmp(what, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (atoi(what) < 0)
		raise(-atoi(what));
	return (atoi(what));
}

static ssize_t
killat_fail(int err)
{
	errno = err;
	return (-1);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static killat_send	*real;
	int			 now, answer = 0, err;
	ssize_t			 n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
	if (fd >= 0 && fd < KILLAT_FDS && brought[fd]) {
		brought[fd] = 0;
		answer = 1;
	}
	now = (answer && killat_now("answer")) ||
	    (killat_carries(m) && killat_now("send"));
	if (now && !killat_is("KILLAT_WHEN", "after") &&
	    (err = killat_act()) != 0)
		return (killat_fail(err));
	n = real(fd, m, flags);
	if (now && killat_is("KILLAT_WHEN", "after"))
		killat_act();
	return (n);
}

/* A call of that many bytes, of which there is only one in the test. */
static int
killat_long(const char *step, size_t len)
{
	const char	*bytes = getenv("KILLAT_BYTES");

	return (bytes != NULL && (size_t)atoi(bytes) == len &&
	    killat_now(step));
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	static ssize_t	(*real)(int, const void *, size_t, int);
	ssize_t		 n;
	int		 now = killat_long("write", len);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "send");
	if (now && !killat_is("KILLAT_WHEN", "after"))
		killat_act();
	n = real(fd, data, len, flags);
	if (now)
		killat_act();
	return (n);
}

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
	static ssize_t	(*real)(int, void *, size_t, int);
	ssize_t		 n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "recv");
	n = real(fd, data, len, flags);
	if (n > 0 && killat_long("read", (size_t)n))
		killat_act();
	return (n);
}

/* liburing's: all sends of a burst. */
int
io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
	static int	(*real)(struct io_uring *, unsigned);
	const char	*least = getenv("KILLAT_BYTES");
	int		 now, rv;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	now = least != NULL && n >= (unsigned)atoi(least) && killat_now("burst");
	if (now && !killat_is("KILLAT_WHEN", "after"))
		killat_act();
	rv = real(ring, n);
	if (now)
		killat_act();
	return (rv);
}

/* Looks at what waits, without taking it. */
static int
killat_waits(killat_recv *real, int fd, const struct msghdr *m)
{
	static char	 data[65536];
	union {
		char		 room[4096];
		struct cmsghdr	 align;
	} control;
	struct iovec	 iov = { data, sizeof(data) };
	struct msghdr	 peek = { 0 };
	int		 carries;

	if (m->msg_controllen == 0)
		return (0);
	peek.msg_iov = &iov;
	peek.msg_iovlen = 1;
	peek.msg_control = control.room;
	peek.msg_controllen = sizeof(control.room);
	if (real(fd, &peek, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return (0);
	carries = killat_carries(&peek);
	killat_close(&peek);
	return (carries);
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	static killat_recv	*real;
	int			 now, err, saved;
	ssize_t			 n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
	if (!killat_meant())
		return (real(fd, m, flags));
	now = killat_is("KILLAT_STEP", "recv") && killat_waits(real, fd, m) &&
	    killat_now("recv");
	if (now && !killat_is("KILLAT_WHEN", "after") &&
	    !killat_is("KILLAT_DO", "ctrunc") && (err = killat_act()) != 0)
		return (killat_fail(err));
	n = real(fd, m, flags);
	saved = errno;
	if (n >= 0 && killat_carries(m) && fd >= 0 && fd < KILLAT_FDS)
		brought[fd] = 1;
	if (now && killat_is("KILLAT_DO", "ctrunc")) {
		killat_close(m);
		m->msg_flags |= MSG_CTRUNC;
	} else if (now && killat_is("KILLAT_WHEN", "after"))
		killat_act();
	errno = saved;
	return (n);
}
