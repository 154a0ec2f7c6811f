/* What is left to the program that is executed in a gateway's place. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secret.h"
#include "gatewayd/heritage.h"
#include "proto/pack.h"

#define HERITAGE_ENV	"KENNEL_HERITAGE"	/* the number of the memfd */
#define HERITAGE_FIELDS	6
#define HERITAGE_TEXT	(2 << 20)	/* bytes of what came early */
#define HERITAGE_NAME	1024

static char	*heritage_path, **heritage_args;
static char	*heritage_will;			/* what is inherited */
static size_t	 heritage_len;

/* Read what was left.  A mistake in it is the end of what can be read. */
static void
heritage_read(int fd)
{
	struct stat	 st;

	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    (heritage_will = malloc((size_t)st.st_size)) != NULL &&
	    pread(fd, heritage_will, (size_t)st.st_size, 0) == st.st_size)
		heritage_len = (size_t)st.st_size;
	close(fd);
}

void
heritage_remember(char **argv)
{
	const char	*env = getenv(HERITAGE_ENV);
	char		 path[PATH_MAX];
	ssize_t		 len = readlink("/proc/self/exe", path,
			    sizeof(path) - 1);
	size_t		 n = 0;
	uint64_t	 fd;

	if (len > 0) {
		path[len] = '\0';
		heritage_path = strdup(path);
	}
	while (argv[n] != NULL)
		n++;
	if ((heritage_args = calloc(n + 1, sizeof(*heritage_args))) != NULL)
		for (size_t i = 0; i < n; i++)
			if ((heritage_args[i] = strdup(argv[i])) == NULL)
				heritage_path = NULL;
	if (env != NULL && slice_u64(slice_str(env), INT_MAX, &fd) == 0)
		heritage_read((int)fd);
	unsetenv(HERITAGE_ENV);
}

int
heritage_next(size_t *at, struct heir *h)
{
	struct pack_in	 in;
	struct slice	 rest;

	if (*at >= heritage_len || pack_open_head(&in, heritage_will + *at,
	    heritage_len - *at, &rest) == -1)
		return (0);
	h->kind = (enum heir_kind)pack_in_u64(&in, HEIR_NKINDS - 1);
	h->fd = (int)pack_in_u64(&in, INT_MAX);
	h->flags = (uint32_t)pack_in_u64(&in, UINT32_MAX);
	h->name = pack_in_str(&in, HERITAGE_NAME);
	h->peer = pack_in_str(&in, HERITAGE_NAME);
	h->early = pack_in_str(&in, HERITAGE_TEXT);
	if (in.bad || (h->kind != HEIR_ORDER &&
	    fcntl(h->fd, F_SETFD, FD_CLOEXEC) == -1)) {
		log_warn("what an earlier gateway left cannot be read");
		return (0);
	}
	*at = heritage_len - rest.len;
	return (1);
}

int
heritage_take(enum heir_kind kind, const char *name)
{
	struct heir	 h;
	size_t		 at = 0;

	while (heritage_next(&at, &h)) {
		if (h.kind != kind)
			continue;
		if (slice_is(h.name, name))
			return (h.fd);
		close(h.fd);
	}
	return (-1);
}

void
heritage_end(void)
{
	free(heritage_will);
	heritage_will = NULL;
	heritage_len = 0;
}

const char *
heritage_program(void)
{
	return (heritage_args == NULL ? NULL : heritage_path);
}

char **
heritage_argv(void)
{
	return (heritage_args);
}

void
heritage_leave(struct buf *will, const struct heir *h)
{
	pack_array(will, HERITAGE_FIELDS);
	pack_u64(will, h->kind);
	pack_u64(will, (uint64_t)h->fd);
	pack_u64(will, h->flags);
	pack_str(will, h->name);
	pack_str(will, h->peer);
	pack_str(will, h->early);
}

/* Those that are left stay open over exec, or (0) not. */
static void
heritage_keep(const struct buf *will, int on)
{
	size_t		 at = 0;
	struct heir	 h;

	/* Read as the heir will. */
	heritage_will = will->data;
	heritage_len = will->len;
	while (heritage_next(&at, &h))
		if (on && h.kind != HEIR_ORDER)
			(void)fcntl(h.fd, F_SETFD, 0);
	heritage_will = NULL;
	heritage_len = 0;
}

void
heritage_execute(const struct buf *will)
{
	char	 number[16];
	int	 fd = memfd_create("heritage", 0), keep;

	if (fd == -1)
		return;
	snprintf(number, sizeof(number), "%d", fd);
	if (write(fd, will->data, will->len) != (ssize_t)will->len ||
	    setenv(HERITAGE_ENV, number, 1) == -1) {
		keep = errno;
		close(fd);
		errno = keep;
		return;
	}
	heritage_keep(will, 1);
	secret_return();
	execv(heritage_path, heritage_args);
	keep = errno;
	secret_forget();
	heritage_keep(will, 0);
	unsetenv(HERITAGE_ENV);
	close(fd);
	errno = keep;
}
