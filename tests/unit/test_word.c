#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/events/names.h"
#include "shardd/events/word.h"

START_TEST(every_word_comes_back)
{
	struct word	 w = { .number = UINT64_MAX, .whom = WHOM_ROOMS,
			    .data_type = 7, .flags = 5, .names = { "a,b", 3 },
			    .except = { "c", 1 }, .event = { "e\0", 2 } }, got;
	struct buf	 b = { 0 }, again = { 0 };

	for (int type = 1; type < WORD_NTYPES; type++) {
		w.type = (enum word_type)type;
		buf_reset(&b);
		word_encode(&b, &w);
		ck_assert(!b.failed);
		ck_assert_int_eq(word_decode(&got, slice_of(b.data, b.len)), 0);
		ck_assert_int_eq(got.type, type);
		buf_reset(&again);
		word_encode(&again, &got);
		ck_assert(slice_eq(slice_of(b.data, b.len),
		    slice_of(again.data, again.len)));
		for (size_t n = 0; n < b.len; n++)
			ck_assert_int_eq(word_decode(&got,
			    slice_of(b.data, n)), -1);
	}
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

START_TEST(later_words_are_passed_over)
{
	struct word	 got;

	ck_assert_int_eq(word_decode(&got, slice_of("\x91\x63", 2)), 1);
	ck_assert_int_eq(word_decode(&got, slice_of("\x91\x00", 2)), -1);
	ck_assert_int_eq(word_decode(&got, slice_of("\x90", 1)), -1);
	ck_assert_int_eq(word_decode(&got, slice_of("junk", 4)), -1);
}
END_TEST

START_TEST(lists_have_names_and_empty_ones)
{
	struct slice	 at = slice_str("a,,b,"), name;
	const char	*wanted[] = { "a", "", "b", "" };
	size_t		 n = 0;

	while (names_next(&at, &name))
		ck_assert(slice_is(name, wanted[n++]));
	ck_assert_uint_eq(n, 4);
	at = slice_str("");
	ck_assert(names_next(&at, &name) && name.len == 0);
	ck_assert(!names_next(&at, &name));
	at = slice_of(NULL, 0);
	ck_assert(!names_next(&at, &name));
}
END_TEST

START_TEST(the_first_bar_divides)
{
	struct slice	 names, event;

	ck_assert(names_split(slice_str("a,b|e|f"), &names, &event));
	ck_assert(slice_is(names, "a,b") && slice_is(event, "e|f"));
	ck_assert(names_split(slice_str("|"), &names, &event));
	ck_assert(names.len == 0 && names.data != NULL && event.len == 0);
	ck_assert(!names_split(slice_str("none"), &names, &event));
	ck_assert(!names_split(slice_str(""), &names, &event));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("word");
	TCase	*t = tcase_create("word");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, every_word_comes_back);
	tcase_add_test(t, later_words_are_passed_over);
	tcase_add_test(t, lists_have_names_and_empty_ones);
	tcase_add_test(t, the_first_bar_divides);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
