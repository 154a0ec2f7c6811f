#include <check.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "proto/utf8.h"

/* Of one character: its bytes, or 0 if it has none (RFC 3629). */
static size_t
encode(uint32_t c, char dst[4])
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return (1);
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 63));
		return (2);
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 63));
		dst[2] = (char)(0x80 | (c & 63));
		return (c >= 0xd800 && c <= 0xdfff ? 0 : 3);
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 63));
	dst[2] = (char)(0x80 | (c >> 6 & 63));
	dst[3] = (char)(0x80 | (c & 63));
	return (c > 0x10ffff ? 0 : 4);
}

START_TEST(every_character_is_right_and_no_other)
{
	char	 b[4];
	size_t	 n, max;
	int	 right;

	for (uint32_t c = 0; c < 0x1fffff; c += c < 0x11000 ? 1 : 61) {
		n = encode(c, b);
		max = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		right = utf8_valid(b, max) == (n > 0);
		/* Cut short it is not whole, but not wrong either. */
		for (size_t cut = 1; cut < n; cut++)
			right = right && !utf8_valid(b, cut) &&
			    utf8_feed(UTF8_OK, b, cut) != UTF8_BAD;
		if (!right)
			ck_abort_msg("U+%x", c);
	}
}
END_TEST

START_TEST(what_cannot_become_right_is_bad_at_once)
{
	/* The byte at which it is known. */
	static const struct {
		const char	*text;
		size_t		 at;
	} rows[] = {
		{ "\x80", 0 }, { "\xbf", 0 }, { "\xc0", 0 }, { "\xc1", 0 },
		{ "\xf5", 0 }, { "\xfe", 0 }, { "\xff", 0 },
		{ "a\xc2 ", 2 }, { "\xc2\xc2", 1 },
		{ "\xe0\x9f", 1 }, { "\xe1\x7f", 1 }, { "\xe1\xc0", 1 },
		{ "\xe1\x80\xc0", 2 }, { "\xed\xa0", 1 }, { "\xed\xbf", 1 },
		{ "\xf0\x8f", 1 }, { "\xf4\x90", 1 }, { "\xf0\x90\x7f", 2 },
		{ "\xf0\x90\x80\x41", 3 }, { "\xc3\xa9\x80", 2 },
		{ "12345678\xff", 8 }, { "1234567\xff" "9", 7 },
		{ "12345678123\x80", 11 },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		uint32_t	 state = UTF8_OK;

		for (size_t k = 0; k <= rows[i].at; k++) {
			ck_assert_msg(state != UTF8_BAD, "row %zu", i);
			state = utf8_feed(state, rows[i].text + k, 1);
		}
		ck_assert_msg(state == UTF8_BAD, "row %zu", i);
		ck_assert_uint_eq(utf8_feed(state, "a", 1), UTF8_BAD);
		ck_assert_uint_eq(utf8_feed(UTF8_OK, rows[i].text,
		    rows[i].at + 1), UTF8_BAD);
	}
}
END_TEST

START_TEST(any_cut_gives_the_same)
{
	static const char	 text[] = "plain ascii first, "
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
		" \xf0\x9f\x90\x95 and more that is plain \xed\x9f\xbf";
	size_t			 len = sizeof(text) - 1;
	uint32_t		 state;

	ck_assert(utf8_valid(text, len));
	for (size_t a = 0; a <= len; a++)
		for (size_t b = a; b <= len; b++) {
			state = utf8_feed(UTF8_OK, text, a);
			state = utf8_feed(state, text + a, b - a);
			state = utf8_feed(state, text + b, len - b);
			ck_assert_uint_eq(state, UTF8_OK);
		}
}
END_TEST

START_TEST(one_bad_byte_is_found_wherever_it_is)
{
	char	 text[64];

	for (size_t len = 1; len <= sizeof(text); len++)
		for (size_t at = 0; at < len; at++) {
			memset(text, 'a', len);
			ck_assert(utf8_valid(text, len));
			text[at] = (char)0x80;
			ck_assert(!utf8_valid(text, len));
		}
	ck_assert(utf8_valid(NULL, 0));
	ck_assert(utf8_valid("\0\0", 2));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("utf8");
	TCase	*t = tcase_create("utf8");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, every_character_is_right_and_no_other);
	tcase_add_test(t, what_cannot_become_right_is_bad_at_once);
	tcase_add_test(t, any_cut_gives_the_same);
	tcase_add_test(t, one_bad_byte_is_found_wherever_it_is);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
