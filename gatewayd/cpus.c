/* How many CPUs this process may use. */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "gatewayd/cpus.h"

#define CPUS_LINE_MAX	4200		/* of /proc/self/cgroup: a path and more */

/* The first line of a file, or -1. */
static int
cpus_line(const char *path, char *line, size_t size)
{
	FILE	*f = fopen(path, "re");
	int	 rc;

	if (f == NULL)
		return (-1);
	rc = fgets(line, (int)size, f) == NULL ? -1 : 0;
	fclose(f);
	line[rc == 0 ? strcspn(line, "\n") : 0] = '\0';
	return (rc);
}

/* A number in a file: 0, or -1, also for "-1" and "max". */
static int
cpus_number(const char *dir, const char *name, uint64_t *n)
{
	char	 path[CPUS_LINE_MAX + 256], line[64];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path) || cpus_line(path, line, sizeof(line)) == -1)
		return (-1);
	return (slice_u64(slice_str(line), UINT64_MAX, n));
}

/* What one group allows of a period, 0: everything. */
static unsigned
cpus_of_group(const char *dir, int v2)
{
	char		 path[CPUS_LINE_MAX + 256], line[64], *space;
	uint64_t	 quota, period;

	if (!v2) {
		if (cpus_number(dir, "cpu.cfs_quota_us", &quota) == -1 ||
		    cpus_number(dir, "cpu.cfs_period_us", &period) == -1)
			return (0);
	} else if (snprintf(path, sizeof(path), "%s/cpu.max", dir) >=
	    (int)sizeof(path) || cpus_line(path, line, sizeof(line)) == -1 ||
	    (space = strchr(line, ' ')) == NULL)
		return (0);
	else {
		*space++ = '\0';
		if (slice_u64(slice_str(line), UINT64_MAX, &quota) == -1 ||
		    slice_u64(slice_str(space), UINT64_MAX, &period) == -1)
			return (0);
	}
	if (quota == 0 || period == 0)
		return (0);
	quota = quota / period + (quota % period != 0);
	return (quota > UINT16_MAX ? 0 : (unsigned)quota);
}

/*
 * The least of a group and all above it.  In a container the path may be the
 * host's, of which only the end, the mount itself, is to be seen: what is not
 * there says nothing.
 */
static unsigned
cpus_of_path(const char *mount, char *group, int v2)
{
	char		 dir[CPUS_LINE_MAX + 128];
	unsigned	 n, least = 0;
	char		*slash;

	for (;;) {
		if (snprintf(dir, sizeof(dir), "%s%s", mount, group) <
		    (int)sizeof(dir) && (n = cpus_of_group(dir, v2)) != 0 &&
		    (least == 0 || n < least))
			least = n;
		if ((slash = strrchr(group, '/')) == NULL)
			return (least);
		*slash = '\0';
	}
}

/* Is cpu among the controllers "cpu,cpuacct"? */
static int
cpus_controls(const char *list)
{
	for (size_t n; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == 3 && memcmp(list, "cpu", 3) == 0)
			return (1);
	}
	return (0);
}

/* A line is "hierarchy:controllers:/path"; version 2 has no controllers. */
unsigned
cpus_quota(const char *root)
{
	char		 line[CPUS_LINE_MAX], path[512], mount[512];
	char		*controllers, *group;
	unsigned	 n, least = 0;
	FILE		*f;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	if ((f = fopen(path, "re")) == NULL)
		return (0);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if ((controllers = strchr(line, ':')) == NULL ||
		    (group = strchr(++controllers, ':')) == NULL)
			continue;
		*group++ = '\0';
		if (*controllers != '\0' && !cpus_controls(controllers))
			continue;
		/* Both versions at once: version 2 beside the others. */
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s%s", root,
		    *controllers == '\0' ? "" : "/", controllers);
		n = cpus_of_path(mount, group, *controllers == '\0');
		if (n != 0 && (least == 0 || n < least))
			least = n;
	}
	fclose(f);
	return (least);
}

unsigned
cpus_allowed(void)
{
	cpu_set_t	 cpus;
	long		 online;
	unsigned	 n, quota = cpus_quota("");

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = (unsigned)CPU_COUNT(&cpus);
	else		/* more than a cpu_set_t knows */
		n = (online = sysconf(_SC_NPROCESSORS_ONLN)) < 1 ? 1 :
		    (unsigned)online;
	if (quota != 0 && quota < n)
		n = quota;
	return (n < 1 ? 1 : n);
}
