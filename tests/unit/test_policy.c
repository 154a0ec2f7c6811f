/* What a route allows its WebSocket clients. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "proto/policy.h"

START_TEST(each_key_is_read_as_it_was_written)
{
	struct policy_values		 from, to;
	const struct policy_key		*k;
	char				 text[32];

	for (k = policy_keys; k->key != NULL; k++) {
		memset(&from, 0, sizeof(from));
		memset(&to, 0, sizeof(to));
		*policy_at(&from, k) = k->kind == POLICY_SLOW ?
		    SLOW_DROP_OLD : k->max;
		policy_write(text, sizeof(text), &from, k);
		ck_assert_ptr_eq(policy_key(slice_str(k->key)), k);
		ck_assert_int_eq(policy_read(&to, k, slice_str(text)), 0);
		ck_assert_int_eq(memcmp(&from, &to, sizeof(to)), 0);
	}
}
END_TEST

START_TEST(each_member_has_a_key)
{
	const struct policy_key	*k;
	size_t			 n = 0;

	for (k = policy_keys; k->key != NULL; k++)
		n += sizeof(uint32_t);
	ck_assert_uint_eq(n, sizeof(struct policy_values));
}
END_TEST

START_TEST(what_is_no_value_of_a_key_changes_nothing)
{
	static const struct { const char *key, *value; } rows[] = {
		{ "slow", "never" }, { "slow", "" }, { "slow", "closed" },
		{ "message_rate", "many" }, { "message_rate", "" },
		{ "byte_rate", "-1" }, { "byte_rate", "4294967296" },
	};
	struct policy_values	 v = { .slow = SLOW_DROP_NEW,
				    .message_rate = 1, .byte_rate = 2 };

	for (size_t i = 0; i < nitems(rows); i++)
		ck_assert_int_eq(policy_read(&v, policy_key(slice_str(
		    rows[i].key)), slice_str(rows[i].value)), -1);
	ck_assert_uint_eq(v.slow, SLOW_DROP_NEW);
	ck_assert_uint_eq(v.message_rate, 1);
	ck_assert_uint_eq(v.byte_rate, 2);
	ck_assert_ptr_null(policy_key(slice_str("")));
	ck_assert_ptr_null(policy_key(slice_str("slowly")));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("policy");
	TCase	*t = tcase_create("policy");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(t, each_key_is_read_as_it_was_written);
	tcase_add_test(t, each_member_has_a_key);
	tcase_add_test(t, what_is_no_value_of_a_key_changes_nothing);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
