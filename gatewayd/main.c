/* gatewayd: flags and the start, on one screen. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/proc.h"
#include "gatewayd/child.h"
#include "gatewayd/configuration.h"
#include "gatewayd/gateway.h"
#include "gatewayd/heritage.h"
#include "gatewayd/parts.h"
#include "gatewayd/paths.h"

static void	 main_streams(void);
static void	 main_dir(const struct settings *, const char *what,
		    const char *flag, const char *dir);
static void	 main_state_dir(struct settings *, int);
static char	*main_lock_as_user(const struct settings *);
static char	*main_lock(const char *run_dir);

int
main(int argc, char **argv)
{
	static struct gateway	 g;
	char			*lock;
	int			 status;

	heritage_remember(argv);
	memory_steady();
	main_streams();
	proc_signals_ignore();
	configuration_load(&g.settings, argc, argv);
	log_init("gatewayd", g.settings.log_level);
	log_format_set(g.settings.log_format);
	if (proc_open_to_debuggers(g.settings.core) == -1)
		fatal("core");
	proc_nofile();
	if (child_possible() == -1)
		fatalx("processes cannot be watched here: pidfd_open or "
		    "pidfd_send_signal: %s; it takes Linux 5.3, and a container "
		    "or sandbox that allows them (Docker 20.10.1, containerd "
		    "1.5, or a seccomp profile with these two calls)",
		    strerror(errno));
	main_dir(&g.settings, "run", "--run-dir", g.settings.run_dir);
	if (strcmp(g.settings.redis, "auto") == 0)
		main_state_dir(&g.settings, 1);
	else if (strcmp(g.settings.redis, "none") != 0)
		/* For a token; the registry says what it means without one. */
		main_state_dir(&g.settings, 0);
	lock = main_lock_as_user(&g.settings);
	child_first();
	status = gateway_run(&g);
	unlink(lock);
	free(lock);
	settings_free(&g.settings);
	return (status);
}

/* 0 to 2 are open, so that nothing else ever is one of them. */
static void
main_streams(void)
{
	int	 fd;

	while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
		;
	if (fd != -1)
		close(fd);
}

/* Make a directory that is ours alone, or say what is in the way. */
static void
main_dir(const struct settings *s, const char *what, const char *flag,
    const char *dir)
{
	if (proc_dir(dir, s->uid, s->gid) == 0)
		return;
	if (errno == EPERM && s->user != NULL)
		fatalx("the %s directory %s must be %s's and closed to others "
		    "(chown -R %s; chmod 700); or give another with %s", what,
		    dir, s->user, s->user, flag);
	if (errno == EPERM)
		fatalx("the %s directory %s must belong to the user that "
		    "gatewayd runs as and be closed to others (chown; chmod "
		    "700); or give another with %s", what, dir, flag);
	if (errno == ELOOP)
		fatalx("the %s directory %s is a symbolic link, or behind one "
		    "of another user; give the directory itself with %s", what,
		    dir, flag);
	fatalx("the %s directory %s: %s; give another with %s", what, dir,
	    strerror(errno), flag);
}

/* Close a directory of that user's to others: who mounts a volume may open all
 * that is in it.  0, or -1. */
static int
main_close_dir(const char *dir, uid_t uid)
{
	struct stat	 st;
	int		 fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			    O_CLOEXEC), rc = -1;

	if (fd == -1)
		return (-1);
	if (fstat(fd, &st) == 0 && st.st_uid == uid)
		rc = fchmod(fd, 0700);
	close(fd);
	return (rc);
}

/*
 * The state directory.  A volume of a container is open to its group (2775) or to
 * all, and not ours to close: then a directory of our own in it is the one.
 */
static void
main_state_dir(struct settings *s, int must)
{
	struct stat	 st;
	char		*own;

	if (proc_dir(s->state_dir, s->uid, s->gid) == 0)
		return;
	if (errno != EPERM || stat(s->state_dir, &st) == -1 ||
	    (st.st_uid != 0 && st.st_uid != s->uid))
		goto bad;
	if ((own = paths_in(s->state_dir, "kennel")) == NULL)
		fatal("state directory");
	if (proc_dir(own, s->uid, s->gid) == 0 || (errno == EPERM &&
	    main_close_dir(own, s->uid) == 0 &&
	    proc_dir(own, s->uid, s->gid) == 0)) {
		log_info("state directory=%s, for %s is open to others", own,
		    s->state_dir);
		free(s->state_dir);
		s->state_dir = own;
		return;
	}
	free(own);
bad:
	if (must)
		main_dir(s, "state", "--state-dir", s->state_dir);
}

/* What is in the user's directory is made by the user. */
static char *
main_lock_as_user(const struct settings *s)
{
	uid_t	 uid = geteuid();
	gid_t	 gid = getegid();
	char	*path;

	/* Who is that user asks for nothing, for a sandbox may refuse it. */
	if (uid == s->uid)
		return (main_lock(s->run_dir));
	if (setegid(s->gid) == -1 || seteuid(s->uid) == -1)
		fatal("user %s", s->user);
	path = main_lock(s->run_dir);
	if (seteuid(uid) == -1 || setegid(gid) == -1)
		fatal("user");
	return (path);
}

/* One gateway a run directory.  Returns the lock's path. */
static char *
main_lock(const char *run_dir)
{
	char		*path = paths_in(run_dir, "lock");
	pid_t		 holder = 0;

	if (path == NULL)
		fatal("lock");
	if (proc_lock(path, 1, &holder) != -1)
		return (path);
	if (errno == EAGAIN)
		fatalx("another gatewayd (pid %d) runs in %s; stop it, or give "
		    "another --run-dir", (int)holder, run_dir);
	fatal("%s", path);
}
