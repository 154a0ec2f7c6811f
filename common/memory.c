/* How much memory this process may have, and giving back what it does not need. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/memory.h"

#define MEMORY_MMAP	(128 << 10)	/* from this size on: the kernel's */
#define MEMORY_TRIM	(1 << 20)	/* free at the top before it goes back */
#define MEMORY_FREE	(16 << 20)	/* more of it free than when last tidied */
#define MEMORY_TIDY_MS	2000

/* The number in a file; SIZE_MAX if there is none ("max", no such file). */
static size_t
memory_read(const char *path)
{
	char		 text[64];
	uint64_t	 n;
	size_t		 len = 0;
	FILE		*f;

	if ((f = fopen(path, "re")) == NULL)
		return (SIZE_MAX);
	if (fgets(text, sizeof(text), f) != NULL)
		len = strcspn(text, "\n");
	fclose(f);
	return (slice_u64(slice_of(text, len), SIZE_MAX - 1, &n) == -1 ?
	    SIZE_MAX : (size_t)n);
}

/* The least that file says in the group's directory and in those above. */
static size_t
memory_group(const char *root, const char *mount, char *group,
    const char *file)
{
	char	 path[4096], *slash;
	size_t	 least = SIZE_MAX, n;

	for (;;) {
		if (snprintf(path, sizeof(path), "%s%s%s/%s", root, mount,
		    group, file) < (int)sizeof(path) &&
		    (n = memory_read(path)) < least)
			least = n;
		if ((slash = strrchr(group, '/')) == NULL)
			return (least);
		*slash = '\0';
	}
}

/* A line of /proc/self/cgroup: "0::/a/b" or "9:memory:/a/b". */
static size_t
memory_line(const char *root, char *line)
{
	char	*controllers, *group, *word, *rest;

	line[strcspn(line, "\n")] = '\0';
	if ((controllers = strchr(line, ':')) == NULL ||
	    (group = strchr(controllers + 1, ':')) == NULL)
		return (SIZE_MAX);
	*group++ = '\0';
	if (*++controllers == '\0')
		return (memory_group(root, "/sys/fs/cgroup", group,
		    "memory.max"));
	for (rest = controllers; (word = strsep(&rest, ",")) != NULL;)
		if (strcmp(word, "memory") == 0)
			return (memory_group(root, "/sys/fs/cgroup/memory",
			    group, "memory.limit_in_bytes"));
	return (SIZE_MAX);
}

size_t
memory_allowed(const char *root)
{
	long	 pages = sysconf(_SC_PHYS_PAGES);
	size_t	 least, n;
	char	 line[4096];
	FILE	*f;

	least = pages > 0 ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) :
	    SIZE_MAX;
	snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
	if ((f = fopen(line, "re")) != NULL) {
		while (fgets(line, sizeof(line), f) != NULL)
			if ((n = memory_line(root, line)) < least)
				least = n;
		fclose(f);
	}
	return (least == SIZE_MAX ? 0 : least);
}

void
memory_steady(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, MEMORY_MMAP);
	mallopt(M_TRIM_THRESHOLD, MEMORY_TRIM);
#endif
}

void
memory_tidy(uint64_t now)
{
#ifdef __GLIBC__
	static uint64_t	 last;
	static size_t	 known;		/* free, and the kernel has it already */
	size_t		 unused;

	if (now - last < MEMORY_TIDY_MS)
		return;
	last = now;
	unused = mallinfo2().fordblks;
	if (unused < known)
		known = unused;
	if (unused - known < MEMORY_FREE)
		return;
	malloc_trim(0);
	known = unused;
#else
	(void)now;
#endif
}
