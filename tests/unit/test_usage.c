#include <sys/mman.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gatewayd/usage.h"

START_TEST(descriptors_are_counted)
{
	struct usage	 before, after;
	int		 fds[10];

	ck_assert_int_eq(usage_read(getpid(), &before), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_ne(fds[i] = open("/dev/null", O_RDONLY), -1);
	ck_assert_int_eq(usage_read(getpid(), &after), 0);
	ck_assert_uint_eq(after.fds, before.fds + 10);
	ck_assert_uint_gt(after.fds_max, after.fds);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}
END_TEST

START_TEST(memory_and_time_are_those_of_the_process)
{
	struct usage	 before, after;
	size_t		 n = 64 << 20;
	char		*p = mmap(NULL, n, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	ck_assert_int_eq(usage_read(getpid(), &before), 0);
	memset(p, 1, n);
	while (clock() < CLOCKS_PER_SEC / 5)
		;
	ck_assert_int_eq(usage_read(getpid(), &after), 0);
	ck_assert_uint_ge(after.resident, before.resident + n / 2);
	ck_assert_uint_ge(after.cpu_ms, 100);
	munmap(p, n);
}
END_TEST

START_TEST(nobody_uses_nothing)
{
	struct usage	 u;

	ck_assert_int_eq(usage_read(0x3fffffff, &u), -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("usage");
	TCase	*t = tcase_create("usage");
	SRunner	*r = srunner_create(s);
	int	 failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, descriptors_are_counted);
	tcase_add_test(t, memory_and_time_are_those_of_the_process);
	tcase_add_test(t, nobody_uses_nothing);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
