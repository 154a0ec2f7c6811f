#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/fasttcp.h"

/* Bytes from hex; blanks are passed over. */
static struct slice
hex(const char *text)
{
	static char	 out[8][4096];
	static unsigned	 turn;
	char		*to = out[turn++ % 8];
	unsigned	 byte;
	size_t		 n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		ck_assert_int_eq(sscanf(text, "%2x", &byte), 1);
		to[n++] = (char)byte;
		text++;
	}
	return (slice_of(to, n));
}

static void
same(struct slice got, struct slice wanted)
{
	ck_assert_uint_eq(got.len, wanted.len);
	ck_assert(slice_eq(got, wanted));
}

static struct fasttcp_in
fresh(const struct fasttcp_dialect *d)
{
	return ((struct fasttcp_in){ .dialect = d, .max = 1 << 20 });
}

/* The examples of the protocol's description. */
static const struct {
	int		 d;
	const char	*bytes;
	struct fasttcp_frame f;
	const char	*event, *data;
} examples[] = {
	{ 1, "13000000 01 00 01 01 02000000 0000 05000000 614233785a",
	    { .type = FASTTCP_REGISTER, .data_type = FASTTCP_STRING, .id = 2 },
	    "", "614233785a" },
	{ 1, "14000000 01 00 01 06 02000000 0400 6563686f 02000000 6869",
	    { .type = FASTTCP_DATA_WITH_ACK, .data_type = FASTTCP_STRING,
	    .id = 2 }, "6563686f", "6869" },
	{ 1, "10000000 01 00 01 07 02000000 0000 02000000 6869",
	    { .type = FASTTCP_ACK, .data_type = FASTTCP_STRING, .id = 2 },
	    "", "6869" },
	{ 1, "1b000000 01 00 03 03 03000000 0700 61423378 5a7c6e 06000000 "
	    "fbffffffffff",
	    { .type = FASTTCP_TO_SOCKET, .data_type = FASTTCP_INTEGER,
	    .id = 3 }, "61423378 5a7c6e", "fbffffffffff" },
	{ 2, "14000000 02 00 01 01 01 00 02000000 0000 04000000 30313233",
	    { .type = FASTTCP_AUTH_SEED, .data_type = FASTTCP_STRING, .id = 2,
	    .policy = 1 }, "", "30313233" },
	{ 2, "13000000 02 00 01 6a 01 02 6831 04000000 0000 01000000 72",
	    { .type = FASTTCP_JOIN, .data_type = FASTTCP_STRING, .id = 4,
	    .policy = 1, .cells = { "h1", 2 } }, "", "72" },
};

START_TEST(the_examples_are_written_and_read)
{
	struct fasttcp_frame		 f, got;
	const struct fasttcp_dialect	*d = examples[_i].d == 1 ? fasttcp_d1 :
					    fasttcp_d2;
	struct fasttcp_in		 in = fresh(d);
	struct slice			 bytes = hex(examples[_i].bytes);
	const char			*why;
	char				 out[256];
	size_t				 n, used;

	f = examples[_i].f;
	f.event = hex(examples[_i].event);
	f.data = hex(examples[_i].data);
	n = fasttcp_head_len(d, &f);
	ck_assert_uint_eq(fasttcp_head(out, d, &f), n);
	memcpy(out + n, f.data.data, f.data.len);
	same(slice_of(out, n + f.data.len), bytes);

	ck_assert_int_eq(fasttcp_next(&in, bytes, &used, &got, &why),
	    FASTTCP_GOT);
	ck_assert_uint_eq(used, bytes.len);
	ck_assert_int_eq(got.type, f.type);
	ck_assert_uint_eq(got.data_type, f.data_type);
	ck_assert_uint_eq(got.id, f.id);
	same(got.cells, f.cells);
	same(got.event, f.event);
	same(got.data, f.data);
	ck_assert(fasttcp_idle(&in));
}
END_TEST

/* A frame that has come in part is asked for again, until it is whole. */
START_TEST(it_resumes_at_every_byte)
{
	const struct fasttcp_dialect	*d = examples[_i].d == 1 ? fasttcp_d1 :
					    fasttcp_d2;
	struct fasttcp_in		 in = fresh(d);
	struct slice			 bytes = hex(examples[_i].bytes);
	struct fasttcp_frame		 f;
	const char			*why;
	char				*exact;
	size_t				 used;

	for (size_t n = 0; n <= bytes.len; n++) {
		exact = malloc(n + 1);	/* a sanitizer sees overreads */
		memcpy(exact, bytes.data, n);
		ck_assert_int_eq(fasttcp_next(&in, slice_of(exact, n), &used,
		    &f, &why), n == bytes.len ? FASTTCP_GOT : FASTTCP_MORE);
		ck_assert_uint_eq(used, n == bytes.len ? n : 0);
		free(exact);
	}
}
END_TEST

START_TEST(what_breaks_the_rules_is_bad)
{
	static const struct {
		int		 d;
		const char	*bytes, *why;
	} rows[] = {
		{ 1, "00000000", "shorter" },
		{ 1, "0d000000", "shorter" },
		{ 2, "0f000000", "shorter" },
		{ 1, "01001000", "frame_max" },
		{ 1, "ffffff7f", "frame_max" },
		{ 1, "00000080", "frame_max" },
		{ 1, "ffffffff", "frame_max" },
		{ 1, "47455420", "frame_max" },
		{ 1, "0e000000 02", "version" },
		{ 2, "10000000 01", "version" },
		{ 1, "0e000000 01 00 07 02 02000000 0100 00000000", "event" },
		{ 1, "0e000000 01 00 07 02 02000000 ffff 00000000", "event" },
		{ 1, "0e000000 01 00 01 02 02000000 0000 01000000", "data " },
		{ 1, "0e000000 01 00 01 02 02000000 0000 ffffffff", "data " },
		{ 2, "10000000 02 00 07 64 01 01 02000000 0000 00000000",
		    "cells" },
		{ 1, "0e000000 01 00 00 02 02000000 0000 00000000", "type" },
		{ 1, "0e000000 01 00 08 02 02000000 0000 00000000", "type" },
		{ 1, "0e000000 01 00 c8 02 02000000 0000 00000000", "type" },
		{ 1, "0e000000 01 00 03 02 02000000 0000 00000000", "integer" },
		{ 1, "15000000 01 00 03 02 02000000 0000 07000000 "
		    "00000000000000", "integer" },
		{ 1, "15000000 01 00 04 02 02000000 0000 07000000 "
		    "00000000000000", "decimal" },
		{ 1, "0e000000 01 00 06 02 02000000 0000 00000000", "boolean" },
		{ 1, "0f000000 01 00 07 02 02000000 0000 01000000 00", "empty" },
	};
	struct fasttcp_in	 in = fresh(rows[_i].d == 1 ? fasttcp_d1 :
				    fasttcp_d2);
	struct slice		 bytes = hex(rows[_i].bytes);
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	ck_assert_int_eq(fasttcp_next(&in, bytes, &used, &f, &why),
	    FASTTCP_BAD);
	ck_assert_ptr_nonnull(strstr(why, rows[_i].why));
}
END_TEST

START_TEST(too_long_data_is_cut_and_tails_are_passed_over)
{
	struct fasttcp_in	 in = fresh(fasttcp_d1);
	struct slice		 s;
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	s = hex("10000000 01 00 06 02 02000000 0000 02000000 0109");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	same(f.data, hex("01"));
	s = hex("17000000 01 00 04 02 02000000 0000 09000000 "
	    "000102030405060708");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	same(f.data, hex("0001020304050607"));
	/* Three bytes behind the data, of which two have come. */
	s = hex("12000000 01 00 01 02 02000000 0000 01000000 61 ffff");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	same(f.data, hex("61"));
	ck_assert_uint_eq(used, s.len);
	ck_assert(!fasttcp_idle(&in));
	s = hex("ff 0e000000 01 00 07 02 05000000 0000 00000000");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	ck_assert_uint_eq(used, s.len);
	ck_assert_uint_eq(f.id, 5);
	ck_assert(fasttcp_idle(&in));
}
END_TEST

START_TEST(an_unknown_type_is_passed_over_without_being_kept)
{
	struct fasttcp_in	 in = fresh(fasttcp_d1);
	struct slice		 s;
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	s = hex("0e010000 01 00 c8 63 02000000 0000 00010000 aabbcc");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	ck_assert_int_eq(f.type, FASTTCP_UNKNOWN);
	ck_assert_uint_eq(used, s.len);
	ck_assert_uint_eq(in.skip, 0x100 - 3);
}
END_TEST

START_TEST(a_chunk_is_given_as_it_comes)
{
	struct fasttcp_in	 in = fresh(fasttcp_d1);
	struct slice		 s;
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	s = hex("16000000 01 00 02 0c 09000000 0300 616263 04000000 01");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	ck_assert_int_eq(f.type, FASTTCP_STREAM_DATA);
	ck_assert_uint_eq(f.id, 9);
	same(f.data, hex("01"));
	ck_assert_uint_eq(used, s.len);
	ck_assert_int_eq(fasttcp_next(&in, hex(""), &used, &f, &why),
	    FASTTCP_MORE);
	s = hex("0203");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	ck_assert_int_eq(f.data_type, FASTTCP_BINARY);
	ck_assert_uint_eq(f.id, 9);
	same(f.data, s);
	/* The last one, a byte behind it, and the next frame's first byte. */
	s = hex("04 ee 0e");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_GOT);
	same(f.data, hex("04"));
	ck_assert_uint_eq(used, 1);
	s = hex("ee 0e");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_MORE);
	ck_assert_uint_eq(used, 1);
	ck_assert(fasttcp_idle(&in));
	/* A string's bytes could be cut within a character: it comes whole. */
	s = hex("10000000 01 00 01 0c 09000000 0000 02000000 c3");
	ck_assert_int_eq(fasttcp_next(&in, s, &used, &f, &why), FASTTCP_MORE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
	static char		 big[FASTTCP_EVENT_MAX + 1];
	struct fasttcp_frame	 f = { .type = FASTTCP_DATA, .data_type = 1,
				    .event = { big, sizeof(big) } };

	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d1, &f), 0);
	f.event.len--;
	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d1, &f), 18 + 65535);
	f.cells = slice_of(big, 256);
	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d2, &f), 0);
	f.cells.len = 255;
	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d2, &f), 20 + 65535 + 255);
	ck_assert_uint_le(fasttcp_head_len(fasttcp_d2, &f), FASTTCP_HEAD_MAX);
	f.data = slice_of(big, SIZE_MAX);
	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d1, &f), 0);
	f.data.len = 0;
	f.type = FASTTCP_UPLINK;
	ck_assert_uint_eq(fasttcp_head_len(fasttcp_d1, &f), 0);
	ck_assert_uint_ne(fasttcp_head_len(fasttcp_d2, &f), 0);
}
END_TEST

START_TEST(numbers_come_back)
{
	static const int64_t	 whole[] = { 0, 1, -1, -5, 255, 256, 65535,
				    (1ll << 47) - 1, -(1ll << 47) };
	static const double	 parts[] = { 0.5, -1e300, INFINITY, -INFINITY,
				    5e-324 };
	char			 b[8];

	for (size_t i = 0; i < nitems(whole); i++) {
		ck_assert_int_eq(fasttcp_put_integer(b, whole[i]), 0);
		ck_assert_int_eq(fasttcp_get_integer(slice_of(b, 6)),
		    whole[i]);
	}
	ck_assert_int_eq(fasttcp_get_integer(hex("ff")), -1);
	ck_assert_int_eq(fasttcp_get_integer(hex("ff00")), 255);
	ck_assert_int_eq(fasttcp_put_integer(b, 1ll << 47), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(fasttcp_put_integer(b, -(1ll << 47) - 1), -1);
	for (size_t i = 0; i < nitems(parts); i++) {
		fasttcp_put_decimal(b, parts[i]);
		ck_assert(fasttcp_get_decimal(slice_of(b, 8)) == parts[i]);
	}
	fasttcp_put_decimal(b, NAN);
	ck_assert(isnan(fasttcp_get_decimal(slice_of(b, 8))));
}
END_TEST

START_TEST(each_type_has_one_code_in_each_dialect)
{
	const struct fasttcp_dialect	*ds[] = { fasttcp_d1, fasttcp_d2 };
	struct fasttcp_frame		 f = { .data_type = FASTTCP_EMPTY }, got;
	struct fasttcp_in		 in;
	const char			*why;
	char				 out[64];
	size_t				 n, used;

	for (size_t i = 0; i < nitems(ds); i++) {
		ck_assert_uint_eq(fasttcp_version(ds[i]), i + 1);
		for (unsigned t = 1; t < FASTTCP_NTYPES; t++) {
			f.type = (enum fasttcp_type)t;
			if (!fasttcp_has(ds[i], f.type)) {
				ck_assert_uint_eq(i, 0);
				ck_assert_uint_ge(t, FASTTCP_AUTH_SEED);
				continue;
			}
			n = fasttcp_head(out, ds[i], &f);
			in = fresh(ds[i]);
			ck_assert_int_eq(fasttcp_next(&in, slice_of(out, n),
			    &used, &got, &why), FASTTCP_GOT);
			ck_assert_uint_eq(got.type, t);
		}
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("fasttcp");
	TCase	*t = tcase_create("fasttcp");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, the_examples_are_written_and_read, 0,
	    (int)nitems(examples));
	tcase_add_loop_test(t, it_resumes_at_every_byte, 0,
	    (int)nitems(examples));
	tcase_add_loop_test(t, what_breaks_the_rules_is_bad, 0, 23);
	tcase_add_test(t, too_long_data_is_cut_and_tails_are_passed_over);
	tcase_add_test(t, an_unknown_type_is_passed_over_without_being_kept);
	tcase_add_test(t, a_chunk_is_given_as_it_comes);
	tcase_add_test(t, what_does_not_fit_is_not_written);
	tcase_add_test(t, numbers_come_back);
	tcase_add_test(t, each_type_has_one_code_in_each_dialect);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
