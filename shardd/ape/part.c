/* Binary that belongs to a call. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <string.h>
#include <unistd.h>

#include "shardd/ape/part.h"

struct part *
part_new(struct jss_pool *pool, struct part **list)
{
	struct part	*p;

	if ((p = jss_alloc(pool, sizeof(*p))) == NULL)
		return (NULL);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->next = *list;
	*list = p;
	return (p);
}

void
part_set(struct part *p, int fd)
{
	struct stat	 st;

	p->fd = fd;
	p->size = fd != -1 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int
part_file(const char *data, size_t len)
{
	size_t	 at = 0;
	ssize_t	 n;
	int	 fd;

	if ((fd = memfd_create("ape", MFD_CLOEXEC)) == -1)
		return (-1);
	while (at < len) {
		if ((n = write(fd, data + at, len - at)) <= 0) {
			close(fd);
			return (-1);
		}
		at += (size_t)n;
	}
	return (fd);
}

const char *
part_bytes(struct part *p, size_t *len)
{
	void	*map;

	*len = p->size;
	if (p->size == 0)
		return ("");
	if (p->map == NULL) {
		map = mmap(NULL, p->size, PROT_READ, MAP_PRIVATE, p->fd, 0);
		p->map = map == MAP_FAILED ? NULL : map;
	}
	return (p->map);
}

void
part_clear(struct part *list)
{
	for (struct part *p = list; p != NULL; p = p->next) {
		if (p->map != NULL)
			munmap(p->map, p->size);
		if (p->fd != -1)
			close(p->fd);
		p->fd = -1;
		p->map = NULL;
	}
}
