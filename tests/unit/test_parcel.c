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
	struct parcel		 p = { .kind = PARCEL_LETTER, .hops = 7,
				    .origin = slice_str("h1"), .epoch = 1,
				    .sequence = UINT64_MAX, .letter = {
				    .whom = WHOM_ROOMS,
				    .names = slice_str("r,s"),
				    .except = slice_str("x,y"),
				    .event = slice_of("e\0|", 3),
				    .data_type = values[_i].type,
				    .data = slice_of(values[_i].bytes,
				    values[_i].len) } }, back;
	const struct letter	*l = &p.letter;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };

	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), 0);
	ck_assert_uint_eq(back.hops, 7);
	ck_assert_uint_eq(back.sequence, UINT64_MAX);
	ck_assert(slice_is(back.origin, "h1"));
	ck_assert_int_eq(back.letter.whom, WHOM_ROOMS);
	ck_assert_uint_eq(back.letter.data_type, l->data_type);
	ck_assert(slice_eq(back.letter.data, l->data));
	ck_assert(slice_eq(back.letter.names, l->names));
	ck_assert(slice_eq(back.letter.except, l->except));
	ck_assert(slice_eq(back.letter.event, l->event));
	/* Cut short anywhere before its data it is none. */
	for (size_t n = 0; n < b.len - l->data.len; n++) {
		f.data = slice_of(b.data, n);
		ck_assert_int_eq(parcel_read(&back, &f), -1);
	}
	f = frame(&b);
	f.data_type = FASTTCP_STRING;
	ck_assert_int_eq(parcel_read(&back, &f), -1);
	buf_clear(&b);
}
END_TEST

/* Each kind says what it has, and is read so; of others it is none. */
START_TEST(all_kinds_come_across)
{
	struct parcel		 p = { .kind = (enum parcel_kind)_i, .hops = 3,
				    .origin = slice_str("h1"), .epoch = 5,
				    .sequence = 6, .number = 7, .place = 8,
				    .flags = 1, .wait = 9, .letter = {
				    .whom = WHOM_SOCKETS,
				    .names = slice_str("h2/a"),
				    .event = slice_str("e"),
				    .data_type = FASTTCP_STRING,
				    .data = slice_str("x") } }, back;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };

	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), 0);
	ck_assert_int_eq(back.kind, _i);
	ck_assert(back.epoch == 5 && back.sequence == 6 && back.hops == 3);
	ck_assert_uint_eq(back.number, _i >= PARCEL_OPEN && _i <= PARCEL_ANSWER ?
	    7 : 0);
	ck_assert_uint_eq(back.place, _i == PARCEL_CHUNK || _i == PARCEL_END ?
	    8 : 0);
	ck_assert_uint_eq(back.wait, _i == PARCEL_ASK ? 9 : 0);
	p.origin = slice_str("a|b");
	buf_reset(&b);
	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), -1);
	buf_clear(&b);
}
END_TEST

/* A chunk of another type than a client can have; a question to a room. */
START_TEST(what_a_kind_cannot_say_is_refused)
{
	struct parcel		 p = { .kind = PARCEL_CHUNK,
				    .origin = slice_str("h1"), .letter = {
				    .whom = WHOM_ROOMS,
				    .names = slice_str("r"),
				    .data_type = FASTTCP_EMPTY } }, back;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };

	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), -1);
	p.kind = PARCEL_ASK;
	buf_reset(&b);
	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), -1);
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
	struct parcel		 p = { .kind = PARCEL_LETTER,
				    .origin = slice_str("h1"), .letter = {
				    .whom = WHOM_ALL, .names = slice_str(""),
				    .event = slice_str("e") } }, back;
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };

	for (size_t i = 0; i < nitems(wrong); i++) {
		p.letter.data_type = wrong[i].type;
		p.letter.data = slice_of("12345678", wrong[i].len);
		buf_reset(&b);
		parcel_write(&b, &p);
		f = frame(&b);
		ck_assert_int_eq(parcel_read(&back, &f), -1);
	}
	/* Too much of these is cut, as in frames. */
	p.letter.data_type = FASTTCP_BOOLEAN;
	p.letter.data = slice_str("12345678");
	buf_reset(&b);
	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), 0);
	ck_assert_uint_eq(back.letter.data.len, 1);
	/* For nobody. */
	p.letter.whom = 0;
	buf_reset(&b);
	parcel_write(&b, &p);
	f = frame(&b);
	ck_assert_int_eq(parcel_read(&back, &f), -1);
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
	tcase_add_loop_test(t, all_kinds_come_across, PARCEL_LETTER,
	    PARCEL_NKINDS);
	tcase_add_test(t, what_a_kind_cannot_say_is_refused);
	tcase_add_test(t, data_of_a_wrong_size_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
