/* What is said to a replica while somebody is expected. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "shardd/client/payload.h"
#include "shardd/group/shelf.h"

static struct shelf	*shelf;
static char		 got[256];

static void
setup(void)
{
	ck_assert_ptr_nonnull(shelf = shelf_new());
}

static void
teardown(void)
{
	shelf_free(shelf);
}

static void
put(uint64_t origin, uint64_t number, const char *text)
{
	char		 uid[8], topics[8];
	struct payload	*p = payload_frame(WS_TEXT, slice_str(text));

	/* What is kept is a copy. */
	snprintf(uid, sizeof(uid), "anna");
	snprintf(topics, sizeof(topics), "t");
	shelf_put(shelf, &(struct shelf_said){ .origin = origin,
	    .number = number, .type = GOSSIP_PUBLISH, .uid = slice_str(uid),
	    .but = 1, .topics = slice_of(topics, 2), .p = p });
	uid[0] = topics[0] = 'X';
	payload_unref(p);
}

static void
got_cb(const struct shelf_said *said, void *arg)
{
	size_t	 n = strlen(got);

	ck_assert_ptr_null(arg);
	ck_assert(slice_is(said->uid, "anna") && said->but == 1);
	ck_assert(said->topics.len == 2 && said->topics.data[0] == 't');
	ck_assert_int_eq(said->type, GOSSIP_PUBLISH);
	snprintf(got + n, sizeof(got) - n, "%d%.*s ", (int)said->origin,
	    (int)said->p->len, payload_data(said->p).data);
}

static const char *
each(const struct shelf_user *u, const struct capsule_mark *marks, size_t n)
{
	got[0] = '\0';
	shelf_each(shelf, u, marks, n, n == 0 ? 0 : 3, got_cb, NULL);
	return (got);
}

START_TEST(each_gets_what_is_behind_its_marks_and_its_coming)
{
	const struct capsule_mark	 marks[] = { { 7, 2 }, { 8, 10 } };
	struct shelf_user		 a, b;

	put(7, 1, "nobody");
	shelf_join(shelf, &a);
	put(7, 2, "a");
	put(8, 10, "b");
	shelf_join(shelf, &b);
	put(7, 3, "c");
	put(9, 1, "d");
	put(SHELF_NEWS, 4, "e");
	put(8, 11, "f");
	ck_assert_str_eq(each(&a, NULL, 0), "7a 8b 7c 9d 0e 8f ");
	ck_assert_str_eq(each(&a, marks, 2), "7c 9d 0e 8f ");
	ck_assert_str_eq(each(&b, NULL, 0), "7c 9d 0e 8f ");
	/* What is only for who has gone is forgotten. */
	ck_assert_uint_eq(shelf->n, 7);
	ck_assert_int_eq(shelf_leave(shelf, &a), 1);
	ck_assert_uint_eq(shelf->n, 4);
	ck_assert_str_eq(each(&b, marks, 2), "7c 9d 0e 8f ");
	ck_assert_int_eq(shelf_leave(shelf, &b), 0);
}
END_TEST

START_TEST(beyond_its_bounds_all_is_given_up)
{
	static char	 big[SHELF_BYTES / 2 + 1];
	struct shelf_user a, b;

	shelf_join(shelf, &a);
	for (int i = 0; i < SHELF_ITEMS; i++)
		put(7, (uint64_t)i + 1, "x");
	ck_assert_int_eq(a.spoiled, 0);
	put(7, SHELF_ITEMS + 1, "x");
	ck_assert_int_eq(a.spoiled, 1);
	ck_assert_uint_eq(shelf->n, 0);
	ck_assert_uint_eq(shelf->bytes, 0);
	/* Who is expected from now on is none the worse. */
	shelf_join(shelf, &b);
	memset(big, 'y', sizeof(big) - 1);
	put(7, SHELF_ITEMS + 2, big);
	ck_assert_int_eq(b.spoiled, 0);
	put(7, SHELF_ITEMS + 3, big);
	ck_assert_int_eq(b.spoiled, 1);
	shelf_leave(shelf, &a);
	shelf_leave(shelf, &b);
}
END_TEST

static void
told_cb(const struct shelf_said *said, void *arg)
{
	size_t	 n = strlen(got);

	ck_assert_ptr_null(arg);
	ck_assert_int_eq(said->type, GOSSIP_TELL);
	snprintf(got + n, sizeof(got) - n, "%d.%d:%.*s=%.*s ",
	    (int)said->origin, (int)said->number, (int)said->uid.len,
	    said->uid.data, (int)said->p->len, payload_data(said->p).data);
}

START_TEST(words_are_kept_with_their_heads)
{
	const struct capsule_mark	 marks[] = { { 7, 2 } };
	struct shelf_user		 u;
	char				 head[] = "h", data[] = "word";

	shelf_join(shelf, &u);
	shelf_tell(shelf, 7, 2, slice_str(head), slice_str(data));
	shelf_tell(shelf, 7, 3, slice_str(head), slice_str(data));
	shelf_tell(shelf, 8, 1, slice_of(NULL, 0), slice_of(NULL, 0));
	head[0] = data[0] = 'X';
	got[0] = '\0';
	shelf_each(shelf, &u, marks, 1, 0, told_cb, NULL);
	ck_assert_str_eq(got, "7.3:h=word 8.1:= ");
	shelf_leave(shelf, &u);
}
END_TEST

START_TEST(who_is_expected_has_a_number)
{
	struct shelf_user	 a, b, c;
	uint64_t		 oldest = 1, first, last;

	ck_assert_uint_eq(shelf_expected(NULL, &oldest), 0);
	ck_assert_uint_eq(shelf_expected(shelf, &oldest), 0);
	ck_assert_uint_eq(oldest, 0);
	shelf_join(shelf, &a);
	first = shelf_expected(shelf, &oldest);
	ck_assert_uint_gt(first, 0);
	ck_assert_uint_eq(oldest, first);
	shelf_join(shelf, &b);
	ck_assert_uint_gt(last = shelf_expected(shelf, &oldest), first);
	ck_assert_uint_eq(oldest, first);
	shelf_leave(shelf, &a);
	ck_assert_uint_eq(shelf_expected(shelf, &oldest), last);
	ck_assert_uint_eq(oldest, last);
	shelf_join(shelf, &c);
	shelf_leave(shelf, &b);
	ck_assert_uint_gt(shelf_expected(shelf, &oldest), last);
	ck_assert_uint_gt(oldest, last);
	ck_assert_int_eq(shelf_leave(shelf, &c), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("shelf");
	TCase	*t = tcase_create("shelf");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_gets_what_is_behind_its_marks_and_its_coming);
	tcase_add_test(t, words_are_kept_with_their_heads);
	tcase_add_test(t, who_is_expected_has_a_number);
	tcase_add_test(t, beyond_its_bounds_all_is_given_up);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
