/*
 * count_alloc: counts what a process allocates, for a test to read while it
 * runs.  Loaded by LD_PRELOAD; counts stand in a file that is mapped.
 *
 *	COUNT_ALLOC	the file's name, to which a dot and the pid are added
 *
 * The file is what struct counts says.  Whoever writes `trace` has that many
 * calls described on standard error: "count_alloc", what was called, the size,
 * and the lines of backtrace_symbols_fd(3).
 */
#include <sys/mman.h>

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_DEPTH	12

enum { COUNT_MALLOC, COUNT_CALLOC, COUNT_REALLOC, COUNT_MEMALIGN, COUNT_FREE,
    COUNT_NKINDS };

/* Of a process with one thread, as shards are. */
struct counts {
	volatile uint64_t calls[COUNT_NKINDS];
	volatile uint64_t trace;	/* calls still to be described */
};

/* What glibc's own names are behind. */
void	*__libc_malloc(size_t);
void	*__libc_calloc(size_t, size_t);
void	*__libc_realloc(void *, size_t);
void	*__libc_memalign(size_t, size_t);
void	 __libc_free(void *);

static struct counts	 early;		/* until the file is there */
static struct counts	*counts = &early;

static void
count_describe(int kind, size_t size)
{
	static const char *const	 names[] = {
		"malloc", "calloc", "realloc", "memalign", "free"
	};
	static int			 within;
	void				*at[COUNT_DEPTH];
	char				 text[80];
	int				 n;

	if (within)
		return;
	within = 1;
	counts->trace--;
	n = snprintf(text, sizeof(text), "count_alloc %s %zu\n", names[kind],
	    size);
	(void)!write(STDERR_FILENO, text, (size_t)n);
	/* The first two are ours. */
	if ((n = backtrace(at, COUNT_DEPTH)) > 2)
		backtrace_symbols_fd(at + 2, n - 2, STDERR_FILENO);
	within = 0;
}

static void
count(int kind, size_t size)
{
	int	 saved = errno;

	counts->calls[kind]++;
	if (counts->trace > 0)
		count_describe(kind, size);
	errno = saved;
}

static void __attribute__((constructor))
count_begin(void)
{
	const char	*base = getenv("COUNT_ALLOC");
	struct counts	*map;
	void		*at[1];
	char		 path[512];
	int		 fd;

	if (base == NULL)
		return;
	backtrace(at, 1);		/* its first call loads a library */
	snprintf(path, sizeof(path), "%s.%ld", base, (long)getpid());
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
		return;
	map = MAP_FAILED;
	if (ftruncate(fd, sizeof(*map)) == 0)
		map = mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		counts = map;
}

void *
malloc(size_t n)
{
	count(COUNT_MALLOC, n);
	return (__libc_malloc(n));
}

void *
calloc(size_t n, size_t size)
{
	count(COUNT_CALLOC, n * size);
	return (__libc_calloc(n, size));
}

void *
realloc(void *p, size_t n)
{
	count(COUNT_REALLOC, n);
	return (__libc_realloc(p, n));
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return (NULL);
	}
	return (realloc(p, n * size));
}

void *
memalign(size_t align, size_t n)
{
	count(COUNT_MEMALIGN, n);
	return (__libc_memalign(align, n));
}

void *
aligned_alloc(size_t align, size_t n)
{
	return (memalign(align, n));
}

int
posix_memalign(void **p, size_t align, size_t n)
{
	void	*at;

	if (align < sizeof(void *) || (align & (align - 1)) != 0)
		return (EINVAL);
	if ((at = memalign(align, n)) == NULL)
		return (ENOMEM);
	*p = at;
	return (0);
}

/* Of nothing is no call: it is what remains of a branch. */
void
free(void *p)
{
	if (p != NULL)
		count(COUNT_FREE, 0);
	__libc_free(p);
}
