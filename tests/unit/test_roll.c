/* The members of a replica in the order of their uids, a page at a time. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/client/conn.h"
#include "shardd/group/replica.h"
#include "shardd/group/roll.h"

#define MEMBERS	20000

static struct conn	*members[MEMBERS];
static struct replica	 r = { .members = members };

static void
add(const char *uid, size_t len)
{
	struct conn	*c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_nonnull(c->text = slice_dup(slice_of(uid, len)));
	c->uid_len = (uint16_t)len;
	c->flags = CONN_F_MEMBER;
	members[r.nmembers++] = c;
}

static void
teardown(void)
{
	while (r.nmembers > 0) {
		free(members[--r.nmembers]->text);
		free(members[r.nmembers]);
	}
}

START_TEST(uids_are_ordered_by_their_bytes)
{
	static const char *const order[] = { "", "a", "aa", "ab", "b", "\xff" };

	for (size_t i = 0; i < nitems(order); i++)
		for (size_t k = 0; k < nitems(order); k++)
			ck_assert_int_eq(roll_compare(slice_str(order[i]),
			    slice_str(order[k])) < 0, i < k);
	ck_assert_int_lt(roll_compare(slice_of("a", 1), slice_of("a\0", 2)), 0);
}
END_TEST

/* Pages of n: all of them are there, in order, once. */
static void
walk(size_t n, int kinds)
{
	static struct slice	 page[ROLL_MAX];
	char			 last[16] = "", want[16];
	size_t			 got;
	int			 more = 1, next = 0;

	while (more) {
		got = roll_page(&r, slice_str(last), n, page, &more);
		ck_assert(!more || got == n);
		for (size_t i = 0; i < got; i++) {
			snprintf(want, sizeof(want), "%06d", next++);
			ck_assert(slice_is(page[i], want));
			memcpy(last, want, sizeof(last));
		}
	}
	ck_assert_int_eq(next, kinds);
}

START_TEST(pages_have_all_in_order_once)
{
	static const int	 kinds[] = { 0, 1, 100, 1024, 1025, 4096, 9999 };
	char			 uid[16];

	for (int i = 0; i < MEMBERS && kinds[_i] > 0; i++) {
		/* Out of order, and most of them more than once. */
		snprintf(uid, sizeof(uid), "%06d", (int)(((long)i * 7919) %
		    kinds[_i]));
		add(uid, strlen(uid));
	}
	walk(ROLL_MAX, kinds[_i]);
	if (kinds[_i] <= 1025)
		walk(100, kinds[_i]);
	if (kinds[_i] <= 100)
		walk(1, kinds[_i]);
}
END_TEST

static int	 met;

/* A member; the first one that is met makes the next one leave. */
static void
meet(struct conn *c, void *arg)
{
	(void)c, (void)arg;
	if (met++ == 0)
		members[1]->flags = 0;
}

START_TEST(who_leaves_meanwhile_is_left_out)
{
	add("a", 1);
	add("b", 1);
	add("a", 1);
	met = 0;
	ck_assert_int_eq(roll_each(&r, slice_str("a"), meet, NULL), 0);
	ck_assert_int_eq(met, 2);
	members[1]->flags = CONN_F_MEMBER;
	met = 0;
	ck_assert_int_eq(roll_each(&r, slice_of(NULL, 0), meet, NULL), 0);
	ck_assert_int_eq(met, 2);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("roll");
	TCase	*t = tcase_create("roll");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, uids_are_ordered_by_their_bytes);
	tcase_add_loop_test(t, pages_have_all_in_order_once, 0, 7);
	tcase_add_test(t, who_leaves_meanwhile_is_left_out);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
