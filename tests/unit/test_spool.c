#include <sys/mman.h>
#include <sys/resource.h>

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "shardd/client/spool.h"

START_TEST(what_was_added_is_there_in_order)
{
	struct spool	*s = spool_new(NULL);
	char		 buf[8];

	ck_assert_ptr_nonnull(s);
	ck_assert(slice_is(spool_map(s), ""));
	ck_assert_int_eq(spool_add(s, slice_str("abc"), 100), 0);
	ck_assert_int_eq(spool_add(s, slice_str("def"), 100), 0);
	ck_assert_uint_eq(spool_len(s), 6);
	ck_assert_uint_eq(spool_sum(), 6);
	ck_assert(slice_is(spool_map(s), "abcdef"));
	ck_assert_int_eq(lseek(spool_fd(s), 0, SEEK_SET), 0);
	ck_assert_int_eq(read(spool_fd(s), buf, sizeof(buf)), 6);
	spool_free(s);
	ck_assert_uint_eq(spool_sum(), 0);
	spool_free(NULL);
}
END_TEST

START_TEST(all_have_one_bound)
{
	struct spool	*a = spool_new(NULL), *b = spool_new("");

	ck_assert_int_eq(spool_add(a, slice_str("123456"), 10), 0);
	ck_assert_int_eq(spool_add(b, slice_str("1234"), 10), 0);
	ck_assert_int_eq(spool_add(b, slice_str("5"), 10), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(spool_add(a, slice_str("12345678901"), 10), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_uint_eq(spool_sum(), 10);
	spool_free(a);
	ck_assert_int_eq(spool_add(b, slice_str("567890"), 10), 0);
	spool_free(b);
}
END_TEST

START_TEST(a_disk_that_is_full_is_said)
{
	static char	 big[100000];
	struct rlimit	 small = { 65536, 65536 };
	struct spool	*s = spool_new(NULL);

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(spool_add(s, slice_of(big, 60000), 1 << 20), 0);
	ck_assert_int_eq(spool_add(s, slice_of(big, 60000), 1 << 20), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_uint_eq(spool_sum(), spool_len(s));
	spool_free(s);
	ck_assert_uint_eq(spool_sum(), 0);
}
END_TEST

START_TEST(a_directory_keeps_no_name)
{
	char		 dir[] = "/tmp/spool.XXXXXX";
	struct spool	*s;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(s = spool_new(dir));
	ck_assert_int_eq(spool_add(s, slice_str("abc"), 100), 0);
	ck_assert(slice_is(spool_map(s), "abc"));
	ck_assert_int_eq(rmdir(dir), 0);
	spool_free(s);
	ck_assert_ptr_null(spool_new("/nowhere/at/all"));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("spool");
	TCase	*t = tcase_create("spool");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, what_was_added_is_there_in_order);
	tcase_add_test(t, all_have_one_bound);
	tcase_add_test(t, a_disk_that_is_full_is_said);
	tcase_add_test(t, a_directory_keeps_no_name);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
