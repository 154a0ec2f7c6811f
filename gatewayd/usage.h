/* What a process of ours uses, as /proc has it. */
#ifndef GATEWAYD_USAGE_H
#define GATEWAYD_USAGE_H

#include <sys/types.h>

#include <stdint.h>

struct usage {
	uint64_t	 resident;	/* bytes of memory */
	uint64_t	 cpu_ms;	/* of CPUs' time, since its start */
	uint64_t	 fds;		/* open descriptors; 0: nobody knows (of another
					   process, before Linux 6.2, for who is not
					   root) */
	uint64_t	 fds_max;	/* 0: nobody knows; UINT64_MAX: no bound */
};

/* 0, or -1 with errno: there is no such process. */
int	 usage_read(pid_t pid, struct usage *u);

#endif
