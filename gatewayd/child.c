/* One process of ours. */
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "common/proc.h"
#include "gatewayd/child.h"
#include "gatewayd/jail.h"

#define CHILD_LOCK	3		/* where it finds its lock */
#define CHILD_REPORT	4		/* closed by exec, else says why not */
#define CHILD_PROGRAM	5		/* what is executed */

struct child_fault {
	int	 error;
	pid_t	 holder;
};

struct child {			/* not ended, or nobody asked how yet */
	struct list	 at;
	pid_t		 pid;
	int		 reaped, status;
};

static struct list	 children = { &children, &children };
static int		 child_is_first;

static struct child	*child_find(pid_t, int);

static void	 child_run(const char *, int, char *const *, const char *,
		    const struct sock_fprog *, int)
		    __attribute__((noreturn));

static int
child_schedule(int policy)
{
	const struct sched_param	 none = { 0 };

	return (sched_setscheduler(0, policy, &none));
}

void
child_first(void)
{
	if (sched_getscheduler(0) == SCHED_OTHER)
		child_is_first = child_schedule(SCHED_BATCH) == 0;
}

pid_t
child_spawn(const char *path, int program, char *const *argv,
    const char *lock_path, const struct sock_fprog *filter, int *pidfd,
    pid_t *holder)
{
	struct child_fault	 fault = { 0, 0 };
	struct child		*c;
	sigset_t		 all, before;
	ssize_t			 n;
	pid_t			 pid;
	int			 report[2], save;

	*holder = 0;
	*pidfd = -1;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-1);
	if (pipe2(report, O_CLOEXEC) == -1) {
		free(c);
		return (-1);
	}
	/* Our handlers must not run in the child: they write to our pipe. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if ((pid = fork()) == 0)
		child_run(path, program, argv, lock_path, filter, report[1]);
	save = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(report[1]);
	if (pid == -1) {
		close(report[0]);
		free(c);
		errno = save;
		return (-1);
	}
	do
		n = read(report[0], &fault, sizeof(fault));
	while (n == -1 && errno == EINTR);
	close(report[0]);
	if (n != sizeof(fault) && (*pidfd = pidfd_open(pid, 0)) != -1) {
		c->pid = pid;
		list_push(&children, &c->at);
		return (pid);
	}
	if (n != sizeof(fault)) {
		fault.error = errno;
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	free(c);
	*holder = fault.holder;
	errno = fault.error;
	return (-1);
}

int
child_watch(pid_t pid)
{
	return (pidfd_open(pid, 0));
}

void
child_kill(int pidfd, int signo)
{
	if (pidfd != -1)
		(void)pidfd_send_signal(pidfd, signo, NULL, 0);
}

char *
child_ended(char *dst, size_t size, pid_t pid)
{
	struct child	*c = child_find(pid, 0);
	int		 status = 0;
	pid_t		 r = pid;

	if (c != NULL && c->reaped)
		status = c->status;
	else do
		r = waitpid(pid, &status, WNOHANG);
	while (r == -1 && errno == EINTR);
	if (c != NULL) {
		list_remove(&c->at);
		free(c);
	}
	if (r != pid)
		snprintf(dst, size, "status=?");
	else if (WIFSIGNALED(status))
		snprintf(dst, size, "signal=%d", WTERMSIG(status));
	else
		snprintf(dst, size, "status=%d", WEXITSTATUS(status));
	return (dst);
}

void
child_reap(void)
{
	struct child	*c;
	int		 status;
	pid_t		 pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0 ||
	    (pid == -1 && errno == EINTR))
		if (pid > 0 && (c = child_find(pid, 1)) != NULL) {
			c->reaped = 1;
			c->status = status;
		}
}

int
child_possible(void)
{
	int	 fd = pidfd_open(getpid(), 0), rc, keep;

	if (fd == -1)
		return (-1);
	rc = pidfd_send_signal(fd, 0, NULL, 0);
	keep = errno;
	close(fd);
	errno = keep;
	return (rc);
}

/* The oldest of this pid, or the one that lives. */
static struct child *
child_find(pid_t pid, int alive)
{
	struct list	*e, *tmp;
	struct child	*c;

	list_each(e, tmp, &children) {
		c = list_entry(e, struct child, at);
		if (c->pid == pid && !(alive && c->reaped))
			return (c);
	}
	return (NULL);
}

/*
 * Execute what is open as CHILD_PROGRAM: by its path, if that still leads to it, for
 * then it finds itself under its name; else by the descriptor, which an interpreter
 * has to find open.  Returns when it failed.
 */
static void
child_exec(const char *path, char *const *argv)
{
	struct stat	 mine, there;

	if (fstat(CHILD_PROGRAM, &mine) == -1)
		return;
	if (stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
	    mine.st_ino == there.st_ino)
		execv(path, argv);
	(void)syscall(SYS_execveat, CHILD_PROGRAM, "", argv, environ,
	    AT_EMPTY_PATH);
	/* A script finds nothing behind a descriptor that exec has closed. */
	if (errno == ENOENT && fcntl(CHILD_PROGRAM, F_SETFD, 0) == 0)
		(void)syscall(SYS_execveat, CHILD_PROGRAM, "", argv, environ,
		    AT_EMPTY_PATH);
}

/* Between fork and exec: system calls only.  All signals are blocked. */
static void
child_run(const char *path, int program, char *const *argv, const char *lock_path,
    const struct sock_fprog *filter, int report)
{
	struct child_fault	 fault = { 0, 0 };
	struct sigaction	 dfl;
	sigset_t		 none;
	int			 fd;

	memset(&dfl, 0, sizeof(dfl));
	dfl.sa_handler = SIG_DFL;
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &dfl, NULL);
	setpgid(0, 0);
	if (child_is_first && child_schedule(SCHED_OTHER) == -1)
		goto fail;

	if ((fd = open("/dev/null", O_RDWR)) == -1)
		goto fail;
	if (fd != 0 && dup2(fd, 0) == -1)
		goto fail;
	if (program != -1 && (program = fcntl(program, F_DUPFD_CLOEXEC,
	    CHILD_PROGRAM + 1)) == -1)
		goto fail;
	if (report != CHILD_REPORT &&
	    (report = dup3(report, CHILD_REPORT, O_CLOEXEC)) == -1)
		goto fail;
	if (program != -1 &&
	    dup3(program, CHILD_PROGRAM, O_CLOEXEC) == -1)
		goto fail;
	close(CHILD_LOCK);
	proc_close_from(CHILD_REPORT + 1 + (program != -1));
	/* Opened last and never moved: to close a copy is to lose the lock. */
	if (lock_path != NULL && (fd = proc_lock(lock_path, 0,
	    &fault.holder)) != CHILD_LOCK) {
		if (fd != -1)
			errno = EBADF;
		goto fail;
	}
	if (jail_enter(filter) == -1)
		goto fail;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (program == -1)
		execv(path, argv);
	else
		child_exec(path, argv);
fail:
	fault.error = errno;
	(void)!write(report, &fault, sizeof(fault));
	_exit(127);
}
