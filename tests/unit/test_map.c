#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"

struct owner {
	struct map_node	 node;
	char		 name[16];
	size_t		 len;
	int		 seen;
};

static struct owner	 owners[5000];

static void
fill(struct map *m)
{
	for (size_t i = 0; i < nitems(owners); i++) {
		owners[i].len = (size_t)snprintf(owners[i].name,
		    sizeof(owners[i].name), "key %zu", i);
		owners[i].seen = 0;
		ck_assert_int_eq(map_insert(m, &owners[i].node, owners[i].name,
		    owners[i].len), 0);
	}
}

START_TEST(an_empty_map_finds_and_walks_nothing)
{
	struct map	 m = { 0 };

	ck_assert_ptr_null(map_find(&m, "a", 1));
	ck_assert_ptr_null(map_first(&m));
	map_clear(&m);
}
END_TEST

START_TEST(each_entry_is_found_by_its_bytes_alone)
{
	struct map	 m = { 0 };
	struct map_node	*n;
	char		 copy[16];

	fill(&m);
	ck_assert_uint_eq(m.count, nitems(owners));
	for (size_t i = 0; i < nitems(owners); i++) {
		memcpy(copy, owners[i].name, sizeof(copy));
		n = map_find(&m, copy, owners[i].len);
		ck_assert_ptr_eq(n, &owners[i].node);
		ck_assert_ptr_eq(container_of(n, struct owner, node),
		    &owners[i]);
	}
	ck_assert_ptr_null(map_find(&m, "key", 3));
	ck_assert_ptr_null(map_find(&m, "key 1\0", 6));
	map_clear(&m);
	ck_assert_uint_eq(m.count, 0);
}
END_TEST

START_TEST(keys_may_be_empty_or_hold_zeros)
{
	struct map	 m = { 0 };
	struct map_node	 empty, zero, zeros;

	map_insert(&m, &empty, NULL, 0);
	map_insert(&m, &zero, "\0", 1);
	map_insert(&m, &zeros, "\0\0", 2);
	ck_assert_ptr_eq(map_find(&m, "", 0), &empty);
	ck_assert_ptr_eq(map_find(&m, "\0", 1), &zero);
	ck_assert_ptr_eq(map_find(&m, "\0\0", 2), &zeros);
	map_clear(&m);
}
END_TEST

START_TEST(a_walk_meets_each_once_and_may_remove)
{
	struct map	 m = { 0 };
	struct map_node	*n, *next;
	struct owner	*o;
	size_t		 left = 0;

	fill(&m);
	for (n = map_first(&m); n != NULL; n = next) {
		next = map_next(&m, n);
		o = container_of(n, struct owner, node);
		ck_assert_int_eq(o->seen++, 0);
		if ((o - owners) % 3 == 0)
			map_remove(&m, n);
	}
	for (size_t i = 0; i < nitems(owners); i++) {
		ck_assert_int_eq(owners[i].seen, 1);
		n = map_find(&m, owners[i].name, owners[i].len);
		ck_assert((n == NULL) == (i % 3 == 0));
		left += n != NULL;
	}
	ck_assert_uint_eq(m.count, left);
	/* What was removed may come again. */
	ck_assert_int_eq(map_insert(&m, &owners[0].node, owners[0].name,
	    owners[0].len), 0);
	ck_assert_ptr_eq(map_find(&m, owners[0].name, owners[0].len),
	    &owners[0].node);
	map_clear(&m);
}
END_TEST

struct item {
	int		 n;
	struct list	 at;
};

START_TEST(a_list_keeps_order_and_removal_is_harmless_twice)
{
	struct list	 head, *e, *tmp;
	struct item	 items[4] = { { .n = 0 }, { .n = 1 }, { .n = 2 },
			    { .n = 3 } };
	int		 n = 0;

	list_init(&head);
	ck_assert(list_empty(&head));
	for (size_t i = 0; i < nitems(items); i++)
		list_push(&head, &items[i].at);
	list_remove(&items[1].at);
	list_remove(&items[1].at);
	list_each(e, tmp, &head) {
		ck_assert_int_eq(list_entry(e, struct item, at)->n, n);
		n += n == 0 ? 2 : 1;
		list_remove(e);
	}
	ck_assert_int_eq(n, 4);
	ck_assert(list_empty(&head));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("map");
	TCase	*t = tcase_create("map");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, an_empty_map_finds_and_walks_nothing);
	tcase_add_test(t, each_entry_is_found_by_its_bytes_alone);
	tcase_add_test(t, keys_may_be_empty_or_hold_zeros);
	tcase_add_test(t, a_walk_meets_each_once_and_may_remove);
	tcase_add_test(t, a_list_keeps_order_and_removal_is_harmless_twice);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
