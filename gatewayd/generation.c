/* Worker programs as they were when they were opened. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/generation.h"

void
generations_init(struct generations *gs)
{
	list_init(&gs->list);
	gs->last = 0;
	gs->current = NULL;
}

/* Close and forget one. */
static void
generation_free(struct generation *g)
{
	list_remove(&g->at);
	if (g->fd != -1)
		close(g->fd);
	free(g->path);
	free(g);
}

void
generations_clear(struct generations *gs)
{
	while (!list_empty(&gs->list))
		generation_free(list_entry(gs->list.next, struct generation,
		    at));
	gs->current = NULL;
}

struct generation *
generation_later(struct generations *gs, const char *path)
{
	struct generation	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	if ((g->path = strdup(path)) == NULL) {
		free(g);
		return (NULL);
	}
	g->fd = -1;
	g->number = ++gs->last;
	list_push(&gs->list, &g->at);
	(void)generation_fd(g);
	return (g);
}

struct generation *
generation_open(struct generations *gs, const char *path)
{
	struct generation	*g = generation_later(gs, path);
	int			 error;

	if (g == NULL || generation_fd(g) != -1)
		return (g);
	error = errno;
	generation_free(g);
	gs->last--;
	errno = error;
	return (NULL);
}

/* The last part of a path. */
static const char *
generation_name(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return (slash == NULL ? path : slash + 1);
}

/* Is that file open as g? */
static int
generation_is(const struct generation *g, const struct stat *file)
{
	struct stat	 mine;

	return (g->fd != -1 && fstat(g->fd, &mine) == 0 &&
	    mine.st_dev == file->st_dev && mine.st_ino == file->st_ino);
}

struct generation *
generation_found(struct generations *gs, pid_t pid)
{
	static const char	 gone[] = " (deleted)";
	struct generation	*g;
	struct list		*l, *tmp;
	struct stat		 st;
	char			 exe[32], path[PATH_MAX];
	ssize_t			 n;
	int			 fd;

	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
	if ((fd = open(exe, O_PATH | O_CLOEXEC)) == -1)
		return (gs->current);
	n = readlink(exe, path, sizeof(path) - 1);
	if (n <= 0 || fstat(fd, &st) == -1)
		goto current;
	list_each(l, tmp, &gs->list) {
		g = list_entry(l, struct generation, at);
		if (generation_is(g, &st)) {
			close(fd);
			return (g);
		}
	}
	path[n] = '\0';
	if ((size_t)n >= sizeof(gone) && strcmp(path + n + 1 - sizeof(gone),
	    gone) == 0)
		path[(size_t)n + 1 - sizeof(gone)] = '\0';
	if (strcmp(generation_name(path),
	    generation_name(gs->current->path)) != 0 ||
	    (g = generation_later(gs, path)) == NULL)
		goto current;
	if (g->fd != -1)
		close(g->fd);
	g->fd = fd;
	return (g);
current:
	close(fd);
	return (gs->current);
}

int
generation_fd(struct generation *g)
{
	struct stat	 st;
	int		 fd, error = 0;

	if (g->fd != -1)
		return (g->fd);
	if ((fd = open(g->path, O_PATH | O_CLOEXEC)) == -1)
		return (-1);
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
	else if (faccessat(AT_FDCWD, g->path, X_OK, AT_EACCESS) == -1)
		error = errno;
	if (error != 0) {
		close(fd);
		errno = error;
		return (-1);
	}
	g->fd = fd;
	return (fd);
}

void
generation_set(struct generations *gs, struct generation **slot,
    struct generation *g)
{
	struct generation	*was = *slot;

	if (was == g)
		return;
	*slot = g;
	if (g != NULL)
		g->users++;
	if (was != NULL && --was->users == 0 && was != gs->current)
		generation_free(was);
}

void
generation_use(struct generations *gs, struct generation *g)
{
	struct generation	*was = gs->current;

	gs->current = g;
	if (was != NULL && was != g && was->users == 0)
		generation_free(was);
}
