#include <sys/stat.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"

static char	 dir[] = "/tmp/kennel-memory-XXXXXX";

static void
make(const char *path, const char *text)
{
	char	 cmd[512];

	snprintf(cmd, sizeof(cmd), "mkdir -p \"$(dirname %s%s)\" && "
	    "printf -- '%s' > %s%s", dir, path, text, dir, path);
	ck_assert_int_eq(system(cmd), 0);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	char	 cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
}

START_TEST(a_control_group_bounds_it_and_those_above_do)
{
	size_t	 all = memory_allowed(dir);	/* no groups there: the machine's */

	ck_assert_uint_gt(all, 1 << 20);
	make("/proc/self/cgroup", "0::/a/b\\n");
	ck_assert_uint_eq(memory_allowed(dir), all);
	make("/sys/fs/cgroup/a/b/memory.max", "max\\n");
	ck_assert_uint_eq(memory_allowed(dir), all);
	make("/sys/fs/cgroup/a/memory.max", "200000\\n");
	ck_assert_uint_eq(memory_allowed(dir), 200000);
	make("/sys/fs/cgroup/a/b/memory.max", "100000\\n");
	ck_assert_uint_eq(memory_allowed(dir), 100000);
	/* As a container sees itself. */
	make("/proc/self/cgroup", "0::/\\n");
	ck_assert_uint_eq(memory_allowed(dir), all);
	make("/sys/fs/cgroup/memory.max", "300000\\n");
	ck_assert_uint_eq(memory_allowed(dir), 300000);
	/* Version 1, whose "none" is a number larger than the machine. */
	make("/proc/self/cgroup", "5:cpu,memory:/c\\n2:pids:/x\\n");
	make("/sys/fs/cgroup/memory/c/memory.limit_in_bytes",
	    "9223372036854771712\\n");
	ck_assert_uint_eq(memory_allowed(dir), all);
	make("/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "150000\\n");
	ck_assert_uint_eq(memory_allowed(dir), 150000);
	/* Not what anybody understands. */
	make("/proc/self/cgroup", "nonsense\\n:\\n0::\\n");
	make("/sys/fs/cgroup/memory.max", "-1\\n");
	ck_assert_uint_eq(memory_allowed(dir), all);
}
END_TEST

START_TEST(here_it_is_something)
{
	ck_assert_uint_gt(memory_allowed(""), 1 << 20);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("memory");
	TCase	*t = tcase_create("memory");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_control_group_bounds_it_and_those_above_do);
	tcase_add_test(t, here_it_is_something);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
