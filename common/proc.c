/* What every daemon does once. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/proc.h"
#include "common/sanitized.h"

#define PROC_SIGNALS_MAX	8
#define PROC_EXITING		0x4	/* the kernel's PF_EXITING */

struct proc_signals {
	proc_signal_cb	*cb;
	void		*arg;
	struct event	*events[PROC_SIGNALS_MAX];
	size_t		 nevents;
};

static void
proc_signal_event_cb(evutil_socket_t signo, short what, void *arg)
{
	struct proc_signals	*s = arg;

	(void)what;
	s->cb((int)signo, s->arg);
}

struct proc_signals *
proc_signals_new(struct event_base *base, const int *signos,
    proc_signal_cb *cb, void *arg)
{
	struct proc_signals	*s;
	struct event		*ev;

	signal(SIGPIPE, SIG_IGN);
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->cb = cb;
	s->arg = arg;
	for (; *signos != 0 && s->nevents < PROC_SIGNALS_MAX; signos++) {
		ev = evsignal_new(base, *signos, proc_signal_event_cb, s);
		if (ev == NULL || event_add(ev, NULL) == -1) {
			if (ev != NULL)
				event_free(ev);
			proc_signals_free(s);
			errno = ENOMEM;
			return (NULL);
		}
		s->events[s->nevents++] = ev;
	}
	return (s);
}

void
proc_signals_free(struct proc_signals *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nevents; i++)
		event_free(s->events[i]);
	free(s);
}

void
proc_signals_ignore(void)
{
	static const int	 idle[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2,
				    SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR,
				    SIGSTKFLT, SIGXFSZ };
	struct sigaction	 now;
	int			 signo;

	for (size_t i = 0; i < nitems(idle) + (size_t)(SIGRTMAX - SIGRTMIN) + 1;
	    i++) {
		signo = i < nitems(idle) ? idle[i] :
		    SIGRTMIN + (int)(i - nitems(idle));
		if (sigaction(signo, NULL, &now) == 0 &&
		    (now.sa_flags & SA_SIGINFO) == 0 &&
		    now.sa_handler == SIG_DFL)
			signal(signo, SIG_IGN);
	}
}

/* Without a change of errno. */
static void
proc_close(int fd)
{
	int	 keep = errno;

	close(fd);
	errno = keep;
}

/*
 * The directory name in at, made if it is missing, as an O_PATH descriptor.  A
 * link leads on if it is root's, ours or that user's.  -1 with errno.
 */
static int
proc_dir_enter(int at, const char *name, uid_t uid)
{
	struct stat	 st;
	int		 link;

	if (mkdirat(at, name, 0755) == -1 && errno != EEXIST &&
	    errno != EROFS && errno != EACCES)
		return (-1);
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return (-1);
	link = S_ISLNK(st.st_mode);
	if (link && st.st_uid != 0 && st.st_uid != geteuid() &&
	    st.st_uid != uid) {
		errno = ELOOP;
		return (-1);
	}
	return (openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC |
	    (link ? 0 : O_NOFOLLOW)));
}

/* The same for the last name, with mode 0700 and for that user; no link. */
static int
proc_dir_last(int at, const char *name, uid_t uid, gid_t gid)
{
	struct stat	 st;
	int		 made;

	if (!(made = mkdirat(at, name, 0700) == 0) && errno != EEXIST)
		return (-1);
	if (made && uid != geteuid() &&
	    fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW) == -1)
		return (-1);
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return (-1);
	if (S_ISLNK(st.st_mode)) {
		errno = ELOOP;
		return (-1);
	}
	return (openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC));
}

int
proc_dir(const char *dir, uid_t uid, gid_t gid)
{
	char		 path[PATH_MAX], *rest = path, *name, *next;
	struct stat	 st;
	int		 at, fd, r;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	at = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (name = strtok_r(path, "/", &rest); at != -1 && name != NULL;
	    name = next) {
		next = strtok_r(NULL, "/", &rest);
		fd = next != NULL ? proc_dir_enter(at, name, uid) :
		    proc_dir_last(at, name, uid, gid);
		proc_close(at);
		at = fd;
	}
	if (at == -1)
		return (-1);
	r = fstat(at, &st);
	proc_close(at);
	if (r == 0 && (st.st_uid != uid || (st.st_mode & 077) != 0)) {
		errno = EPERM;
		return (-1);
	}
	return (r);
}

int
proc_dir_open(const char *dir)
{
	struct stat	 st;
	int		 fd;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return (-1);
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & 077) == 0)
		return (fd);
	close(fd);
	errno = EPERM;
	return (-1);
}

int
proc_become(const char *name, uid_t uid, gid_t gid)
{
	uid_t	 r, e, s;

	if (geteuid() == uid)
		return (0);
	for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
		;
	if (initgroups(name, gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1 || getresuid(&r, &e, &s) == -1)
		return (-1);
	if (r != uid || e != uid || s != uid || setuid(0) == 0) {
		errno = EPERM;
		return (-1);
	}
	return (0);
}

int
proc_open_to_debuggers(int yes)
{
	struct rlimit	 r;

	if (prctl(PR_SET_DUMPABLE, yes || SANITIZED, 0, 0, 0) == -1)
		return (-1);
	if (!yes || getrlimit(RLIMIT_CORE, &r) == -1)
		return (0);
	r.rlim_cur = r.rlim_max;
	return (setrlimit(RLIMIT_CORE, &r));
}

int
proc_lock(const char *path, int cloexec, pid_t *holder)
{
	struct flock	 lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int		 fd, keep;

again:
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW |
	    (cloexec ? O_CLOEXEC : 0), 0600);
	if (fd == -1)
		return (-1);
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		if (proc_lock_is(fd, path))
			return (fd);
		/* Whoever had it has removed the file and ended just then. */
		close(fd);
		goto again;
	}
	keep = errno == EACCES ? EAGAIN : errno;
	if (keep == EAGAIN && holder != NULL) {
		lock.l_type = F_WRLCK;
		*holder = fcntl(fd, F_GETLK, &lock) == 0 &&
		    lock.l_type != F_UNLCK ? lock.l_pid : 0;
	}
	close(fd);
	errno = keep;
	return (-1);
}

int
proc_lock_is(int fd, const char *path)
{
	struct stat	 held, there;

	return (fstat(fd, &held) == 0 && stat(path, &there) == 0 &&
	    held.st_dev == there.st_dev && held.st_ino == there.st_ino);
}

pid_t
proc_lock_holder(const char *path)
{
	struct flock	 lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int		 fd, r, keep;

	if ((fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return (errno == ENOENT ? 0 : -1);
	r = fcntl(fd, F_GETLK, &lock);
	keep = errno;
	close(fd);
	errno = keep;
	if (r == -1)
		return (-1);
	return (lock.l_type == F_UNLCK ? 0 : lock.l_pid);
}

size_t
proc_nofile(void)
{
	struct rlimit	 r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return (1024);
	if (r.rlim_cur != r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
		getrlimit(RLIMIT_NOFILE, &r);
	}
	return (r.rlim_cur > INT_MAX ? INT_MAX : (size_t)r.rlim_cur);
}

/* Only system calls: it runs between fork and exec. */
void
proc_close_from(int from)
{
	struct rlimit	 r;

	if (close_range((unsigned)from, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur > 1 << 20)
		r.rlim_cur = 1 << 20;
	for (int fd = from; fd < (int)r.rlim_cur; fd++)
		close(fd);
}

void
proc_notify(const char *state)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	const char		*path = getenv("NOTIFY_SOCKET");
	int			 fd;

	if (path == NULL || (*path != '/' && *path != '@') ||
	    strlen(path) >= sizeof(un.sun_path))
		return;
	memcpy(un.sun_path, path, strlen(path));
	if (*path == '@')
		un.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

int
proc_listen_fds(char **names)
{
	const char	*pid = getenv("LISTEN_PID");
	const char	*fds = getenv("LISTEN_FDS");
	const char	*said = getenv("LISTEN_FDNAMES");
	uint64_t	 p, n = 0;

	if (pid == NULL || fds == NULL ||
	    slice_u64(slice_str(pid), INT_MAX, &p) == -1 ||
	    slice_u64(slice_str(fds), 64, &n) == -1 || (pid_t)p != getpid())
		n = 0;
	for (int fd = 3; fd < 3 + (int)n; fd++) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	*names = n == 0 || said == NULL ? NULL : strdup(said);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ((int)n);
}

/* What a file of /proc says, terminated: 0, or -1. */
static int
proc_read(const char *path, char *dst, size_t size)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t	 n;

	if (fd == -1)
		return (-1);
	n = read(fd, dst, size - 1);
	close(fd);
	dst[n < 0 ? 0 : n] = '\0';
	return (n < 0 ? -1 : 0);
}

/* Is it about to end, as the kernel's flags say (proc(5), stat)?  -1: not known. */
static int
proc_ending(pid_t pid)
{
	char		 path[32], text[1024], *at;
	unsigned	 flags;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (proc_read(path, text, sizeof(text)) == -1 ||
	    (at = strrchr(text, ')')) == NULL ||	/* its name may have any */
	    sscanf(at, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return (-1);
	return ((flags & PROC_EXITING) != 0);
}

int
proc_ended(int pidfd, pid_t pid, int ms)
{
	struct pollfd	 p = { .fd = pidfd, .events = POLLIN };
	int		 ending;

	if (poll(&p, 1, 0) == 1 || (ending = proc_ending(pid)) == 1)
		return (1);
	/* Perhaps it has just ended, and pid is another's. */
	return (poll(&p, 1, ending == -1 ? ms : 0) == 1);
}

int
proc_exe_dir(char *dst, size_t size)
{
	ssize_t	 n;
	char	*slash;

	if ((n = readlink("/proc/self/exe", dst, size)) == -1)
		return (-1);
	if ((size_t)n >= size) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	dst[n] = '\0';
	if ((slash = strrchr(dst, '/')) != NULL)
		slash[slash == dst] = '\0';
	return (0);
}
