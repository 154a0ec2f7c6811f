#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/events/rooms.h"

static struct rooms	 all;

static struct slice
s(const char *text)
{
	return (slice_str(text));
}

/* How many are in that room; 0: there is none. */
static size_t
members(struct slice name)
{
	struct room	*room = rooms_find(&all, name);

	return (room == NULL ? 0 : room->n);
}

START_TEST(joining_twice_is_joining_once)
{
	struct roomer	 a, b;

	roomer_init(&a);
	roomer_init(&b);
	ck_assert_int_eq(rooms_join(&all, &a, s("r")), 0);
	ck_assert_int_eq(rooms_join(&all, &a, s("r")), 0);
	ck_assert_int_eq(rooms_join(&all, &b, s("r")), 0);
	ck_assert_uint_eq(members(s("r")), 2);
	ck_assert_uint_eq(a.n, 1);
	rooms_leave(&all, &a, s("never"));
	rooms_leave(&all, &a, s("r"));
	rooms_leave(&all, &a, s("r"));
	ck_assert_uint_eq(members(s("r")), 1);
	rooms_leave_all(&all, &b);
	ck_assert_ptr_null(rooms_find(&all, s("r")));
	rooms_clear(&all);
}
END_TEST

START_TEST(names_are_bytes)
{
	const struct slice	 names[] = { { "", 0 }, { "a\0b", 3 }, { "a", 1 },
				    { "a\0c", 3 }, { "*", 1 }, { "%s", 2 } };
	struct roomer		 a;

	roomer_init(&a);
	for (size_t i = 0; i < nitems(names); i++) {
		ck_assert_uint_eq(members(names[i]), 0);
		ck_assert_int_eq(rooms_join(&all, &a, names[i]), 0);
	}
	ck_assert_uint_eq(a.n, nitems(names));
	for (size_t i = 0; i < nitems(names); i++)
		ck_assert_uint_eq(members(names[i]), 1);
	rooms_leave_all(&all, &a);
	rooms_clear(&all);
}
END_TEST

/* Against a table of who is where. */
START_TEST(many_come_and_go)
{
	static struct roomer	 who[40];
	static int		 in[40][30];
	char			 name[8];
	size_t			 n;

	srand(1);
	for (size_t i = 0; i < nitems(who); i++)
		roomer_init(&who[i]);
	for (int step = 0; step < 20000; step++) {
		int	 i = rand() % 40, j = rand() % 30;

		snprintf(name, sizeof(name), "r%d", j);
		if (rand() % 50 == 0) {
			rooms_leave_all(&all, &who[i]);
			memset(in[i], 0, sizeof(in[i]));
		} else if (rand() % 2) {
			ck_assert_int_eq(rooms_join(&all, &who[i], s(name)),
			    0);
			in[i][j] = 1;
		} else {
			rooms_leave(&all, &who[i], s(name));
			in[i][j] = 0;
		}
		n = 0;
		for (i = 0; i < 40; i++)
			n += (size_t)in[i][j];
		ck_assert_uint_eq(members(s(name)), n);
	}
	for (size_t i = 0; i < nitems(who); i++)
		rooms_leave_all(&all, &who[i]);
	ck_assert_uint_eq(all.by_name.count, 0);
	ck_assert_uint_eq(all.pairs.count, 0);
	rooms_clear(&all);
}
END_TEST

START_TEST(no_more_than_may_be)
{
	static struct roomer	 a;
	char			 name[16];

	roomer_init(&a);
	for (int i = 0; i < ROOMS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(rooms_join(&all, &a, s(name)), 0);
	}
	ck_assert_int_eq(rooms_join(&all, &a, s("more")), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(rooms_join(&all, &a, s("0")), 0);	/* it is there */
	ck_assert_ptr_null(rooms_find(&all, s("more")));
	rooms_leave_all(&all, &a);
	rooms_clear(&all);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("rooms");
	TCase	*t = tcase_create("rooms");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, joining_twice_is_joining_once);
	tcase_add_test(t, names_are_bytes);
	tcase_add_test(t, many_come_and_go);
	tcase_add_test(t, no_more_than_may_be);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
