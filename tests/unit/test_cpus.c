/* How many CPUs this process may use. */
#include <sys/stat.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "gatewayd/cpus.h"

static char	 root[64];

static void
setup(void)
{
	strcpy(root, "/tmp/cpus.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void
teardown(void)
{
	char	 cmd[96];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", root);
	ck_assert_int_eq(system(cmd), 0);
}

/* A file below root, and all above it. */
static void
make(const char *path, const char *text)
{
	char	 full[512];
	FILE	*f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(full, 0755);
			*p = '/';
		}
	ck_assert_ptr_nonnull(f = fopen(full, "w"));
	fputs(text, f);
	fclose(f);
}

START_TEST(no_groups_no_quota)
{
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/proc/self/cgroup", "0::/\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/sys/fs/cgroup/cpu.max", "max 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/sys/fs/cgroup/cpu.max", "nonsense\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/sys/fs/cgroup/cpu.max", "0 0\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/proc/self/cgroup", "nonsense\n:\n::\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
}
END_TEST

START_TEST(version_2_in_a_container)
{
	make("/proc/self/cgroup", "0::/\n");
	make("/sys/fs/cgroup/cpu.max", "300000 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 3);
	make("/sys/fs/cgroup/cpu.max", "150000 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 2);
	make("/sys/fs/cgroup/cpu.max", "1000 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 1);
}
END_TEST

START_TEST(the_least_of_all_above_counts)
{
	make("/proc/self/cgroup", "0::/a/b/c\n");
	make("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
	make("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 8);
	make("/sys/fs/cgroup/a/cpu.max", "500000 100000\n");
	ck_assert_uint_eq(cpus_quota(root), 5);
}
END_TEST

START_TEST(version_1_with_the_paths_of_the_host)
{
	make("/proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/docker/ab\n"
	    "1:name=systemd:/docker/ab\n0::/\n");
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
	ck_assert_uint_eq(cpus_quota(root), 0);
	make("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
	ck_assert_uint_eq(cpus_quota(root), 4);
	make("/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "100000\n");
	ck_assert_uint_eq(cpus_quota(root), 4);
}
END_TEST

START_TEST(affinity_counts_too)
{
	cpu_set_t	 one;
	int		 cpu = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_uint_eq(cpus_allowed(), 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cpus");
	TCase	*tc = tcase_create("cpus");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_groups_no_quota);
	tcase_add_test(tc, version_2_in_a_container);
	tcase_add_test(tc, the_least_of_all_above_counts);
	tcase_add_test(tc, version_1_with_the_paths_of_the_host);
	tcase_add_test(tc, affinity_counts_too);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
