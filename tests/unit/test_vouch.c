/* How one server proves to another that both have the same key. */
#include <check.h>
#include <string.h>

#include "proto/vouch.h"

#define SEED	"0123456789abcdefghijABCDEFGHIJ01"

/* The value of a header line. */
static struct slice
value_of(const struct buf *b)
{
	const char	*colon = memchr(b->data, ':', b->len);

	ck_assert_ptr_nonnull(colon);
	ck_assert(b->len > 2 && memcmp(b->data + b->len - 2, "\r\n", 2) == 0);
	return (slice_trim(slice_of(colon + 1,
	    (size_t)(b->data + b->len - 2 - colon - 1))));
}

START_TEST(a_seed_is_read_as_it_was_given)
{
	char		 seed[PROOF_SEED + 1];
	struct buf	 b = { 0 };
	static const char *const wrong[] = { "", "Kennel", "Kennel seed=",
	    "Basic seed=\"" SEED "\"", "Kennel seed=\"" SEED,
	    "Kennel seed=\"0" SEED "\"", "Kennel sead=\"" SEED "\"",
	    "Kennel seed=\"0123456789abcdefghijABCDEFGHIJ0\r\"" };

	vouch_ask(&b, SEED);
	ck_assert_int_eq(vouch_seed(seed, value_of(&b)), 0);
	ck_assert_str_eq(seed, SEED);
	for (size_t i = 0; i < nitems(wrong); i++)
		ck_assert_int_eq(vouch_seed(seed, slice_str(wrong[i])), -1);
	buf_clear(&b);
}
END_TEST

START_TEST(an_answer_is_right_for_its_question_alone)
{
	struct slice	 key = slice_str("sixteen bytes or more");
	struct slice	 get = slice_str("GET"), target = slice_str("/a?b");
	struct buf	 b = { 0 };
	struct slice	 v;

	ck_assert_int_eq(vouch_answer(&b, key, SEED, get, target), 0);
	v = value_of(&b);
	ck_assert(vouch_right(v, key, SEED, get, target));
	ck_assert(!vouch_right(v, slice_str("sixteen bytes or less"), SEED, get,
	    target));
	ck_assert(!vouch_right(v, key, "0" SEED, get, target));
	ck_assert(!vouch_right(v, key, "", get, target));
	ck_assert(!vouch_right(v, key, SEED, slice_str("PUT"), target));
	ck_assert(!vouch_right(v, key, SEED, get, slice_str("/a?c")));
	ck_assert(!vouch_right(slice_of(v.data, v.len - 1), key, SEED, get,
	    target));
	ck_assert(!vouch_right(slice_of(NULL, 0), key, SEED, get, target));
	ck_assert(!vouch_right(slice_str("Basic x"), key, SEED, get, target));
	buf_clear(&b);
	/* Nothing is right for a question that was not asked. */
	ck_assert_int_eq(vouch_answer(&b, key, "", get, target), 0);
	ck_assert(!vouch_right(value_of(&b), key, "", get, target));
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("vouch");
	TCase	*t = tcase_create("vouch");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_seed_is_read_as_it_was_given);
	tcase_add_test(t, an_answer_is_right_for_its_question_alone);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
