#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/uids.h"

static struct slice
all(const struct buf *b)
{
	return (slice_of(b->data, b->len));
}

START_TEST(what_is_added_comes_back)
{
	static char	 longest[UID_MAX];
	struct buf	 b = { 0 };
	struct slice	 list, uid;

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(uids_add(&b, slice_str("ann")), 0);
	ck_assert_int_eq(uids_add(&b, slice_of(NULL, 0)), 0);
	ck_assert_int_eq(uids_add(&b, slice_of("a\0b", 3)), 0);
	ck_assert_int_eq(uids_add(&b, slice_of(longest, UID_MAX)), 0);
	list = all(&b);
	ck_assert_int_eq(uids_next(&list, &uid), 1);
	ck_assert(slice_is(uid, "ann"));
	ck_assert_int_eq(uids_next(&list, &uid), 1);
	ck_assert_uint_eq(uid.len, 0);
	ck_assert_int_eq(uids_next(&list, &uid), 1);
	ck_assert(slice_eq(uid, slice_of("a\0b", 3)));
	ck_assert_int_eq(uids_next(&list, &uid), 1);
	ck_assert(slice_eq(uid, slice_of(longest, UID_MAX)));
	ck_assert_int_eq(uids_next(&list, &uid), 0);
	buf_clear(&b);
}
END_TEST

START_TEST(no_uid_is_longer_than_uids_are)
{
	static char	 data[2 + UID_MAX + 1];
	struct buf	 b = { 0 };
	struct slice	 list = slice_of(data, sizeof(data)), uid;

	ck_assert_int_eq(uids_add(&b, slice_of(data, UID_MAX + 1)), -1);
	ck_assert_int_eq(b.failed, 1);
	ck_assert_uint_eq(b.len, 0);
	bytes_put_be16(data, UID_MAX + 1);
	ck_assert_int_eq(uids_next(&list, &uid), -1);
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

START_TEST(a_list_that_ends_early_is_none)
{
	struct buf	 b = { 0 };
	struct slice	 list, uid;
	char		*copy;

	ck_assert_int_eq(uids_add(&b, slice_str("bob")), 0);
	for (size_t len = 1; len < b.len; len++) {
		ck_assert_ptr_nonnull(copy = malloc(len));
		memcpy(copy, b.data, len);
		list = slice_of(copy, len);
		ck_assert_int_eq(uids_next(&list, &uid), -1);
		free(copy);
	}
	buf_clear(&b);
}
END_TEST

START_TEST(pieces_have_all_of_it)
{
	struct buf	 b = { 0 }, again = { 0 };
	struct slice	 list, piece, uid;
	size_t		 pieces = 0;

	for (char c = 'a'; c <= 'j'; c++)
		ck_assert_int_eq(uids_add(&b, slice_of(&c, 1)), 0);
	for (list = all(&b); list.len > 0; pieces++) {
		piece = uids_cut(&list, 10, 4);
		ck_assert_uint_gt(piece.len, 0);
		ck_assert_uint_le(piece.len, 10);
		while (uids_next(&piece, &uid) == 1)
			uids_add(&again, uid);
	}
	ck_assert_uint_eq(pieces, 4);		/* of three */
	ck_assert(slice_eq(all(&again), all(&b)));
	list = all(&b);
	piece = uids_cut(&list, 1000, 4);
	ck_assert_uint_eq(piece.len, 4 * 3);
	/* One that is too long for it goes alone. */
	piece = uids_cut(&list, 1, 4);
	ck_assert_uint_eq(piece.len, 3);
	list = slice_of(NULL, 0);
	ck_assert_uint_eq(uids_cut(&list, 10, 4).len, 0);
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("uids");
	TCase	*t = tcase_create("uids");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, what_is_added_comes_back);
	tcase_add_test(t, no_uid_is_longer_than_uids_are);
	tcase_add_test(t, a_list_that_ends_early_is_none);
	tcase_add_test(t, pieces_have_all_of_it);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
