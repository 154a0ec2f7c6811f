/* Where things are when nobody says. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/paths.h"

static char	*paths_default(const char *root, const char *env,
		    const char *home_sub);

char *
paths_run_dir(void)
{
	return (paths_default("/run/kennel", "XDG_RUNTIME_DIR", NULL));
}

char *
paths_state_dir(void)
{
	return (paths_default("/var/lib/kennel", "XDG_STATE_HOME",
	    ".local/state"));
}

char *
paths_program(const char *dirs, const char *name)
{
	struct stat	 st;
	char		*path;
	size_t		 n;

	if (dirs == NULL)
		dirs = getenv("PATH");
	for (; dirs != NULL; dirs = dirs[n] == ':' ? dirs + n + 1 : NULL) {
		if ((n = strcspn(dirs, ":")) == 0)
			continue;
		if (asprintf(&path, "%.*s/%s", (int)n, dirs, name) == -1)
			return (NULL);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(path, X_OK) == 0)
			return (path);
		free(path);
	}
	return (NULL);
}

char *
paths_in(const char *dir, const char *name)
{
	char	*path;

	return (asprintf(&path, "%s/%s", dir, name) == -1 ? NULL : path);
}

/* root's directory, or one below what env says, or below the home directory. */
static char *
paths_default(const char *root, const char *env, const char *home_sub)
{
	const char	*dir = getenv(env), *home = getenv("HOME");
	char		*path;
	int		 n;

	if (geteuid() == 0)
		return (strdup(root));
	if (dir != NULL && dir[0] == '/')
		return (paths_in(dir, "kennel"));
	if (home_sub != NULL && home != NULL && home[0] == '/')
		n = asprintf(&path, "%s/%s/kennel", home, home_sub);
	else
		n = asprintf(&path, "/tmp/kennel-%u", (unsigned)geteuid());
	return (n == -1 ? NULL : path);
}
