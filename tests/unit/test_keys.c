#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/keys.h"
#include "proto/limits.h"

static void
is(char *key, const char *want)
{
	ck_assert_ptr_nonnull(key);
	ck_assert_str_eq(key, want);
	free(key);
}

START_TEST(names_are_plain_and_parts_cannot_run_together)
{
	const char	*p = KEYS_PREFIX;

	is(keys_client(p, slice_str("/room 1"), slice_str("anna")),
	    "kennel:client:/room 1:anna");
	is(keys_client(p, slice_str("a:b"), slice_str("c%")),
	    "kennel:client:a%3Ab:c%25");
	is(keys_client(p, slice_str("a"), slice_str("b:c")),
	    "kennel:client:a:b%3Ac");
	is(keys_client(p, slice_of("\0\n\x7f", 3), slice_str("\xc3\xa9")),
	    "kennel:client:%00%0A%7F:%C3%A9");
	is(keys_client(p, slice_of(NULL, 0), slice_of(NULL, 0)),
	    "kennel:client::");
	is(keys_group(p, slice_str("lobby")), "kennel:group:lobby");
	is(keys_epoch("t:", slice_str("lobby")), "t:epoch:lobby");
	is(keys_node(p, "a:b"), "kennel:node:a%3Ab");
	is(keys_shard(p, "n/3#00000000000000ff"),
	    "kennel:shard:n/3#00000000000000ff");
	is(keys_shard_clients(p, "n/3#00000000000000ff"),
	    "kennel:shard:n/3#00000000000000ff:clients");
}
END_TEST

START_TEST(an_address_is_read_back)
{
	static const char *const nodes[] = { "n", "a/b#c", "#/#", "host:1" };
	char		 a[ADDRESS_MAX];
	uint64_t	 incarnation;
	uint32_t	 slot;
	size_t		 len;

	for (size_t i = 0; i < nitems(nodes); i++) {
		keys_address(a, sizeof(a), nodes[i], 255, 0xfedcba9876543210);
		ck_assert_int_eq(keys_address_parse(slice_str(a), &len, &slot,
		    &incarnation), 0);
		ck_assert_uint_eq(len, strlen(nodes[i]));
		ck_assert_uint_eq(slot, 255);
		ck_assert_uint_eq(incarnation, 0xfedcba9876543210);
	}
	keys_address(a, sizeof(a), "n", 0, 1);
	ck_assert_str_eq(a, "n/0#0000000000000001");
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const wrong[] = {
		"", "#", "/", "n", "n/1", "n#0000000000000001",
		"/1#0000000000000001", "n/#0000000000000001",
		"n/256#0000000000000001", "n/-1#0000000000000001",
		"n/1#000000000000001", "n/1#00000000000000001",
		"n/1#000000000000000A", "n/1#000000000000000g",
		"n/1#0000000000000001 ",
		("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"/1#0000000000000001"),
	};
	uint64_t	 incarnation;
	uint32_t	 slot;
	size_t		 len;

	for (size_t i = 0; i < nitems(wrong); i++) {
		errno = 0;
		ck_assert_msg(keys_address_parse(slice_str(wrong[i]), &len,
		    &slot, &incarnation) == -1, "%s", wrong[i]);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(keys_address_parse(slice_of(NULL, 0), &len, &slot,
	    &incarnation), -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("keys");
	TCase	*t = tcase_create("keys");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, names_are_plain_and_parts_cannot_run_together);
	tcase_add_test(t, an_address_is_read_back);
	tcase_add_test(t, what_is_no_address_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
