/*
 * How many CPUs this process may use: its affinity, and the quota of its control
 * group and of all above it (version 2: cpu.max; version 1: cpu.cfs_quota_us).
 */
#ifndef GATEWAYD_CPUS_H
#define GATEWAYD_CPUS_H

/* At least 1; a part of a CPU counts as one. */
unsigned cpus_allowed(void);
/* By quota alone, 0: none.  root is "", or where /proc and /sys are for a test. */
unsigned cpus_quota(const char *root);

#endif
