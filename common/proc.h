/* What every daemon does once: signals through the loop, descriptors, dirs. */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stddef.h>
#include <sys/types.h>

struct event_base;
struct proc_signals;

typedef void	proc_signal_cb(int signo, void *arg);

/* Deliver these signals (0-terminated list) through the loop; SIGPIPE is
 * ignored.  NULL with errno. */
struct proc_signals *proc_signals_new(struct event_base *base,
	    const int *signos, proc_signal_cb *cb, void *arg);
void	 proc_signals_free(struct proc_signals *s);
/* Signals that mean nothing to a daemon, but would end it (HUP of a terminal or of
 * an orphaned process group, USR1, timers, real time ...), are ignored, unless
 * somebody handles them already.  First thing in main(). */
void	 proc_signals_ignore(void);

/*
 * Make dir (and parents) with mode 0700 for that user and check that dir
 * belongs to the user and is not open to others.  0, or -1 with errno: EPERM (wrong owner or mode), ELOOP
 * (dir is a symbolic link, or behind one of another user).
 */
int	 proc_dir(const char *dir, uid_t uid, gid_t gid);
/* Such a directory of our own, for openat and unlinkat: a descriptor, or -1 with
 * errno, if the directory has been replaced meanwhile (EPERM, ELOOP, ENOTDIR). */
int	 proc_dir_open(const char *dir);
/* Be that user, known as name, for good and without capabilities; of no effect
 * in a process that is that user.  0, or -1 with errno, and then to go on would be wrong. */
int	 proc_become(const char *name, uid_t uid, gid_t gid);
/*
 * May others of this user look at this process (its memory, environment and
 * descriptors), and does it leave a core file?  With 0 only root may (prctl(2),
 * PR_SET_DUMPABLE), and its files in /proc are root's; with 1 the limit on core
 * files is raised, too.  exec and proc_become() undo it.  Sanitized builds always
 * are open.  0, or -1 with errno.
 */
int	 proc_open_to_debuggers(int yes);
/*
 * Exclusive lock on path (created 0600) for this process's life: fcntl(2)
 * record lock, which exec keeps and death releases, and whose holder can be
 * asked for.  Returns the descriptor (keep it; close-on-exec if cloexec), or
 * -1: EAGAIN (held: *holder is its pid, if not NULL), others.  The file is there
 * then; a process that ends may remove it while the lock is held.
 */
int	 proc_lock(const char *path, int cloexec, pid_t *holder);
/* Is fd the file at path?  To be asked before the file of a lock is removed. */
int	 proc_lock_is(int fd, const char *path);
/* The pid of the process that holds the lock on path; 0: none; -1 with errno.  Never for
 * a lock of our own: asking would release it (fcntl(2)). */
pid_t	 proc_lock_holder(const char *path);
/* Soft RLIMIT_NOFILE raised to the hard one; returns it. */
size_t	 proc_nofile(void);
/* Close every descriptor >= from (close_range(2) or by /proc). */
void	 proc_close_from(int from);
/* sd_notify(3) without the library: no-op unless $NOTIFY_SOCKET is set. */
void	 proc_notify(const char *state);
/* sd_listen_fds_with_names(3): number of descriptors passed, from 3 on; 0 if none.
 * *names: as LISTEN_FDNAMES has them, with colons between; malloc'd, or NULL.  The
 * variables are unset and the descriptors made close-on-exec, non-blocking. */
int	 proc_listen_fds(char **names);
/*
 * Has that process (pidfd, pid) ended?  Or does it, so that it will never do anything
 * any more: its sockets are closed one after another before it counts as dead, which
 * takes long where there are very many.  Where /proc cannot be read, it gets so many
 * ms to count as dead; else this does not wait.
 */
int	 proc_ended(int pidfd, pid_t pid, int ms);
/* Directory of the running executable, into dst: 0 or -1 with errno. */
int	 proc_exe_dir(char *dst, size_t size);

#endif
