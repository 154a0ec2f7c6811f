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
#include "gatewayd/gateway.h"
#include "gatewayd/paths.h"

static void	 main_streams(void);
static void	 main_dir(const struct settings *, const char *what,
		    const char *flag, const char *dir);
static char	*main_lock_as_user(const struct settings *);
static char	*main_lock(const char *run_dir);

int
main(int argc, char **argv)
{
	static struct gateway	 g;
	char			*lock;
	int			 status;

	memory_steady();
	main_streams();
	settings_load(&g.settings, argc, argv);
	log_init("gatewayd", g.settings.log_level);
	if (proc_open_to_debuggers(g.settings.core) == -1)
		fatal("core");
	proc_nofile();
	main_dir(&g.settings, "run", "--run-dir", g.settings.run_dir);
	if (strcmp(g.settings.redis, "auto") == 0)
		main_dir(&g.settings, "state", "--state-dir",
		    g.settings.state_dir);
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
		fatalx("the %s directory %s must be ours and closed to others "
		    "(chmod 700); or give another with %s", what, dir, flag);
	if (errno == ELOOP)
		fatalx("the %s directory %s is a symbolic link, or behind one "
		    "of another user; give the directory itself with %s", what,
		    dir, flag);
	fatalx("the %s directory %s: %s; give another with %s", what, dir,
	    strerror(errno), flag);
}

/* What is in the user's directory is made by the user. */
static char *
main_lock_as_user(const struct settings *s)
{
	uid_t	 uid = geteuid();
	gid_t	 gid = getegid();
	char	*path;

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
	struct stat	 held, there;
	char		*path = paths_in(run_dir, "lock");
	pid_t		 holder = 0;
	int		 fd;

	if (path == NULL)
		fatal("lock");
	for (;;) {
		if ((fd = proc_lock(path, 1, &holder)) == -1) {
			if (errno == EAGAIN)
				fatalx("another gatewayd (pid %d) runs in %s; "
				    "stop it, or give another --run-dir",
				    (int)holder, run_dir);
			fatal("%s", path);
		}
		/* Unless a gateway that ended just then has removed it. */
		if (fstat(fd, &held) == 0 && stat(path, &there) == 0 &&
		    held.st_dev == there.st_dev && held.st_ino == there.st_ino)
			return (path);
		close(fd);
	}
}
