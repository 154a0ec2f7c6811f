/*
 * One process of ours: a shard, the private redis-server.  Started with nothing
 * but the descriptors meant for it, watched and killed by its pidfd, so that a
 * reused pid never suffers.
 */
#ifndef GATEWAYD_CHILD_H
#define GATEWAYD_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct sock_fprog;

/*
 * Let those who run go on when we wake (SCHED_BATCH, sched(7)): a newcomer does
 * not interrupt the shard that serves others, and more are taken at a time.
 * Children are scheduled as we were before.  Nothing happens if somebody has
 * chosen a policy for us, or the system does not allow it.
 */
void	 child_first(void);
/*
 * Start path with argv; of the file that is open as `program` (-1: none), also when
 * path leads to another one by now, or nowhere.  A script is then read from
 * descriptor 5, which it inherits.  Its standard input is /dev/null, output and error are
 * ours; descriptor 3 is lock_path (NULL: closed), created and locked by the new
 * process itself, which holds the lock until it ends; no other descriptor is
 * open.  Signals are as on a fresh process; it has a process group of its own,
 * and what jail.h leaves it; filter (borrowed) may be NULL.
 *
 * Returns its pid and a pidfd (the caller's), or -1 with errno: EAGAIN with
 * *holder not 0 (that process has the lock), or why it could not be forked or
 * executed.  Returns only when it has been executed.
 */
pid_t	 child_spawn(const char *path, int program, char *const *argv,
	    const char *lock_path, const struct sock_fprog *filter,
	    int *pidfd, pid_t *holder);
/* SIGCHLD: how those have ended is kept for child_ended(); whoever else has become
 * our child, for we are process 1 or were executed by a parent, is buried. */
void	 child_reap(void);
/* Can processes be watched here?  0, or -1 with errno (ENOSYS, EPERM). */
int	 child_possible(void);
/* Watch a process that is not our child.  The pidfd, or -1 with errno. */
int	 child_watch(pid_t pid);
void	 child_kill(int pidfd, int signo);	/* pidfd may be -1 */
/* A process has ended.  How, as "signal=9" or "status=1", into dst; "status=?" of one
 * that was not our child.  Reaps it. */
char	*child_ended(char *dst, size_t size, pid_t pid);

#endif
