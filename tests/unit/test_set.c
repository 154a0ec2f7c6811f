#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/set.h"

struct entry {
	uint32_t	 key;
	int		 seen;
};

static struct entry	 entries[5000];

static uint32_t
entry_hash(const void *entry)
{
	return (bag_hash(&((const struct entry *)entry)->key,
	    sizeof(uint32_t)));
}

/* All of few homes, and around the end. */
static uint32_t
bad_hash(const void *entry)
{
	return (0u - 4 + ((const struct entry *)entry)->key % 7);
}

static struct entry *
found(const struct set *s, uint32_t key)
{
	struct entry	*e, like = { .key = key };
	size_t		 at;

	for (e = set_find(s, s->hash(&like), &at); e != NULL;
	    e = set_again(s, &at))
		if (e->key == key)
			return (e);
	return (NULL);
}

static void
fill(struct set *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		entries[i] = (struct entry){ .key = (uint32_t)i };
		ck_assert_int_eq(set_insert(s, &entries[i]), 0);
	}
	ck_assert_uint_eq(s->count, n);
}

START_TEST(an_empty_set_finds_and_walks_nothing)
{
	struct set	 s = { .hash = entry_hash };
	size_t		 at = 0;

	ck_assert_ptr_null(found(&s, 1));
	ck_assert_ptr_null(set_next(&s, &at));
	set_clear(&s);
}
END_TEST

START_TEST(each_is_found_and_nothing_else)
{
	struct set	 s = { .hash = entry_hash };

	fill(&s, nitems(entries));
	for (size_t i = 0; i < nitems(entries); i++)
		ck_assert_ptr_eq(found(&s, (uint32_t)i), &entries[i]);
	ck_assert_ptr_null(found(&s, nitems(entries)));
	ck_assert_uint_le(s.nslots, 8192);
	set_clear(&s);
	ck_assert_ptr_null(found(&s, 1));
}
END_TEST

static void
removing(uint32_t (*hash)(const void *), size_t n)
{
	struct set	 s = { .hash = hash };

	srand(7);
	fill(&s, n);
	for (int round = 0; round < 20 * (int)n; round++) {
		size_t	 i = (size_t)rand() % n;

		if (found(&s, (uint32_t)i) == NULL)
			ck_assert_int_eq(set_insert(&s, &entries[i]), 0);
		else {
			set_remove(&s, &entries[i]);
			ck_assert_ptr_null(found(&s, (uint32_t)i));
		}
		if (round % 50 == 0)
			for (size_t k = 0, left = 0; k < n; k++) {
				left += found(&s, (uint32_t)k) != NULL;
				if (k == n - 1)
					ck_assert_uint_eq(left, s.count);
			}
	}
	set_clear(&s);
}

START_TEST(removing_loses_no_other)
{
	removing(entry_hash, 200);
	removing(bad_hash, 40);
}
END_TEST

START_TEST(a_walk_meets_each_and_may_remove)
{
	struct set	 s = { .hash = _i == 0 ? entry_hash : bad_hash };
	struct entry	*e;
	size_t		 at = 0, n = _i == 0 ? nitems(entries) : 40;

	fill(&s, n);
	while ((e = set_next(&s, &at)) != NULL) {
		e->seen++;
		if (e->key % 3 == 0) {
			set_remove(&s, e);
			at--;
		}
	}
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_ge(entries[i].seen, 1);
		ck_assert((found(&s, (uint32_t)i) == NULL) == (i % 3 == 0));
	}
	set_clear(&s);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("set");
	TCase	*t = tcase_create("set");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, an_empty_set_finds_and_walks_nothing);
	tcase_add_test(t, each_is_found_and_nothing_else);
	tcase_add_test(t, removing_loses_no_other);
	tcase_add_loop_test(t, a_walk_meets_each_and_may_remove, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
