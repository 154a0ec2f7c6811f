#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bag.h"
#include "common/bytes.h"

struct owner {
	struct bag_node	 node;
	int		 key;
	int		 seen;
};

static struct owner	 owners[5000];

/* Keys 0 to n - 1, over and over. */
static void
fill(struct bag *b, int n)
{
	for (size_t i = 0; i < nitems(owners); i++) {
		owners[i].key = (int)i % n;
		owners[i].seen = 0;
		ck_assert_int_eq(bag_insert(b, &owners[i].node,
		    bag_hash(&owners[i].key, sizeof(int))), 0);
	}
}

static size_t
found(const struct bag *b, int key)
{
	struct bag_node	*n;
	size_t		 count = 0;

	for (n = bag_find(b, bag_hash(&key, sizeof(key))); n != NULL;
	    n = bag_again(n))
		count += container_of(n, struct owner, node)->key == key;
	return (count);
}

START_TEST(an_empty_bag_finds_and_walks_nothing)
{
	struct bag	 b = { 0 };

	ck_assert_ptr_null(bag_find(&b, 1));
	ck_assert_ptr_null(bag_first(&b));
	bag_clear(&b);
}
END_TEST

START_TEST(all_of_a_key_are_found)
{
	struct bag	 b = { 0 };

	fill(&b, 1000);
	ck_assert_uint_eq(b.count, nitems(owners));
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(found(&b, i), nitems(owners) / 1000);
	ck_assert_uint_eq(found(&b, 1000), 0);
	bag_clear(&b);
	ck_assert_uint_eq(b.count, 0);
}
END_TEST

START_TEST(a_walk_meets_each_once_and_may_remove)
{
	struct bag	 b = { 0 };
	struct bag_node	*n, *next;
	struct owner	*o;

	fill(&b, 1000);
	for (n = bag_first(&b); n != NULL; n = next) {
		next = bag_next(&b, n);
		o = container_of(n, struct owner, node);
		ck_assert_int_eq(o->seen++, 0);
		if (o->key % 3 == 0)
			bag_remove(&b, n);
	}
	for (size_t i = 0; i < nitems(owners); i++)
		ck_assert_int_eq(owners[i].seen, 1);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(found(&b, i), i % 3 == 0 ? 0 :
		    nitems(owners) / 1000);
	bag_clear(&b);
}
END_TEST

START_TEST(those_of_one_key_come_and_go_in_any_order)
{
	struct bag	 b = { 0 };

	fill(&b, 1);
	for (size_t i = 1; i < nitems(owners); i += 2)
		bag_remove(&b, &owners[i].node);
	for (size_t i = 0; i < nitems(owners); i += 2)
		bag_remove(&b, &owners[nitems(owners) - 2 - i].node);
	ck_assert_uint_eq(b.count, 0);
	ck_assert_ptr_null(bag_first(&b));
	fill(&b, 1);
	ck_assert_uint_eq(found(&b, 0), nitems(owners));
	bag_clear(&b);
}
END_TEST

START_TEST(chains_stay_short)
{
	struct bag	 b = { 0 };
	size_t		 longest = 0, n;

	fill(&b, nitems(owners));
	ck_assert_uint_ge(b.nslots, nitems(owners));
	for (size_t i = 0; i < b.nslots; i++) {
		n = 0;
		for (struct bag_node *e = b.slots[i]; e != NULL; e = e->next)
			n++;
		if (n > longest)
			longest = n;
	}
	ck_assert_uint_lt(longest, 16);
	bag_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bag");
	TCase	*t = tcase_create("bag");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, an_empty_bag_finds_and_walks_nothing);
	tcase_add_test(t, all_of_a_key_are_found);
	tcase_add_test(t, a_walk_meets_each_once_and_may_remove);
	tcase_add_test(t, those_of_one_key_come_and_go_in_any_order);
	tcase_add_test(t, chains_stay_short);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
