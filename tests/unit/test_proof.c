/* The proof that somebody knows a key. */
#include <check.h>

#include "proto/proof.h"

START_TEST(a_proof_is_the_hmac_in_hex)
{
	const char	*want = "8985a3d1589b45801bd3c68ca83acd18d98f7a6915ba55a7"
			    "bb24a8ffdf5e431c";
	struct slice	 seed = slice_str("0123456789abcdef0123456789abcdef");
	char		 proof[PROOF_LEN + 1];

	/* The vector of the description of @gatejs/cluster. */
	ck_assert_int_eq(proof_make(proof, slice_str("k"), seed), 0);
	ck_assert_str_eq(proof, want);
	/* RFC 4231, test case 2 */
	ck_assert_int_eq(proof_make(proof, slice_str("Jefe"),
	    slice_str("what do ya want for nothing?")), 0);
	ck_assert_str_eq(proof, "5bdcc146bf60754e6a042426089575c75a003f089d2739"
	    "839dec58b964ec3843");
	ck_assert(proof_right(slice_str(want), slice_str("k"), seed));
}
END_TEST

START_TEST(nothing_else_is_right)
{
	struct slice	 seed = slice_str("seed"), key = slice_str("key");
	char		 proof[PROOF_LEN + 1];

	ck_assert_int_eq(proof_make(proof, key, seed), 0);
	ck_assert(!proof_right(slice_of(proof, PROOF_LEN - 1), key, seed));
	ck_assert(!proof_right(slice_of(proof, PROOF_LEN + 1), key, seed));
	ck_assert(!proof_right(slice_of(NULL, 0), key, seed));
	ck_assert(!proof_right(slice_str(proof), key, slice_str("seeds")));
	ck_assert(!proof_right(slice_str(proof), slice_str("Key"), seed));
	for (size_t i = 0; i < PROOF_LEN; i++) {
		proof[i] ^= 1;
		ck_assert(!proof_right(slice_str(proof), key, seed));
		proof[i] ^= 1;
	}
	ck_assert(proof_right(slice_str(proof), key, seed));
}
END_TEST

START_TEST(seeds_are_letters_and_digits_and_fresh)
{
	char	 a[PROOF_SEED + 1], b[PROOF_SEED + 1];

	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(proof_seed(a), 0);
		ck_assert_int_eq(proof_seed(b), 0);
		ck_assert_uint_eq(strlen(a), PROOF_SEED);
		ck_assert_uint_eq(strspn(a, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz"), PROOF_SEED);
		ck_assert_str_ne(a, b);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("proof");
	TCase	*t = tcase_create("proof");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_proof_is_the_hmac_in_hex);
	tcase_add_test(t, nothing_else_is_right);
	tcase_add_test(t, seeds_are_letters_and_digits_and_fresh);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
