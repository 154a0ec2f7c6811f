#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/control.h"

/* Every field set, so that each row takes what is its own. */
static const struct ctl	full = {
	.id = UINT64_MAX, .replica = 2, .neighbour = 3, .incarnation = 4,
	.slot = SLOTS_MAX - 1, .low = 6, .high = 7, .pid = 8, .limit = 9,
	.flags = CTL_F_LAST, .why = 11, .ms = 12, .time = 13,
	.journey = 14, .capsule = 15, .hops = 16, .stayed = 17,
	.group = { "group", 5 }, .uid = { "uid", 3 }, .app = { "chat", 4 },
	.text = { "/run/x", 6 }, .value = { "a\0b", 3 },
};

static void
encode(struct buf *b, const struct ctl *m)
{
	b->len = 0;
	b->failed = 0;
	pack_array(b, 1);
	ctl_encode(b, m);
	ck_assert_int_eq(b->failed, 0);
}

/* From exactly as many bytes; the slices live until the next call. */
static int
decode(struct ctl *m, const char *data, size_t len)
{
	static char	*copy;
	struct pack_in	 in;

	free(copy);
	ck_assert_ptr_nonnull(copy = malloc(len + 1));
	memcpy(copy + 1, data, len);
	if (pack_open(&in, copy + 1, len) == -1)
		return (-1);
	return (ctl_decode(m, &in));
}

START_TEST(every_message_comes_back_as_it_was)
{
	struct buf	b = { 0 }, again = { 0 };
	struct ctl	m = full, got;

	m.type = (enum ctl_type)_i;
	encode(&b, &m);
	ck_assert_int_eq(decode(&got, b.data, b.len), 0);
	ck_assert_int_eq(got.type, m.type);
	encode(&again, &got);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	for (size_t i = 0; i < b.len; i++)
		ck_assert_int_eq(decode(&got, b.data, i), -1);
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

START_TEST(every_message_has_a_name)
{
	ck_assert_str_ne(ctl_name((enum ctl_type)_i), "unknown");
}
END_TEST

START_TEST(an_adopt_keeps_its_record_and_names_its_descriptors)
{
	struct buf	b = { 0 };
	struct ctl	m = { .type = CTL_ADOPT, .id = 5, .replica = 6,
			    .value = { "record", 6 } }, got;

	ck_assert_uint_eq(ctl_fds(&m), 1);
	encode(&b, &m);
	ck_assert_int_eq(decode(&got, b.data, b.len), 0);
	ck_assert(got.id == 5 && got.replica == 6);
	ck_assert(slice_is(got.value, "record"));
	got.flags |= CTL_F_MEMFD;
	ck_assert_uint_eq(ctl_fds(&got), 2);
	got.type = CTL_PING;
	ck_assert_uint_eq(ctl_fds(&got), 0);
	buf_clear(&b);
}
END_TEST

START_TEST(later_fields_are_ignored_and_missing_ones_are_not)
{
	struct buf	b = { 0 };
	struct ctl	m;

	pack_array(&b, 1);
	pack_array(&b, 4);
	pack_u64(&b, CTL_PING);
	pack_u64(&b, 77);
	pack_str(&b, slice_str("of a later version"));
	pack_array(&b, 0);
	ck_assert_int_eq(decode(&m, b.data, b.len), 0);
	ck_assert_uint_eq(m.id, 77);
	b.len = 0;
	pack_array(&b, 1);
	pack_array(&b, 1);
	pack_u64(&b, CTL_PING);
	errno = 0;
	ck_assert_int_eq(decode(&m, b.data, b.len), -1);
	ck_assert_int_eq(errno, EPROTO);
	buf_clear(&b);
}
END_TEST

START_TEST(types_of_a_later_version_are_passed_over)
{
	struct buf	b = { 0 };
	struct pack_in	in;
	struct ctl	m;

	pack_array(&b, 2);
	pack_array(&b, 3);
	pack_u64(&b, CTL_NTYPES);
	pack_str(&b, slice_str("of a later version"));
	pack_array(&b, 0);
	pack_array(&b, 2);
	pack_u64(&b, CTL_PING);
	pack_u64(&b, 77);
	ck_assert_int_eq(pack_open(&in, b.data, b.len), 0);
	ck_assert_int_eq(ctl_decode(&m, &in), 1);
	ck_assert_int_eq(ctl_decode(&m, &in), 0);
	ck_assert(m.type == CTL_PING && m.id == 77);
	buf_clear(&b);
}
END_TEST

START_TEST(what_is_no_message_is_refused)
{
	static const char *const wrong[] = {
		"\x91\x91\xc0", "\x91\x91\xa1x", "\x91\x01", "\x91\x90",
	};
	struct ctl	m;
	struct buf	b = { 0 };

	for (size_t i = 0; i < nitems(wrong); i++) {
		errno = 0;
		ck_assert_int_eq(decode(&m, wrong[i], strlen(wrong[i])), -1);
		ck_assert_int_eq(errno, EPROTO);
	}
	ck_assert_int_eq(decode(&m, "\x91\x91\x00", 3), -1);
	m.type = CTL_NTYPES;
	ctl_encode(&b, &m);
	ck_assert_int_eq(b.failed, 1);
	ck_assert_str_eq(ctl_name(CTL_NTYPES), "unknown");
	ck_assert_str_eq(ctl_name(0), "unknown");
	buf_clear(&b);
}
END_TEST

START_TEST(fields_over_their_limit_are_refused_by_both_sides)
{
	static char	name[GROUP_MAX + 1];
	struct buf	b = { 0 };
	struct ctl	m = { .type = CTL_REPLICA,
			    .group = { name, sizeof(name) } };

	ctl_encode(&b, &m);
	ck_assert_int_eq(b.failed, 1);
	b.failed = 0, b.len = 0;
	m.type = CTL_DEAD;
	m.slot = SLOTS_MAX;
	ctl_encode(&b, &m);
	ck_assert_int_eq(b.failed, 1);
	b.failed = 0, b.len = 0;
	pack_array(&b, 1);
	pack_array(&b, 3);
	pack_u64(&b, CTL_DEAD);
	pack_u64(&b, SLOTS_MAX);
	pack_u64(&b, 1);
	ck_assert_int_eq(decode(&m, b.data, b.len), -1);
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("control");
	TCase	*t = tcase_create("control");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, every_message_comes_back_as_it_was, 1,
	    CTL_NTYPES);
	tcase_add_loop_test(t, every_message_has_a_name, 1,
	    CTL_NTYPES);
	tcase_add_test(t, an_adopt_keeps_its_record_and_names_its_descriptors);
	tcase_add_test(t, later_fields_are_ignored_and_missing_ones_are_not);
	tcase_add_test(t, types_of_a_later_version_are_passed_over);
	tcase_add_test(t, what_is_no_message_is_refused);
	tcase_add_test(t, fields_over_their_limit_are_refused_by_both_sides);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
