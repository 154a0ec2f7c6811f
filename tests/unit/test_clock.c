#include <check.h>
#include <time.h>

#include "common/clock.h"

START_TEST(a_sleep_is_measured_and_never_runs_backwards)
{
	struct timespec	 nap = { 0, 20000000 };
	uint64_t	 before = clock_ms(), last = before;

	nanosleep(&nap, NULL);
	ck_assert_uint_ge(clock_ms(), before + 20);
	for (int i = 0; i < 10000; i++) {
		ck_assert_uint_ge(clock_ms(), last);
		last = clock_ms();
	}
}
END_TEST

START_TEST(the_wall_clock_is_that_of_time)
{
	uint64_t	 before = (uint64_t)time(NULL), ms = clock_wall_ms();

	ck_assert_uint_ge(ms / 1000 + 1, before);
	ck_assert_uint_le(ms / 1000, (uint64_t)time(NULL) + 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("clock");
	TCase	*t = tcase_create("clock");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_sleep_is_measured_and_never_runs_backwards);
	tcase_add_test(t, the_wall_clock_is_that_of_time);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
