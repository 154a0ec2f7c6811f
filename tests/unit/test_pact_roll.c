#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_roll.h"

#define N	200

static struct pact_roll		 roll;
static struct pact_roll_node	 nodes[N];
static int			 there[N];

static void
setup(void)
{
	static const char *const	 sessions[] = { "a", "b", "c", "d" };

	memset(&roll, 0, sizeof(roll));
	memset(there, 0, sizeof(there));
	for (int i = 0; i < N; i++)
		nodes[i].session = sessions[rand() % 4];
}

static void
teardown(void)
{
	for (int i = 0; i < N; i++)
		if (there[i])
			pact_roll_remove(&roll, &nodes[i]);
	ck_assert_ptr_null(roll.sessions);
	pact_roll_clear(&roll);
}

/* Everybody who is there is on it once, in the order of coming. */
static void
check(void)
{
	uint64_t	 last = 0;
	size_t		 n = 0, twins = 0;

	for (size_t i = 0; i < roll.n; i++) {
		if (roll.at[i].node == NULL)
			continue;
		ck_assert_int_eq(there[roll.at[i].node - nodes], 1);
		ck_assert_uint_gt(roll.at[i].number, last);
		last = roll.at[i].number;
		ck_assert_uint_eq(pact_roll_behind(&roll, last), i + 1);
		n++;
	}
	for (const char *s = "a\0b\0c\0d\0"; *s != '\0'; s += 2)
		for (struct pact_roll_node *t = pact_roll_session(&roll, s);
		    t != NULL; t = t->twin) {
			ck_assert_str_eq(t->session, s);
			twins++;
		}
	for (int i = 0; i < N; i++)
		n -= (size_t)there[i], twins -= (size_t)there[i];
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(twins, 0);
}

START_TEST(who_is_there_is_on_it_in_order)
{
	for (int i = 0; i < 1000; i++) {
		int	 j = rand() % N;

		if (there[j])
			pact_roll_remove(&roll, &nodes[j]);
		else
			ck_assert_int_eq(pact_roll_add(&roll, &nodes[j]), 0);
		there[j] = !there[j];
		check();
	}
	ck_assert_uint_le(roll.cap, 4 * N);
}
END_TEST

START_TEST(behind_who_has_left_is_who_came_next)
{
	uint64_t	 number;

	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(pact_roll_add(&roll, &nodes[i]), 0);
		there[i] = 1;
	}
	number = nodes[2].number;
	pact_roll_remove(&roll, &nodes[2]);
	there[2] = 0;
	ck_assert_ptr_eq(roll.at[pact_roll_behind(&roll, number)].node,
	    &nodes[3]);
	ck_assert_uint_eq(pact_roll_behind(&roll, 0), 0);
	ck_assert_uint_eq(pact_roll_behind(&roll, UINT64_MAX), roll.n);
	ck_assert_ptr_null(pact_roll_session(&roll, "z"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pact_roll");
	TCase	*t = tcase_create("pact_roll");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, who_is_there_is_on_it_in_order);
	tcase_add_test(t, behind_who_has_left_is_who_came_next);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
