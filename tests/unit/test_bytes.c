#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes.h"

START_TEST(slices_compare_by_bytes_and_empty_ones_need_no_data)
{
	struct slice	 none = { NULL, 0 };

	ck_assert(slice_eq(none, slice_str("")));
	ck_assert(slice_is(none, ""));
	ck_assert_uint_eq(slice_str(NULL).len, 0);
	ck_assert(!slice_is(slice_of("ab", 1), "ab"));
	ck_assert(slice_is(slice_of("ab", 1), "a"));
	ck_assert(!slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
	ck_assert(slice_caseis(slice_str("UpGrade"), "upgrade"));
	ck_assert(!slice_is(slice_str("UpGrade"), "upgrade"));
	ck_assert(!slice_caseeq(slice_str("a"), slice_str("b")));
	ck_assert(slice_caseeq(none, none));
}
END_TEST

START_TEST(trim_takes_spaces_and_tabs_only)
{
	ck_assert(slice_is(slice_trim(slice_str(" \t a b\t ")), "a b"));
	ck_assert(slice_is(slice_trim(slice_str(" \t ")), ""));
	ck_assert(slice_is(slice_trim(slice_str("")), ""));
	ck_assert(slice_is(slice_trim(slice_str("\r\n")), "\r\n"));
}
END_TEST

START_TEST(dup_terminates)
{
	char	*p = slice_dup(slice_of("abc", 2)), *q = slice_dup(
	    slice_of(NULL, 0));

	ck_assert_str_eq(p, "ab");
	ck_assert_str_eq(q, "");
	free(p);
	free(q);
}
END_TEST

static const struct {
	const char	*text;
	uint64_t	 max, value;
	int		 err;
} numbers[] = {
	{ "0", 0, 0, 0 },
	{ "000", 0, 0, 0 },
	{ "0018446744073709551615", UINT64_MAX, UINT64_MAX, 0 },
	{ "18446744073709551616", UINT64_MAX, 0, ERANGE },
	{ "99999999999999999999999", UINT64_MAX, 0, ERANGE },
	{ "100", 100, 100, 0 },
	{ "101", 100, 0, ERANGE },
	{ "1", 0, 0, ERANGE },
	{ "", 9, 0, EINVAL },
	{ "-1", 9, 0, EINVAL },
	{ "+1", 9, 0, EINVAL },
	{ " 1", 9, 0, EINVAL },
	{ "1 ", 9, 0, EINVAL },
	{ "0x1", 9, 0, EINVAL },
	{ "999x", 9, 0, EINVAL },
};

START_TEST(numbers_are_digits_within_a_range)
{
	uint64_t	 v = 77;
	int		 r;

	errno = 0;
	r = slice_u64(slice_str(numbers[_i].text), numbers[_i].max, &v);
	ck_assert_msg(r == (numbers[_i].err == 0 ? 0 : -1), "%s",
	    numbers[_i].text);
	ck_assert_int_eq(errno, numbers[_i].err);
	ck_assert_uint_eq(v, r == 0 ? numbers[_i].value : 77);
}
END_TEST

START_TEST(a_queue_passes_in_order_and_keeps_less_than_it_has)
{
	struct buf	 b = { 0 };
	char		 text[16];
	size_t		 at = 0;

	for (int i = 0, out = 0; out < 10000; out++) {
		for (; i < 10000 && i < 3 * out + 3; i++)
			ck_assert_int_eq(buf_addf(&b, "%05d", i), 0);
		snprintf(text, sizeof(text), "%05d", out);
		ck_assert_mem_eq(b.data + at, text, 5);
		buf_pass(&b, &at, 2);
		ck_assert_mem_eq(b.data + at, text + 2, 3);
		buf_pass(&b, &at, 3);
		ck_assert_uint_le(at, b.len / 2);
	}
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(at, 0);
	buf_clear(&b);
}
END_TEST

START_TEST(a_buffer_grows_and_drains)
{
	struct buf	 b = { 0 };
	char		 text[16];

	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(buf_addf(&b, "%05d", i), 0);
	ck_assert_uint_eq(b.len, 50000);
	for (int i = 0; i < 10000; i += 100) {
		snprintf(text, sizeof(text), "%05d", i);
		ck_assert_mem_eq(b.data, text, 5);
		buf_drain(&b, 500);
	}
	ck_assert_uint_eq(b.len, 0);
	buf_drain(&b, 1);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	buf_clear(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(buf_adds(&b, "again"), 0);
	ck_assert(slice_is(slice_of(b.data, b.len), "again"));
	buf_clear(&b);
}
END_TEST

START_TEST(a_bound_is_reached_and_not_passed)
{
	struct buf	 b = { .max = 8 };

	ck_assert_int_eq(buf_adds(&b, "1234"), 0);
	ck_assert_int_eq(buf_addf(&b, "%d", 5678), 0);
	ck_assert(slice_is(slice_of(b.data, b.len), "12345678"));
	ck_assert_int_eq(buf_add(&b, "", 0), 0);
	errno = 0;
	ck_assert_int_eq(buf_adds(&b, "9"), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(b.failed, 1);
	ck_assert_uint_eq(b.len, 8);
	buf_clear(&b);
}
END_TEST

START_TEST(what_is_formatted_is_whole_at_any_length)
{
	struct buf	 b;
	char		 text[301];

	for (int n = 0; n <= 300; n++) {
		b = (struct buf){ 0 };
		memset(text, 'x', sizeof(text));
		text[n] = '\0';
		ck_assert_int_eq(buf_addf(&b, "%s", text), 0);
		ck_assert_uint_eq(b.len, (size_t)n);
		ck_assert_str_eq(b.data, text);
		buf_clear(&b);
	}
}
END_TEST

START_TEST(a_failure_sticks)
{
	struct buf	 b = { .max = 4 };

	ck_assert_int_eq(buf_addf(&b, "%d", 12345), -1);
	ck_assert_int_eq(b.failed, 1);
	ck_assert_int_eq(buf_adds(&b, "1"), -1);
	ck_assert_ptr_null(buf_reserve(&b, 1));
	ck_assert_int_eq(bytes_percent(&b, slice_str("a")), -1);
	ck_assert_int_eq(bytes_html(&b, slice_str("a")), -1);
	ck_assert_uint_eq(b.len, 0);
	buf_clear(&b);
	ck_assert_int_eq(buf_adds(&b, "1"), 0);
	buf_clear(&b);
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_int_eq(b.failed, 1);
}
END_TEST

START_TEST(integers_are_big_endian_at_any_address)
{
	unsigned char	 b[16] = { 0 };

	bytes_put_be16(b + 1, 0x0102);
	bytes_put_be32(b + 3, 0xfffefdfcu);
	bytes_put_be64(b + 7, 0x8182838485868788u);
	ck_assert_mem_eq(b,
	    "\0\x01\x02\xff\xfe\xfd\xfc\x81\x82\x83\x84\x85\x86\x87\x88\0", 16);
	ck_assert_uint_eq(bytes_get_be16(b + 1), 0x0102);
	ck_assert_uint_eq(bytes_get_be32(b + 3), 0xfffefdfcu);
	ck_assert_uint_eq(bytes_get_be64(b + 7), 0x8182838485868788u);
}
END_TEST

static const struct {
	const char	*in, *out;
	int		 plus;
} decoded[] = {
	{ "a%20b", "a b", 0 },
	{ "%41%6a%6A", "Ajj", 0 },
	{ "a+b", "a+b", 0 },
	{ "a+b%2B", "a b+", 1 },
	{ "%", "%", 0 },
	{ "%4", "%4", 0 },
	{ "%4g%g4", "%4g%g4", 0 },
	{ "%%41", "%A", 0 },
	{ "", "", 1 },
};

START_TEST(percent_decoding_leaves_what_it_cannot_read)
{
	char	 out[16];
	size_t	 n;

	n = bytes_unpercent(out, slice_str(decoded[_i].in), decoded[_i].plus);
	ck_assert_msg(slice_is(slice_of(out, n), decoded[_i].out), "%s",
	    decoded[_i].in);
}
END_TEST

START_TEST(percent_encoding_survives_every_byte)
{
	struct buf	 b = { 0 };
	char		 all[256], back[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	ck_assert_int_eq(bytes_percent(&b, slice_of(all, 256)), 0);
	/* 66 unreserved characters stay (RFC 3986 2.3). */
	ck_assert_uint_eq(b.len, 66 + 3 * (256 - 66));
	ck_assert_uint_eq(bytes_unpercent(back, slice_of(b.data, b.len), 1),
	    256);
	ck_assert_mem_eq(all, back, 256);
	buf_clear(&b);
	bytes_percent(&b, slice_of("~\xc3\xa4:/\0", 6));
	ck_assert(slice_is(slice_of(b.data, b.len), "~%C3%A4%3A%2F%00"));
	buf_clear(&b);
}
END_TEST

START_TEST(html_is_escaped)
{
	struct buf	 b = { 0 };

	bytes_html(&b, slice_str("<a href=\"x\">'&amp;"));
	ck_assert(slice_is(slice_of(b.data, b.len),
	    "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;"));
	buf_clear(&b);
}
END_TEST

START_TEST(hex_is_lower_case_and_terminated)
{
	char	 dst[] = "xxxxxxxxx";

	bytes_hex(dst, "\x00\xaf\xF0", 3);
	ck_assert_str_eq(dst, "00aff0");
	bytes_hex(dst, NULL, 0);
	ck_assert_str_eq(dst, "");
}
END_TEST

START_TEST(random_numbers_differ)
{
	uint64_t	 seen[64];

	for (size_t i = 0; i < nitems(seen); i++) {
		seen[i] = bytes_random64();
		ck_assert_uint_ne(seen[i], 0);
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(seen[i], seen[j]);
	}
}
END_TEST

START_TEST(a_kept_buffer_is_taken_and_given_back)
{
	struct buf	 kept = { 0 }, a = buf_take(&kept), b;
	char		*p;

	buf_adds(&a, "some");
	p = a.data;
	buf_give(&kept, &a);
	ck_assert_ptr_null(a.data);
	a = buf_take(&kept);
	ck_assert_ptr_eq(a.data, p);
	ck_assert_uint_eq(a.len, 0);
	b = buf_take(&kept);		/* while it is in use */
	ck_assert_ptr_null(b.data);
	buf_adds(&b, "other");
	buf_give(&kept, &a);
	buf_give(&kept, &b);		/* one is enough */
	ck_assert_ptr_eq(kept.data, p);
	a = buf_take(&kept);
	ck_assert_ptr_nonnull(buf_reserve(&a, BUF_KEEP + 1));
	buf_give(&kept, &a);
	ck_assert_ptr_null(kept.data);
	a.failed = 1;
	buf_give(&kept, &a);
	ck_assert_int_eq(kept.failed, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bytes");
	TCase	*t = tcase_create("bytes");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t,
	    slices_compare_by_bytes_and_empty_ones_need_no_data);
	tcase_add_test(t, trim_takes_spaces_and_tabs_only);
	tcase_add_test(t, dup_terminates);
	tcase_add_loop_test(t, numbers_are_digits_within_a_range, 0,
	    (int)nitems(numbers));
	tcase_add_test(t,
	    a_queue_passes_in_order_and_keeps_less_than_it_has);
	tcase_add_test(t, a_buffer_grows_and_drains);
	tcase_add_test(t, a_bound_is_reached_and_not_passed);
	tcase_add_test(t, what_is_formatted_is_whole_at_any_length);
	tcase_add_test(t, a_failure_sticks);
	tcase_add_test(t, integers_are_big_endian_at_any_address);
	tcase_add_loop_test(t, percent_decoding_leaves_what_it_cannot_read, 0,
	    (int)nitems(decoded));
	tcase_add_test(t, percent_encoding_survives_every_byte);
	tcase_add_test(t, html_is_escaped);
	tcase_add_test(t, hex_is_lower_case_and_terminated);
	tcase_add_test(t, random_numbers_differ);
	tcase_add_test(t, a_kept_buffer_is_taken_and_given_back);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
