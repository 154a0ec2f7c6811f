/*
 * What server processes have used: CPU time of all their threads, to the
 * nanosecond and with those that have ended, and anonymous memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

static uint64_t
usage_cpu(pid_t pid)
{
	struct timespec	 t;
	clockid_t	 clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &t) == -1)
		fail("server process %d is gone", (int)pid);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

/* Counted page by page: the counter in "status" is off by some hundred.  With what it
 * shares by memory without a file, as a shard's page is. */
static uint64_t
usage_anon(pid_t pid)
{
	char			 line[256];
	unsigned long long	 kb = 0, shm = 0;
	FILE			*f;

	snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(line, "r")) == NULL)
		fail("%s: %s", line, strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Anonymous: %llu", &kb) != 1)
			(void)sscanf(line, "Pss_Shmem: %llu", &shm);
	fclose(f);
	return ((kb + shm) * 1024);
}

struct usage
usage(const char *pids)
{
	struct usage	 u = { 0, 0 };
	char		*end;

	while (*pids != '\0') {
		pid_t	 pid = (pid_t)strtol(pids, &end, 10);

		u.cpu_ns += usage_cpu(pid);
		u.anon += usage_anon(pid);
		pids = *end == ',' ? end + 1 : "";
	}
	return (u);
}
