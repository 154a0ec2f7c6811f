/* A file without a name that holds a request's body. */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shardd/client/spool.h"

struct spool {
	int		 fd;
	uint64_t	 len;
	void		*map;		/* len bytes, or NULL */
};

static uint64_t	 spool_all;

uint64_t
spool_sum(void)
{
	return (spool_all);
}

/* In a directory whose file system knows no file without a name. */
static int
spool_open_named(const char *dir)
{
	char	 path[PATH_MAX];
	int	 fd;

	if (snprintf(path, sizeof(path), "%s/kennel-body.XXXXXX", dir) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((fd = mkostemp(path, O_CLOEXEC)) != -1)
		unlink(path);
	return (fd);
}

/* A descriptor of an empty file. */
static int
spool_open(const char *dir)
{
	int	 fd;

	if (dir == NULL || *dir == '\0')
		return (memfd_create("kennel-body", MFD_CLOEXEC));
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = spool_open_named(dir);
	return (fd);
}

struct spool *
spool_new(const char *dir)
{
	struct spool	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	if ((s->fd = spool_open(dir)) == -1) {
		free(s);
		return (NULL);
	}
	return (s);
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	if (s->map != NULL)
		munmap(s->map, s->len);
	close(s->fd);
	spool_all -= s->len;
	free(s);
}

int
spool_add(struct spool *s, struct slice data, uint64_t max)
{
	ssize_t	 n;

	if (data.len > max || spool_all > max - data.len) {
		errno = EDQUOT;
		return (-1);
	}
	while (data.len > 0) {
		n = write(s->fd, data.data, data.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (-1);
		s->len += (uint64_t)n;
		spool_all += (uint64_t)n;
		data.data += n;
		data.len -= (size_t)n;
	}
	return (0);
}

uint64_t
spool_len(const struct spool *s)
{
	return (s->len);
}

int
spool_fd(const struct spool *s)
{
	return (s->fd);
}

struct slice
spool_map(struct spool *s)
{
	void	*map;

	if (s->len == 0)
		return (slice_str(""));
	if (s->map == NULL) {
		map = mmap(NULL, s->len, PROT_READ, MAP_SHARED, s->fd, 0);
		if (map == MAP_FAILED)
			return (slice_of(NULL, 0));
		s->map = map;
	}
	return (slice_of(s->map, s->len));
}
