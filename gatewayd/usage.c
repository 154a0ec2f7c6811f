/* What a process of ours uses. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/usage.h"

/* A file of /proc/pid into text, terminated: 0, or -1 with errno. */
static int
usage_file(pid_t pid, const char *name, char *text, size_t size)
{
	char	 path[64];
	ssize_t	 n;
	int	 fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return (-1);
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0) {
		errno = ESRCH;
		return (-1);
	}
	text[n] = '\0';
	return (0);
}

/* Since Linux 6.2 the size of the directory is their number; else they are
 * counted, where that is allowed. */
static uint64_t
usage_fds(pid_t pid)
{
	char		 path[64];
	struct stat	 st;
	uint64_t	 n = 0;
	DIR		*d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (stat(path, &st) == 0 && st.st_size > 0)
		return ((uint64_t)st.st_size);
	if ((d = opendir(path)) == NULL)
		return (0);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	/* Two are no numbers; of ourselves the directory is one. */
	return (n - 2 - (pid == getpid()));
}

int
usage_read(pid_t pid, struct usage *u)
{
	char		 text[1024], *p;
	struct rlimit	 rl;
	uint64_t	 pages, user, system;
	long		 hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);

	memset(u, 0, sizeof(*u));
	/* The name, the second field, may have anything in it; then the third. */
	if (usage_file(pid, "stat", text, sizeof(text)) == -1)
		return (-1);
	if ((p = strrchr(text, ')')) == NULL || sscanf(p + 1,
	    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
	    &user, &system) != 2 ||
	    usage_file(pid, "statm", text, sizeof(text)) == -1 ||
	    sscanf(text, "%*u %" SCNu64, &pages) != 1) {
		errno = ESRCH;
		return (-1);
	}
	u->resident = pages * (uint64_t)page;
	u->cpu_ms = (user + system) * 1000 / (uint64_t)hz;
	u->fds = usage_fds(pid);
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &rl) == 0)
		u->fds_max = rl.rlim_cur == RLIM_INFINITY ? UINT64_MAX :
		    (uint64_t)rl.rlim_cur;
	return (0);
}
