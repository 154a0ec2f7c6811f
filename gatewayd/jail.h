/*
 * What a process of ours may no longer do once it is executed.  Programs that
 * talk to clients need none of it; one that was taken over would.
 */
#ifndef GATEWAYD_JAIL_H
#define GATEWAYD_JAIL_H

struct sock_fprog;

/*
 * The filter that answers EPERM to system calls that look into other processes
 * or change the system (seccomp(2)).  The caller's, for jail_free.  NULL with
 * errno; ENOSYS: the kernel has none.
 */
struct sock_fprog *jail_filter(void);
void	 jail_free(struct sock_fprog *filter);

/*
 * For the calling process and all that it executes, for ever: no capabilities,
 * no way to get new ones, and filter, if not NULL, with a landlock domain, where
 * the kernel has them: out of one nobody looks into other processes, of the same
 * user too (/proc/PID/mem, environ, fd), or, from Linux 6.12 on, sends them a
 * signal.  Only system calls, for it runs between fork and exec.  0, or -1 with
 * errno.
 *
 * Root keeps the right to read and search directories: its program and its
 * files may be in one that its owner has closed.
 */
int	 jail_enter(const struct sock_fprog *filter);
/* Does the kernel have them? */
int	 jail_has_domains(void);

#endif
