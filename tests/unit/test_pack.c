#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pack.h"

static const struct hostile {
	const char	*name, *bytes;
	size_t		 len;
} hostile[] = {
#define H(name, s)	{ name, s, sizeof(s) - 1 }
	H("nothing", ""),
	H("not an array", "\x01"),
	H("a string alone", "\xc4\x01" "a"),
	H("four billion elements", "\xdd\xff\xff\xff\xff"),
	H("65535 elements", "\xdc\xff\xff"),
	H("more elements than bytes", "\x93\x01\x02"),
	H("an array16 cut in its count", "\xdc\x00"),
	H("an array32 cut in its count", "\xdd\x00\x00\x00"),
	H("a string of 4 GiB", "\x91\xc6\xff\xff\xff\xff"),
	H("a string longer than the bytes", "\x91\xc4\x03" "ab"),
	H("a fixed string longer than the bytes", "\x91\xa3" "ab"),
	H("a string16 cut in its length", "\x91\xda\x00"),
	H("an integer cut", "\x91\xcf\x01\x02\x03"),
	H("trailing bytes", "\x91\x01\x01"),
	H("a map", "\x91\x80"),
	H("a map16", "\x91\xde\x00\x00"),
	H("a float", "\x91\xca\x00\x00\x00\x00"),
	H("a double", "\x91\xcb\x00\x00\x00\x00\x00\x00\x00\x00"),
	H("an extension", "\x91\xd4\x01\x01"),
	H("a boolean", "\x91\xc3"),
	H("a negative number", "\x91\xff"),
	H("a signed number", "\x91\xd0\x01"),
	H("the reserved byte", "\x91\xc1"),
	H("five levels", "\x91\x91\x91\x91\x91\x01"),
	H("five levels, the last empty", "\x91\x91\x91\x91\x90"),
#undef H
};

/* An exact copy, so that a sanitizer sees what reads too far. */
static int
open_exact(struct pack_in *in, const void *data, size_t len, void **keep)
{
	*keep = malloc(len + 1);
	ck_assert_ptr_nonnull(*keep);
	if (len != 0)
		memcpy((char *)*keep + 1, data, len);
	return (pack_open(in, (char *)*keep + 1, len));
}

START_TEST(hostile_bytes_are_refused_before_anything_is_reserved)
{
	const struct hostile	*h = &hostile[_i];
	struct pack_in		 in;
	void			*keep;

	errno = 0;
	ck_assert_msg(open_exact(&in, h->bytes, h->len, &keep) == -1, "%s",
	    h->name);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_uint_eq(pack_in_left(&in), 0);
	ck_assert_uint_eq(pack_in_u64(&in, 9), 0);
	free(keep);
}
END_TEST

START_TEST(what_is_written_is_read_and_every_cut_is_refused)
{
	static const uint64_t	 numbers[] = { 0, 1, 127, 128, 255, 256, 65535,
		65536, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX };
	static const size_t	 lengths[] = { 0, 1, 31, 32, 255, 256, 65535,
		65536 };
	static char		 text[65536];
	struct buf		 b = { 0 };
	struct pack_in		 in, inner;
	struct slice		 s;
	void			*keep;

	memset(text, 'x', sizeof(text));
	pack_array(&b, 2);
	pack_array(&b, nitems(numbers));
	for (size_t i = 0; i < nitems(numbers); i++)
		pack_u64(&b, numbers[i]);
	pack_array(&b, nitems(lengths));
	for (size_t i = 0; i < nitems(lengths); i++)
		pack_str(&b, slice_of(text, lengths[i]));
	ck_assert_int_eq(b.failed, 0);

	ck_assert_int_eq(open_exact(&in, b.data, b.len, &keep), 0);
	ck_assert_uint_eq(pack_in_left(&in), 2);
	inner = pack_in_array(&in);
	for (size_t i = 0; i < nitems(numbers); i++)
		ck_assert_uint_eq(pack_in_u64(&inner, UINT64_MAX), numbers[i]);
	ck_assert(pack_in_left(&inner) == 0 && !inner.bad);
	inner = pack_in_array(&in);
	for (size_t i = 0; i < nitems(lengths); i++) {
		s = pack_in_str(&inner, lengths[i]);
		ck_assert_uint_eq(s.len, lengths[i]);
		ck_assert(s.len == 0 || memcmp(s.data, text, s.len) == 0);
	}
	ck_assert(!inner.bad && !in.bad);
	free(keep);

	for (size_t i = 0; i < b.len; i += i < 600 || i > b.len - 600 ? 1 : 97) {
		ck_assert_int_eq(open_exact(&in, b.data, i, &keep), -1);
		free(keep);
	}
	buf_clear(&b);
}
END_TEST

START_TEST(a_wrong_read_is_bad_and_stays_bad)
{
	struct pack_in	in, inner;

	ck_assert_int_eq(pack_open(&in, "\x93\x05\xc4\x01" "a\x07", 6), 0);
	ck_assert_uint_eq(pack_in_u64(&in, 5), 5);
	ck_assert_uint_eq(pack_in_u64(&in, 5), 0);	/* a string */
	ck_assert_int_eq(in.bad, 1);
	ck_assert_uint_eq(pack_in_u64(&in, 9), 0);

	ck_assert_int_eq(pack_open(&in, "\x91\x06", 2), 0);
	ck_assert_uint_eq(pack_in_u64(&in, 5), 0);	/* out of range */
	ck_assert_int_eq(in.bad, 1);

	ck_assert_int_eq(pack_open(&in, "\x91\xa2" "ab", 4), 0);
	ck_assert_uint_eq(pack_in_str(&in, 1).len, 0);	/* too long */
	ck_assert_int_eq(in.bad, 1);

	ck_assert_int_eq(pack_open(&in, "\x91\x06", 2), 0);
	inner = pack_in_array(&in);
	ck_assert(in.bad && inner.bad);
	ck_assert_uint_eq(pack_in_left(&inner), 0);

	ck_assert_int_eq(pack_open(&in, "\x90", 1), 0);
	ck_assert(pack_in_left(&in) == 0 && !in.bad);
	ck_assert_uint_eq(pack_in_str(&in, 1).len, 0);	/* missing */
	ck_assert_int_eq(in.bad, 1);

	ck_assert_int_eq(pack_open(&in, "\x91\xc0", 2), 0);
	ck_assert_uint_eq(pack_in_u64(&in, 5), 0);	/* nil is no number */
	ck_assert_int_eq(in.bad, 1);
}
END_TEST

START_TEST(elements_are_bounded_over_all_arrays)
{
	struct buf	b = { 0 };
	struct pack_in	in;

	pack_array(&b, PACK_ITEMS_MAX);
	for (size_t i = 0; i < PACK_ITEMS_MAX; i++)
		pack_u64(&b, 1);
	ck_assert_int_eq(pack_open(&in, b.data, b.len), 0);
	b.len = 0;
	pack_array(&b, 2);
	for (size_t j = 0; j < 2; j++) {
		pack_array(&b, PACK_ITEMS_MAX / 2);
		for (size_t i = 0; i < PACK_ITEMS_MAX / 2; i++)
			pack_u64(&b, 1);
	}
	ck_assert_int_eq(pack_open(&in, b.data, b.len), -1);
	ck_assert_int_eq(errno, EPROTO);
	buf_clear(&b);
}
END_TEST

START_TEST(fields_above_their_maximum_fail_both_ways)
{
	struct thing { uint32_t a; uint64_t b; struct slice c; };
	static const struct pack_field	fields[] = {
		{ PACK_U32, offsetof(struct thing, a), 7 },
		{ PACK_U64, offsetof(struct thing, b), UINT64_MAX },
		{ PACK_SLICE, offsetof(struct thing, c), 3 },
	};
	struct thing	 t = { 7, UINT64_MAX, slice_str("abc") }, u;
	struct buf	 b = { 0 };
	struct pack_in	 in;

	pack_array(&b, 3);
	for (size_t i = 0; i < 3; i++)
		pack_field(&b, &fields[i], &t);
	ck_assert_int_eq(b.failed, 0);
	ck_assert_int_eq(pack_open(&in, b.data, b.len), 0);
	for (size_t i = 0; i < 3; i++)
		pack_in_field(&in, &fields[i], &u);
	ck_assert(!in.bad && u.a == 7 && u.b == UINT64_MAX);
	ck_assert(slice_is(u.c, "abc"));

	t.a = 8;
	pack_field(&b, &fields[0], &t);
	ck_assert_int_eq(b.failed, 1);
	b.failed = 0;
	t.c = slice_str("abcd");
	pack_field(&b, &fields[2], &t);
	ck_assert_int_eq(b.failed, 1);
	buf_clear(&b);

	ck_assert_int_eq(pack_open(&in, "\x91\x08", 2), 0);
	pack_in_field(&in, &fields[0], &u);
	ck_assert(in.bad && u.a == 0);
}
END_TEST

/* A message as three versions know it: each with one field more. */
struct grown {
	uint64_t	 a, b, c;
	struct slice	 s;
};
enum { G_A = PACK_FIRST, G_B, G_C, G_S };
static const struct pack_field	grown_fields[] = {
	[G_A] = { PACK_U64, offsetof(struct grown, a), UINT64_MAX },
	[G_B] = { PACK_U64, offsetof(struct grown, b), UINT64_MAX },
	[G_C] = { PACK_U64, offsetof(struct grown, c), UINT64_MAX },
	[G_S] = { PACK_BEHIND, offsetof(struct grown, s), 100 },
};
static const uint8_t	grown_rows[][PACK_ROW] = {
	{ G_A, G_S },
	{ G_A, G_S, PACK_LATER, G_B },
	{ G_A, G_S, PACK_LATER, G_B, G_C },
};

START_TEST(each_version_reads_every_other_ones_message)
{
	const struct grown	 sent = { 1, 2, 3, slice_str("behind") };
	struct grown		 got;
	struct buf		 b = { 0 };
	struct pack_in		 in;
	struct slice		 rest;
	int			 from = _i / 3, to = _i % 3;

	pack_row(&b, 9, grown_rows[from], grown_fields, &sent, 1);
	ck_assert_int_eq(b.failed, 0);
	buf_add(&b, sent.s.data, sent.s.len);
	ck_assert_int_eq(pack_open_head(&in, b.data, b.len, &rest), 0);
	ck_assert_uint_eq(pack_in_u64(&in, UINT64_MAX), 9);
	memset(&got, 0, sizeof(got));
	pack_in_row(&in, grown_rows[to], grown_fields, &got);
	ck_assert_int_eq(in.bad, 0);
	ck_assert_uint_eq(got.a, 1);
	ck_assert_uint_eq(got.b, from >= 1 && to >= 1 ? 2 : 0);
	ck_assert_uint_eq(got.c, from >= 2 && to >= 2 ? 3 : 0);
	ck_assert_uint_eq(got.s.len, rest.len);
	ck_assert(slice_is(rest, "behind"));
	buf_clear(&b);
}
END_TEST

START_TEST(what_all_versions_know_may_not_be_missing)
{
	struct pack_in	 in;
	struct grown	 got = { 0 };

	/* Type and a, but not the length of what stands behind. */
	ck_assert_int_eq(pack_open(&in, "\x92\x09\x01", 3), 0);
	pack_in_u64(&in, UINT64_MAX);
	pack_in_row(&in, grown_rows[2], grown_fields, &got);
	ck_assert_int_eq(in.bad, 1);
	/* A later field of a wrong type is no field that was left out. */
	ck_assert_int_eq(pack_open(&in, "\x94\x09\x01\x00\xa1x", 6), 0);
	pack_in_u64(&in, UINT64_MAX);
	pack_in_row(&in, grown_rows[2], grown_fields, &got);
	ck_assert_int_eq(in.bad, 1);
}
END_TEST

START_TEST(bytes_behind_an_array_are_refused_or_given)
{
	struct pack_in	 in;
	struct slice	 rest;

	ck_assert_int_eq(pack_open(&in, "\x91\x05xy", 4), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(in.bad, 1);
	ck_assert_int_eq(pack_open_head(&in, "\x91\x05xy", 4, &rest), 0);
	ck_assert(slice_is(rest, "xy"));
	ck_assert_uint_eq(pack_in_u64(&in, 9), 5);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pack");
	TCase	*t = tcase_create("pack");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t,
	    hostile_bytes_are_refused_before_anything_is_reserved, 0,
	    (int)nitems(hostile));
	tcase_add_test(t, what_is_written_is_read_and_every_cut_is_refused);
	tcase_add_test(t, a_wrong_read_is_bad_and_stays_bad);
	tcase_add_test(t, elements_are_bounded_over_all_arrays);
	tcase_add_test(t, fields_above_their_maximum_fail_both_ways);
	tcase_add_loop_test(t, each_version_reads_every_other_ones_message, 0, 9);
	tcase_add_test(t, what_all_versions_know_may_not_be_missing);
	tcase_add_test(t, bytes_behind_an_array_are_refused_or_given);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
