/* Letters between kennels keep the type and the bytes of their data. */
#include <check.h>
#include <stdlib.h>

#include "shardd/events/parcel.h"

static const struct {
	uint8_t		 type;
	const char	*bytes;
	size_t		 len;
} values[] = {
	{ FASTTCP_STRING, "a\xff\0b", 4 }, { FASTTCP_STRING, "", 0 },
	{ FASTTCP_BINARY, "\0\xff", 2 },
	{ FASTTCP_INTEGER, "\xfb\xff\xff\xff\xff\xff", 6 },
	{ FASTTCP_INTEGER, "\1", 1 },
	{ FASTTCP_DECIMAL, "\0\0\0\0\0\0\xf8\x7f", 8 },
	{ FASTTCP_OBJECT, "\x81", 1 }, { FASTTCP_BOOLEAN, "\1", 1 },
	{ FASTTCP_EMPTY, "", 0 },
};

/* A frame with what was written. */
static struct fasttcp_frame
frame(const struct buf *b)
{
	return ((struct fasttcp_frame){ .type = FASTTCP_PARCEL,
	    .data_type = FASTTCP_BINARY, .data = slice_of(b->data, b->len) });
}

START_TEST(values_stay_as_they_are)
{
	struct letter		 l = { .whom = WHOM_ROOMS,
				    .names = slice_str("r,s"),
				    .except = slice_str("x,y"),
				    .event = slice_of("e\0|", 3),
				    .data_type = values[_i].type,
				    .data = slice_of(values[_i].bytes,
				    values[_i].len) }, back;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };
	unsigned		 hops;

	parcel_write(&b, &l, 7);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &hops, &f), 0);
	ck_assert_uint_eq(hops, 7);
	ck_assert_int_eq(back.whom, WHOM_ROOMS);
	ck_assert_uint_eq(back.data_type, l.data_type);
	ck_assert(slice_eq(back.data, l.data));
	ck_assert(slice_eq(back.names, l.names));
	ck_assert(slice_eq(back.except, l.except));
	ck_assert(slice_eq(back.event, l.event));
	/* Cut short anywhere before its data it is none. */
	for (size_t n = 0; n < b.len - l.data.len; n++) {
		f.data = slice_of(b.data, n);
		ck_assert_int_eq(parcel_read(&back, &hops, &f), -1);
	}
	f = frame(&b);
	f.data_type = FASTTCP_STRING;
	ck_assert_int_eq(parcel_read(&back, &hops, &f), -1);
	buf_clear(&b);
}
END_TEST

START_TEST(data_of_a_wrong_size_is_refused)
{
	static const struct {
		uint8_t	 type;
		size_t	 len;
	} wrong[] = {
		{ FASTTCP_INTEGER, 0 }, { FASTTCP_INTEGER, 7 },
		{ FASTTCP_DECIMAL, 7 }, { FASTTCP_BOOLEAN, 0 },
		{ FASTTCP_EMPTY, 1 }, { 0, 1 }, { 8, 1 },
	};
	struct letter		 l = { .whom = WHOM_ALL, .names = slice_str(""),
				    .event = slice_str("e") }, back;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };
	unsigned		 hops;

	for (size_t i = 0; i < nitems(wrong); i++) {
		l.data_type = wrong[i].type;
		l.data = slice_of("12345678", wrong[i].len);
		buf_reset(&b);
		parcel_write(&b, &l, 1);
		f = frame(&b);
		ck_assert_int_eq(parcel_read(&back, &hops, &f), -1);
	}
	/* Too much of these is cut, as in frames. */
	l.data_type = FASTTCP_BOOLEAN;
	l.data = slice_str("12345678");
	buf_reset(&b);
	parcel_write(&b, &l, 1);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &hops, &f), 0);
	ck_assert_uint_eq(back.data.len, 1);
	/* For nobody. */
	l.whom = 0;
	buf_reset(&b);
	parcel_write(&b, &l, 1);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &hops, &f), -1);
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("parcel");
	TCase	*t = tcase_create("parcel");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, values_stay_as_they_are, 0, nitems(values));
	tcase_add_test(t, data_of_a_wrong_size_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
